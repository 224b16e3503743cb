"""Starts any of the orchestrations by HTTP; the body is its input."""

# mypy: disable-error-code="untyped-decorator,no-any-return"
# The durable SDK ships no types.

import azure.durable_functions as df
import azure.functions as func

bp = df.Blueprint()


@bp.route("orchestrators/{name}", methods=["POST"])
@bp.durable_client_input(client_name="client")
async def start(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    instance_id = await client.start_new(
        req.route_params["name"], client_input=req.get_json(), version=req.params.get("version")
    )
    return client.create_check_status_response(req, instance_id)
