#!/bin/sh
# Subscribes the blob triggers to the landing account's events. `azd deploy` runs this: the key that the subscriptions
# carry, blobs_extension, is made by the host once it has read the deployed code, which takes minutes at times.
# It can be run again at any time: `azd hooks run postdeploy`.
set -eu

: "${AZURE_SUBSCRIPTION_ID:?run this with: azd hooks run postdeploy}"
: "${AZURE_RESOURCE_GROUP:?run this with: azd hooks run postdeploy}"
: "${AZURE_FUNCTION_APP_NAME:?run this with: azd hooks run postdeploy}"
: "${AZURE_STORAGE_ACCOUNT_NAME:?run this with: azd hooks run postdeploy}"
: "${FLEX_RESTORE_SYSTEM_TOPIC_NAME:?run this with: azd hooks run postdeploy}"
tries=${POST_UP_TRIES:-30}
pause=${POST_UP_PAUSE:-20}

command -v az > /dev/null || {
    echo "The Azure CLI (az) is needed to subscribe the blob triggers: install it, and run: azd hooks run postdeploy" >&2
    exit 1
}

has_key() {
    key=$(az functionapp keys list --subscription "$AZURE_SUBSCRIPTION_ID" --resource-group "$AZURE_RESOURCE_GROUP" \
        --name "$AZURE_FUNCTION_APP_NAME" --query systemKeys.blobs_extension --output tsv 2> /dev/null) || return 1
    [ -n "$key" ] && [ "$key" != None ]
}

subscribe() {
    az deployment group create --subscription "$AZURE_SUBSCRIPTION_ID" --resource-group "$AZURE_RESOURCE_GROUP" \
        --name flex-restore-subscriptions --template-file "$(dirname "$0")/../infra/app/subscriptions.bicep" \
        --parameters "functionAppName=$AZURE_FUNCTION_APP_NAME" "storageName=$AZURE_STORAGE_ACCOUNT_NAME" \
        "topicName=$FLEX_RESTORE_SYSTEM_TOPIC_NAME" --output none
}

try=1
until has_key && subscribe; do
    if [ "$try" -ge "$tries" ]; then
        echo "The blob triggers are not subscribed after $try tries: see docs/deployment.md, 'The blob triggers do not fire'." >&2
        exit 1
    fi
    echo "The app's host is not ready for Event Grid yet (try $try of $tries); next try in $pause s."
    try=$((try + 1))
    sleep "$pause"
done
echo "The blob triggers are subscribed to the landing account's events."
