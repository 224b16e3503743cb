# Subscribes the blob triggers to the landing account's events, as post-up.sh does where there is a POSIX shell.
$ErrorActionPreference = 'Stop'

foreach ($name in 'AZURE_SUBSCRIPTION_ID', 'AZURE_RESOURCE_GROUP', 'AZURE_FUNCTION_APP_NAME', 'AZURE_STORAGE_ACCOUNT_NAME', 'FLEX_RESTORE_SYSTEM_TOPIC_NAME') {
    if (-not [Environment]::GetEnvironmentVariable($name)) { throw "$name is not set; run this with: azd hooks run postdeploy" }
}
if (-not (Get-Command az -ErrorAction SilentlyContinue)) {
    throw 'The Azure CLI (az) is needed to subscribe the blob triggers: install it, and run: azd hooks run postdeploy'
}
$tries = if ($env:POST_UP_TRIES) { [int]$env:POST_UP_TRIES } else { 30 }
$pause = if ($env:POST_UP_PAUSE) { [int]$env:POST_UP_PAUSE } else { 20 }
$template = Join-Path $PSScriptRoot '../infra/app/subscriptions.bicep'

function Test-Key {
    $keys = az functionapp keys list --subscription $env:AZURE_SUBSCRIPTION_ID --resource-group $env:AZURE_RESOURCE_GROUP `
        --name $env:AZURE_FUNCTION_APP_NAME --output json 2>$null
    if ($LASTEXITCODE -ne 0 -or -not $keys) { return $false }
    return [bool](($keys | Out-String | ConvertFrom-Json).systemKeys.blobs_extension)
}

function Add-Subscription {
    az deployment group create --subscription $env:AZURE_SUBSCRIPTION_ID --resource-group $env:AZURE_RESOURCE_GROUP `
        --name flex-restore-subscriptions --template-file $template `
        --parameters "functionAppName=$env:AZURE_FUNCTION_APP_NAME" "storageName=$env:AZURE_STORAGE_ACCOUNT_NAME" `
        "topicName=$env:FLEX_RESTORE_SYSTEM_TOPIC_NAME" --output none | Out-Null
    return $LASTEXITCODE -eq 0
}

for ($try = 1; $try -le $tries; $try++) {
    if ((Test-Key) -and (Add-Subscription)) {
        Write-Output "The blob triggers are subscribed to the landing account's events."
        exit 0
    }
    Write-Output "The app's host is not ready for Event Grid yet (try $try of $tries); next try in $pause s."
    Start-Sleep -Seconds $pause
}
throw "The blob triggers are not subscribed after $tries tries: see docs/deployment.md, 'The blob triggers do not fire'."
