// The backup vault as it stands; it may belong to another resource group or subscription.
param name string

resource vault 'Microsoft.DataProtection/backupVaults@2024-04-01' existing = {
  name: name
}

output location string = vault.location
output principalId string = vault.identity.principalId
