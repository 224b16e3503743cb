// The rows of ../roles.json whose resources stand in this resource group.
param storageName string
param landingName string
param keyVaultName string
param insightsName string
@description('Empty where there is none.')
param schedulerName string
param appPrincipalId string
param vaultPrincipalId string
param topicPrincipalId string
@description('Empty where nobody gets rights of their own.')
param deployerPrincipalId string
param deployerPrincipalType string

var table = loadJsonContent('../roles.json')
var principals = {
  app: {
    id: appPrincipalId
    type: 'ServicePrincipal'
  }
  vault: {
    id: vaultPrincipalId
    type: 'ServicePrincipal'
  }
  topic: {
    id: topicPrincipalId
    type: 'ServicePrincipal'
  }
  deployer: {
    id: deployerPrincipalId
    type: deployerPrincipalType
  }
}
var rows = filter(table, row => !empty(principals[row.who].id))
var storageRows = filter(rows, row => row.on == 'storage')
var landingRows = filter(rows, row => row.on == 'landing')
var keyVaultRows = filter(rows, row => row.on == 'keyVault')
var insightsRows = filter(rows, row => row.on == 'insights')
var schedulerRows = filter(rows, row => row.on == 'scheduler' && !empty(schedulerName))

resource storage 'Microsoft.Storage/storageAccounts@2024-01-01' existing = {
  name: storageName
}

resource landing 'Microsoft.Storage/storageAccounts@2024-01-01' existing = {
  name: landingName
}

resource keyVault 'Microsoft.KeyVault/vaults@2023-07-01' existing = {
  name: keyVaultName
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

resource scheduler 'Microsoft.DurableTask/schedulers@2025-11-01' existing = {
  // A name is needed to compile the scope; no assignment is made where there is no scheduler.
  name: empty(schedulerName) ? 'none' : schedulerName
}

resource onStorage 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for row in storageRows: {
    name: guid(storage.id, principals[row.who].id, row.id)
    scope: storage
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', row.id)
      principalId: principals[row.who].id
      principalType: principals[row.who].type
      description: row.why
    }
  }
]

resource onLanding 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for row in landingRows: {
    name: guid(landing.id, principals[row.who].id, row.id)
    scope: landing
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', row.id)
      principalId: principals[row.who].id
      principalType: principals[row.who].type
      description: row.why
    }
  }
]

resource onKeyVault 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for row in keyVaultRows: {
    name: guid(keyVault.id, principals[row.who].id, row.id)
    scope: keyVault
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', row.id)
      principalId: principals[row.who].id
      principalType: principals[row.who].type
      description: row.why
    }
  }
]

resource onInsights 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for row in insightsRows: {
    name: guid(insights.id, principals[row.who].id, row.id)
    scope: insights
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', row.id)
      principalId: principals[row.who].id
      principalType: principals[row.who].type
      description: row.why
    }
  }
]

resource onScheduler 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for row in schedulerRows: {
    name: guid(scheduler.id, principals[row.who].id, row.id)
    scope: scheduler
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', row.id)
      principalId: principals[row.who].id
      principalType: principals[row.who].type
      description: row.why
    }
  }
]
