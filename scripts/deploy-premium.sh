#!/bin/sh
# Deploys the package to the Premium plan, which runs it from the app's storage: `azd deploy` cannot put it there.
# After `azd provision`, run it with the environment's values: azd env exec sh scripts/deploy-premium.sh
set -eu

: "${AZURE_SUBSCRIPTION_ID:?run this with: azd env exec sh scripts/deploy-premium.sh}"
: "${AZURE_RESOURCE_GROUP:?run this with: azd env exec sh scripts/deploy-premium.sh}"
: "${AZURE_FUNCTION_APP_NAME:?run this with: azd env exec sh scripts/deploy-premium.sh}"
: "${AZURE_STORAGE_ACCOUNT_NAME:?run this with: azd env exec sh scripts/deploy-premium.sh}"

cd "$(dirname "$0")/.."
make package ZIP=.local/flex-restore.zip
az storage blob upload --auth-mode login --account-name "$AZURE_STORAGE_ACCOUNT_NAME" --container-name app-package \
    --name flex-restore.zip --file .local/flex-restore.zip --overwrite --output none
az functionapp restart --subscription "$AZURE_SUBSCRIPTION_ID" --resource-group "$AZURE_RESOURCE_GROUP" \
    --name "$AZURE_FUNCTION_APP_NAME"
sh scripts/post-up.sh
