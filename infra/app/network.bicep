param name string
param location string
param tags object
@description('The plan, which says to what the subnet is delegated.')
param hosting string
param addressPrefix string = '10.71.0.0/24'
param subnetPrefix string = '10.71.0.0/26'

resource network 'Microsoft.Network/virtualNetworks@2024-01-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    addressSpace: {
      addressPrefixes: [addressPrefix]
    }
    subnets: [
      {
        name: 'app'
        properties: {
          addressPrefix: subnetPrefix
          delegations: [
            {
              name: 'app'
              properties: {
                serviceName: hosting == 'flex' ? 'Microsoft.App/environments' : 'Microsoft.Web/serverFarms'
              }
            }
          ]
        }
      }
    ]
  }
}

output subnetId string = '${network.id}/subnets/app'
