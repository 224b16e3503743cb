"""The well-known patterns of Durable Functions in one app of blueprints, after the samples that the SDK ships."""

# mypy: disable-error-code="import-not-found"
# An app's folder is on the path when it runs.

import azure.functions as func
import chaining
import fan_out
import monitor
import starter
import verification
import versions

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
for module in (starter, chaining, fan_out, verification, monitor, versions):
    app.register_functions(module.bp)
