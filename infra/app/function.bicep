// The plan and the app. Every app setting is made here.
param name string
param planName string
param location string
param tags object
param hosting string
param instanceMemory int
param premiumSize string
param containerImage string
param functionTimeout string
param subnetId string
param identityId string
param identityClientId string
param storageName string
param landingName string
param packageContainer string
param keyVaultName string
param insightsConnection string
@description('Empty where orchestrations are kept in storage.')
param schedulerEndpoint string
param taskHub string
@description('Empty where callers have function keys.')
param entraClientId string
param vaultId string
param targets object
param settings object
param keyVaultReferences object

var isFlex = hosting == 'flex'
var isContainer = !isFlex && !empty(containerImage)

resource storage 'Microsoft.Storage/storageAccounts@2024-01-01' existing = {
  name: storageName
}

resource landing 'Microsoft.Storage/storageAccounts@2024-01-01' existing = {
  name: landingName
}

// A flexible plan's instance has less than 1 GB for temporary files: larger archives are streamed.
var stagingLimit = isFlex ? '250' : '8000'

var baseSettings = {
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identityClientId
  AzureWebJobsStorage__blobServiceUri: storage.properties.primaryEndpoints.blob
  AzureWebJobsStorage__queueServiceUri: storage.properties.primaryEndpoints.queue
  AzureWebJobsStorage__tableServiceUri: storage.properties.primaryEndpoints.table
  LandingStorage__credential: 'managedidentity'
  LandingStorage__clientId: identityClientId
  LandingStorage__blobServiceUri: landing.properties.primaryEndpoints.blob
  LandingStorage__queueServiceUri: landing.properties.primaryEndpoints.queue
  AZURE_CLIENT_ID: identityClientId
  APPLICATIONINSIGHTS_CONNECTION_STRING: insightsConnection
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
  AzureFunctionsJobHost__functionTimeout: functionTimeout
  PYTHON_THREADPOOL_THREAD_COUNT: '16'
  FLEX_RESTORE_VAULT: vaultId
  FLEX_RESTORE_LANDING_ACCOUNT: landing.id
  FLEX_RESTORE_TARGETS: string(targets)
  FLEX_RESTORE_STAGING_LIMIT_MB: stagingLimit
}
var premiumSettings = {
  FUNCTIONS_EXTENSION_VERSION: '~4'
  FUNCTIONS_WORKER_RUNTIME: 'python'
}
var packageSettings = {
  WEBSITE_RUN_FROM_PACKAGE: '${storage.properties.primaryEndpoints.blob}${packageContainer}/flex-restore.zip'
  WEBSITE_RUN_FROM_PACKAGE_BLOB_MI_RESOURCE_ID: identityId
}
var containerSettings = {
  WEBSITES_ENABLE_APP_SERVICE_STORAGE: 'false'
}
var schedulerSettings = {
  AzureFunctionsJobHost__extensions__durableTask__storageProvider__type: 'azureManaged'
  AzureFunctionsJobHost__extensions__durableTask__storageProvider__connectionStringName: 'DURABLE_TASK_SCHEDULER_CONNECTION_STRING'
  DURABLE_TASK_SCHEDULER_CONNECTION_STRING: 'Endpoint=${schedulerEndpoint};Authentication=ManagedIdentity;ClientID=${identityClientId};TaskHub=${taskHub}'
}
var entraSettings = {
  FLEX_RESTORE_AUTHENTICATION: 'entra'
  FLEX_RESTORE_TENANT: tenant().tenantId
}
var chosenSettings = toObject(
  filter(items(settings), setting => setting.value != null),
  setting => setting.key,
  setting => string(setting.value)
)
var referenceSettings = toObject(
  items(keyVaultReferences),
  setting => setting.key,
  setting => '@Microsoft.KeyVault(VaultName=${keyVaultName};SecretName=${setting.value})'
)

var siteConfig = {
  ftpsState: 'Disabled'
  minTlsVersion: '1.2'
}
var premiumSiteConfig = {
  linuxFxVersion: isContainer ? 'DOCKER|${containerImage}' : 'PYTHON|3.13'
  vnetRouteAllEnabled: !empty(subnetId)
  acrUseManagedIdentityCreds: isContainer
  acrUserManagedIdentityID: identityClientId
}
var flexConfig = {
  deployment: {
    storage: {
      type: 'blobContainer'
      value: '${storage.properties.primaryEndpoints.blob}${packageContainer}'
      authentication: {
        type: 'UserAssignedIdentity'
        userAssignedIdentityResourceId: identityId
      }
    }
  }
  scaleAndConcurrency: {
    instanceMemoryMB: instanceMemory
    maximumInstanceCount: 40
  }
  runtime: {
    name: 'python'
    version: '3.13'
  }
}

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  name: planName
  location: location
  tags: tags
  kind: isFlex ? 'functionapp' : 'elastic'
  sku: {
    name: isFlex ? 'FC1' : premiumSize
    tier: isFlex ? 'FlexConsumption' : 'ElasticPremium'
  }
  properties: {
    reserved: true
    // One instance that is never scaled in: an import is not ended by it.
    maximumElasticWorkerCount: isFlex ? null : 1
  }
}

resource app 'Microsoft.Web/sites@2024-04-01' = {
  name: name
  location: location
  tags: union(tags, {
    'azd-service-name': 'app'
  })
  kind: isContainer ? 'functionapp,linux,container' : 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    keyVaultReferenceIdentity: identityId
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    siteConfig: isFlex ? siteConfig : union(siteConfig, premiumSiteConfig)
    functionAppConfig: isFlex ? flexConfig : null
  }
}

resource appSettings 'Microsoft.Web/sites/config@2024-04-01' = {
  parent: app
  name: 'appsettings'
  properties: union(
    baseSettings,
    isFlex ? {} : premiumSettings,
    isContainer ? containerSettings : {},
    !isFlex && !isContainer ? packageSettings : {},
    empty(schedulerEndpoint) ? {} : schedulerSettings,
    empty(entraClientId) ? {} : entraSettings,
    chosenSettings,
    referenceSettings
  )
}

resource ftpPassword 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = {
  parent: app
  name: 'ftp'
  properties: {
    allow: false
  }
}

resource deploymentPassword 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = {
  parent: app
  name: 'scm'
  properties: {
    allow: false
  }
}

output name string = app.name
output hostName string = app.properties.defaultHostName
