param actionGroupName string
param workspaceId string
@description('Empty: nobody is mailed.')
param email string
param location string
param tags object

// The same questions as in the workbook; each row that a query answers is a reason for the alert.
var rules = [
  {
    name: 'failed-restores'
    title: 'Restores failed'
    severity: 1
    query: loadTextContent('../queries/failed-restores.kql')
  }
  {
    name: 'stuck-restores'
    title: 'Restores are stuck'
    severity: 2
    query: loadTextContent('../queries/stuck-restores.kql')
  }
  {
    name: 'poison-messages'
    title: 'Messages could not be handled'
    severity: 2
    query: loadTextContent('../queries/poison-messages.kql')
  }
]

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(email)) {
  name: actionGroupName
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'flexrestore'
    enabled: true
    emailReceivers: [
      {
        name: 'operator'
        emailAddress: email
        useCommonAlertSchema: true
      }
    ]
  }
}

resource alerts 'Microsoft.Insights/scheduledQueryRules@2022-06-15' = [
  for rule in rules: {
    name: 'flex-restore-${rule.name}'
    location: location
    tags: tags
    properties: {
      displayName: 'Flex Restore: ${rule.title}'
      severity: rule.severity
      enabled: true
      scopes: [workspaceId]
      evaluationFrequency: 'PT15M'
      windowSize: 'PT15M'
      // Each row is news: an alert that waits to be resolved would keep quiet about the next restore that fails.
      autoMitigate: false
      // The tables come with the first telemetry.
      skipQueryValidation: true
      criteria: {
        allOf: [
          {
            query: rule.query
            timeAggregation: 'Count'
            operator: 'GreaterThan'
            threshold: 0
            failingPeriods: {
              numberOfEvaluationPeriods: 1
              minFailingPeriodsToAlert: 1
            }
          }
        ]
      }
      actions: {
        actionGroups: empty(email) ? [] : [people.id]
      }
    }
  }
]
