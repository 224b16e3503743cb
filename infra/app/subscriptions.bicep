// Event Grid's subscriptions for the blob triggers. scripts/post-up runs this once the code is deployed: only then does
// the host have the system key blobs_extension, and an endpoint that answers Event Grid's handshake.
param functionAppName string
param storageName string
param topicName string

// LANDING_CONTAINERS of shared/topology.py; each has a function of its own
var containerNames = ['landing-1', 'landing-2']

resource app 'Microsoft.Web/sites@2024-04-01' existing = {
  name: functionAppName
}

resource storage 'Microsoft.Storage/storageAccounts@2024-01-01' existing = {
  name: storageName
}

resource topic 'Microsoft.EventGrid/systemTopics@2022-06-15' existing = {
  name: topicName
}

resource subscriptions 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2022-06-15' = [
  for containerName in containerNames: {
    parent: topic
    name: containerName
    properties: {
      eventDeliverySchema: 'EventGridSchema'
      destination: {
        endpointType: 'WebHook'
        properties: {
          endpointUrl: 'https://${app.properties.defaultHostName}/runtime/webhooks/blobs?functionName=Host.Functions.file_landed_in_${replace(containerName, '-', '_')}&code=${listKeys('${app.id}/host/default', '2024-04-01').systemKeys.blobs_extension}'
          maxEventsPerBatch: 1
        }
      }
      filter: {
        subjectBeginsWith: '/blobServices/default/containers/${containerName}/'
        includedEventTypes: ['Microsoft.Storage.BlobCreated']
        advancedFilters: [
          {
            // One event for each file: the calls that complete it.
            operatorType: 'StringIn'
            key: 'data.api'
            values: ['PutBlob', 'PutBlockList', 'CopyBlob', 'FlushWithClose']
          }
          {
            operatorType: 'NumberGreaterThan'
            key: 'data.contentLength'
            value: 0
          }
        ]
      }
      retryPolicy: {
        maxDeliveryAttempts: 30
        eventTimeToLiveInMinutes: 1440
      }
      deadLetterWithResourceIdentity: {
        identity: {
          type: 'SystemAssigned'
        }
        deadLetterDestination: {
          endpointType: 'StorageBlob'
          properties: {
            resourceId: storage.id
            blobContainerName: 'undelivered-events'
          }
        }
      }
    }
  }
]
