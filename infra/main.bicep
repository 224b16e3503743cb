targetScope = 'subscription'

@minLength(1)
@maxLength(64)
@description('Name of the environment: part of every name, and of the token that makes names unique.')
param environmentName string

@minLength(1)
@description('Where the app runs. Restored files always land in the region of the backup vault.')
@metadata({
  azd: {
    type: 'location'
  }
})
param location string

@minLength(1)
@description('Resource id of the backup vault whose backups are restored: /subscriptions/.../backupVaults/NAME')
param backupVaultId string

@minLength(1)
@description('Resource id of the flexible server that restores go into: /subscriptions/.../flexibleServers/NAME; or the word none')
param targetServerId string

@minLength(1)
@description('The name by which requests name that server.')
param targetAlias string = 'drill'

@description('Further target servers by alias, or more about that one; docs/settings.md, FLEX_RESTORE_TARGETS.')
param targets object = {}

@description('App settings with their values; null leaves one out. docs/settings.md tells what they do.')
param settings object = {}

@description('App settings that are secrets, with the names of their secrets in the Key Vault.')
param keyVaultReferences object = {}

@allowed(['flex', 'premium'])
@description('Flex Consumption, or Elastic Premium for imports that take longer than an hour.')
param hosting string = 'flex'

@allowed([2048, 4096])
@description('Memory of one instance of the Flex Consumption plan, in MB.')
param instanceMemory int = 2048

@allowed(['EP1', 'EP2', 'EP3'])
@description('Size of the Elastic Premium plan.')
param premiumSize string = 'EP1'

@description('Premium only: a container image with the app, REGISTRY.azurecr.io/NAME:TAG; without it the package in storage is run.')
param containerImage string = ''

@description('How long a function may run, hh:mm:ss; above FLEX_RESTORE_LOAD_TIMEOUT_MINUTES.')
param functionTimeout string = '04:00:00'

@description('Id of a subnet that the app joins, to reach private servers; it must be delegated to the plan.')
param subnetId string = ''

@description('Make a network with such a subnet; peering and name resolution are left to you.')
param createNetwork bool = false

@allowed(['storage', 'scheduler'])
@description('Where orchestrations are kept: in the app\'s storage, or in a Durable Task Scheduler.')
param durableBackend string = 'storage'

@description('Client id of the app registration by which callers sign in with Entra (docs/security.md); empty: they have function keys.')
param entraClientId string = ''

@description('Who is mailed when restores fail or are stuck; empty: nobody, the alerts still show in the portal.')
param alertEmail string = ''

@description('Object id of who deploys, who may send requests, read reports and put secrets; empty: nobody.')
param principalId string = ''

@allowed(['User', 'Group', 'ServicePrincipal'])
@description('What kind of principal that is.')
param principalType string = 'User'

var abbreviations = loadJsonContent('abbreviations.json')
var resourceToken = toLower(uniqueString(subscription().id, environmentName, location))
var tags = {
  'azd-env-name': environmentName
}
var vaultId = split(backupVaultId, '/')
var hasTarget = targetServerId != 'none'
var serverId = split(hasTarget ? targetServerId : backupVaultId, '/')
var useScheduler = durableBackend == 'scheduler'
var identityName = '${abbreviations.managedIdentityUserAssignedIdentities}${resourceToken}'
var askedTarget = {
  '${targetAlias}': {
    host: target.outputs.host
    user: identityName
    identity: identity.outputs.clientId
  }
}

resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: '${abbreviations.resourcesResourceGroups}${environmentName}'
  location: location
  tags: tags
}

module identity 'app/identity.bicep' = {
  name: 'identity'
  scope: group
  params: {
    name: identityName
    location: location
    tags: tags
  }
}

module monitoring 'app/monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: {
    workspaceName: '${abbreviations.operationalInsightsWorkspaces}${resourceToken}'
    insightsName: '${abbreviations.insightsComponents}${resourceToken}'
    location: location
    tags: tags
  }
}

module storage 'app/storage.bicep' = {
  name: 'storage'
  scope: group
  params: {
    name: '${abbreviations.storageStorageAccounts}${resourceToken}'
    location: location
    tags: tags
  }
}

module vault 'app/vault.bicep' = {
  name: 'flex-restore-vault-${resourceToken}'
  scope: resourceGroup(vaultId[2], vaultId[4])
  params: {
    name: vaultId[8]
  }
}

module landing 'app/landing.bicep' = {
  name: 'landing'
  scope: group
  params: {
    name: '${abbreviations.storageStorageAccounts}land${resourceToken}'
    topicName: '${abbreviations.eventGridSystemTopics}${resourceToken}'
    location: vault.outputs.location
    tags: tags
  }
}

module keyVault 'app/key-vault.bicep' = {
  name: 'key-vault'
  scope: group
  params: {
    name: '${abbreviations.keyVaultVaults}${resourceToken}'
    location: location
    tags: tags
  }
}

module scheduler 'app/scheduler.bicep' = if (useScheduler) {
  name: 'scheduler'
  scope: group
  params: {
    name: '${abbreviations.durableTaskSchedulers}${resourceToken}'
    location: location
    tags: tags
  }
}

module network 'app/network.bicep' = if (createNetwork) {
  name: 'network'
  scope: group
  params: {
    name: '${abbreviations.networkVirtualNetworks}${resourceToken}'
    location: location
    tags: tags
    hosting: hosting
  }
}

module target 'app/target.bicep' = if (hasTarget) {
  name: 'flex-restore-target-${resourceToken}'
  scope: resourceGroup(serverId[2], serverId[4])
  params: {
    name: serverId[8]
    principalId: identity.outputs.principalId
    principalName: identityName
  }
}

module roles 'app/roles.bicep' = {
  name: 'roles'
  scope: group
  params: {
    storageName: storage.outputs.name
    landingName: landing.outputs.name
    keyVaultName: keyVault.outputs.name
    insightsName: monitoring.outputs.insightsName
    schedulerName: useScheduler ? scheduler.outputs.name : ''
    appPrincipalId: identity.outputs.principalId
    vaultPrincipalId: vault.outputs.principalId
    topicPrincipalId: landing.outputs.topicPrincipalId
    deployerPrincipalId: principalId
    deployerPrincipalType: principalType
  }
}

module vaultRoles 'app/vault-roles.bicep' = {
  name: 'flex-restore-vault-roles-${resourceToken}'
  scope: resourceGroup(vaultId[2], vaultId[4])
  params: {
    vaultName: vaultId[8]
    appPrincipalId: identity.outputs.principalId
  }
}

module function 'app/function.bicep' = {
  name: 'function'
  scope: group
  params: {
    name: '${abbreviations.webSitesFunctions}${resourceToken}'
    planName: '${abbreviations.webServerFarms}${resourceToken}'
    location: location
    tags: tags
    hosting: hosting
    instanceMemory: instanceMemory
    premiumSize: premiumSize
    containerImage: containerImage
    functionTimeout: functionTimeout
    subnetId: createNetwork ? network.outputs.subnetId : subnetId
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    storageName: storage.outputs.name
    landingName: landing.outputs.name
    packageContainer: storage.outputs.packageContainer
    keyVaultName: keyVault.outputs.name
    insightsConnection: monitoring.outputs.insightsConnection
    schedulerEndpoint: useScheduler ? scheduler.outputs.endpoint : ''
    taskHub: useScheduler ? scheduler.outputs.taskHub : ''
    entraClientId: entraClientId
    vaultId: backupVaultId
    targets: hasTarget ? union(askedTarget, targets) : targets
    settings: settings
    keyVaultReferences: keyVaultReferences
  }
  dependsOn: [roles]
}

module signIn 'app/sign-in.bicep' = if (!empty(entraClientId)) {
  name: 'sign-in'
  scope: group
  params: {
    functionAppName: function.outputs.name
    entraClientId: entraClientId
  }
}

module alerts 'app/alerts.bicep' = {
  name: 'alerts'
  scope: group
  params: {
    actionGroupName: '${abbreviations.insightsActionGroups}${resourceToken}'
    workspaceId: monitoring.outputs.workspaceId
    email: alertEmail
    location: location
    tags: tags
  }
}

module workbook 'app/workbook.bicep' = {
  name: 'workbook'
  scope: group
  params: {
    workspaceId: monitoring.outputs.workspaceId
    location: location
    tags: tags
  }
}

output AZURE_LOCATION string = location
output AZURE_RESOURCE_GROUP string = group.name
output AZURE_FUNCTION_APP_NAME string = function.outputs.name
output AZURE_KEY_VAULT_NAME string = keyVault.outputs.name
output AZURE_STORAGE_ACCOUNT_NAME string = storage.outputs.name
output FLEX_RESTORE_CONSOLE string = 'https://${function.outputs.hostName}/api/console'
output FLEX_RESTORE_HOSTING string = hosting
output FLEX_RESTORE_LANDING_ACCOUNT_NAME string = landing.outputs.name
output FLEX_RESTORE_SYSTEM_TOPIC_NAME string = landing.outputs.topicName
