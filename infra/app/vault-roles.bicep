// The rows of ../roles.json on the backup vault, which may belong to another resource group or subscription.
param vaultName string
param appPrincipalId string

var table = loadJsonContent('../roles.json')
var vaultRows = filter(table, row => row.on == 'vault')

resource vault 'Microsoft.DataProtection/backupVaults@2024-04-01' existing = {
  name: vaultName
}

resource onVault 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for row in vaultRows: {
    name: guid(vault.id, appPrincipalId, row.id)
    scope: vault
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', row.id)
      principalId: appPrincipalId
      principalType: 'ServicePrincipal'
      description: row.why
    }
  }
]
