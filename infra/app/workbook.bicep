param workspaceId string
param location string
param tags object

var questions = [
  {
    title: 'Restores by outcome'
    query: loadTextContent('../queries/restores-by-outcome.kql')
    visualization: 'barchart'
  }
  {
    title: 'How long the phases take'
    query: loadTextContent('../queries/phase-durations.kql')
    visualization: 'table'
  }
  {
    title: 'How long requests wait in the queue'
    query: loadTextContent('../queries/queue-age.kql')
    visualization: 'linechart'
  }
  {
    title: 'What is imported'
    query: loadTextContent('../queries/imported.kql')
    visualization: 'linechart'
  }
  {
    title: 'Failed restores'
    query: loadTextContent('../queries/failed-restores.kql')
    visualization: 'table'
  }
  {
    title: 'Stuck restores'
    query: loadTextContent('../queries/stuck-restores.kql')
    visualization: 'table'
  }
  {
    title: 'Messages that could not be handled'
    query: loadTextContent('../queries/poison-messages.kql')
    visualization: 'table'
  }
]
var queryItems = map(questions, question => {
  type: 3
  content: {
    version: 'KqlItem/1.0'
    title: question.title
    query: question.query
    size: 0
    timeContextFromParameter: 'time'
    queryType: 0
    resourceType: 'microsoft.operationalinsights/workspaces'
    visualization: question.visualization
  }
})
var timeItem = {
  type: 9
  content: {
    version: 'KqlParameterItem/1.0'
    parameters: [
      {
        version: 'KqlParameterItem/1.0'
        name: 'time'
        label: 'Time'
        type: 4
        isRequired: true
        value: {
          durationMs: 604800000
        }
        typeSettings: {
          selectableValues: [
            {
              durationMs: 86400000
            }
            {
              durationMs: 604800000
            }
            {
              durationMs: 2592000000
            }
          ]
        }
      }
    ]
  }
}

resource workbook 'Microsoft.Insights/workbooks@2022-04-01' = {
  name: guid(resourceGroup().id, 'flex-restore')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'Flex Restore'
    category: 'workbook'
    sourceId: workspaceId
    version: '1.0'
    serializedData: string({
      version: 'Notebook/1.0'
      items: concat([timeItem], queryItems)
      fallbackResourceIds: [workspaceId]
    })
  }
}
