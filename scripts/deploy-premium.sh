#!/bin/sh
# Deploys the package to the Premium plan, which runs it from the app's storage: `azd deploy` cannot put it there.
# Run it after `azd provision`, which gives the values that it takes from azd's environment.
set -eu

eval "$(azd env get-values | sed 's/^/export /')"
: "${AZURE_SUBSCRIPTION_ID:?run azd provision first}"
: "${AZURE_RESOURCE_GROUP:?run azd provision first}"
: "${AZURE_FUNCTION_APP_NAME:?run azd provision first}"
: "${AZURE_STORAGE_ACCOUNT_NAME:?run azd provision first}"

cd "$(dirname "$0")/.."
make package ZIP=.local/flex-restore.zip
az storage blob upload --auth-mode login --account-name "$AZURE_STORAGE_ACCOUNT_NAME" --container-name app-package \
    --name flex-restore.zip --file .local/flex-restore.zip --overwrite --output none
az functionapp restart --subscription "$AZURE_SUBSCRIPTION_ID" --resource-group "$AZURE_RESOURCE_GROUP" \
    --name "$AZURE_FUNCTION_APP_NAME"
sh scripts/post-up.sh
