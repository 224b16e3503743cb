"""The HTTP service: authentication, faults, dispatch, and the headers that every answer has."""

import asyncio
import itertools
import json
import logging

from aiohttp import web
from pydantic import ValidationError

from local.vault import identity
from local.vault.arm import ArmError, Json, not_found
from local.vault.config import VaultConfig
from local.vault.endpoints import Answer, Call, Vault, routes
from local.vault.faults import FaultRequest, Faults, RequestFault
from local.vault.runner import JobRunner
from local.vault.state import State

_log = logging.getLogger(__name__)

_QUOTA = 1999
_SILENCE = 60


def create_app(config: VaultConfig) -> web.Application:
    """The service over the state folder that the configuration names; jobs that were running go on."""
    state, faults = State(config.state), Faults()
    vault = Vault(config, state, faults, JobRunner(config, state, faults))
    vault.runner.resume()
    app = web.Application()
    app.on_response_prepare.append(_drop_extra_headers)
    app.router.add_get("/health", _health)
    app.router.add_get("/msi/token", TokenHandler(config))
    app.router.add_route("*", "/faults", FaultsHandler(faults))
    app.router.add_route("*", "/{path:.*}", ArmHandler(vault))
    return app


async def _drop_extra_headers(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.popall("Server", None)
    if response.content_length == 0:
        response.headers.popall("Content-Type", None)


async def _health(_request: web.Request) -> web.Response:
    return web.Response(text="ready")


class TokenHandler:
    """The managed identity endpoint."""

    def __init__(self, config: VaultConfig) -> None:
        self._config = config

    async def __call__(self, request: web.Request) -> web.Response:
        """A token for the resource that the query names."""
        if not identity.knows_secret(self._config, request.headers.get("X-IDENTITY-HEADER")):
            return web.json_response({"statusCode": 401, "message": "Unauthorized"}, status=401)
        resource = request.query.get("resource")
        if request.query.get("api-version") != "2019-08-01" or not resource:
            return web.json_response({"statusCode": 400, "message": "Invalid api-version or resource"}, status=400)
        return web.json_response(identity.token_body(self._config, resource))


class FaultsHandler:
    """Switches faults on (POST) and off (DELETE)."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    async def __call__(self, request: web.Request) -> web.Response:
        """204, or 400 with what is wrong."""
        if request.method == "DELETE":
            self._faults.clear()
        elif request.method == "POST":
            try:
                self._faults.add(FaultRequest.model_validate_json(await request.read()))
            except ValidationError as error:
                return web.json_response(text=error.json(), status=400)
        else:
            return web.Response(status=405)
        return web.Response(status=204)


class ArmHandler:
    """Azure Resource Manager."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._routes = routes(vault.config)
        self._served = itertools.count()

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        """The answer, or ARM's words for what is wrong."""
        fault = self._vault.faults.for_request(request.path)
        lost = fault.lost if fault else None
        if lost is None or (fault and fault.heard) or lost == "truncated":
            answer = await self._heard(request, None if lost else fault)
            response = web.Response(status=answer.status) if answer.body is None else _json(answer.status, answer.body)
            response.headers.update({**answer.headers, **self._remaining(request)})
        else:
            response = web.Response()
        _log.info("%s %s: %s", request.method, request.path, lost or response.status)
        return response if lost is None else await self._lose(request, response, lost)

    async def _lose(self, request: web.Request, response: web.Response, how: str) -> web.StreamResponse:
        """Have an answer not arrive, or not whole."""
        if how == "silence":
            await asyncio.sleep(_SILENCE)
        cut = web.StreamResponse(status=response.status, headers=response.headers)
        if how == "truncated":
            body = response.body if isinstance(response.body, bytes) else b""
            cut.content_length = len(body) + 1
            await cut.prepare(request)
            await cut.write(body[: len(body) // 2])
            cut.force_close()
        if request.transport is not None:
            request.transport.abort() if how == "reset" else request.transport.close()
        return cut

    async def _heard(self, request: web.Request, fault: RequestFault | None) -> Answer:
        try:
            return await self._answer(request, fault)
        except ArmError as error:
            return Answer(error.status, error.body, error.headers)

    async def _answer(self, request: web.Request, fault: RequestFault | None) -> Answer:
        config = self._vault.config
        if not identity.may_call_arm(config, request.headers.get("Authorization")):
            raise ArmError(
                401,
                "AuthenticationFailed",
                "Authentication failed. The 'Authorization' header is missing or its token is not for this resource.",
                {"WWW-Authenticate": f'Bearer authorization_uri="https://login.windows.net/{config.tenant}"'},
            )
        if fault is not None:
            raise fault.error()
        if not request.query.get("api-version"):
            raise ArmError(
                400,
                "MissingApiVersionParameter",
                "The api-version query parameter (?api-version=) is required for all requests.",
            )
        body = await _body(request)
        for method, pattern, endpoint in self._routes:
            match = pattern.fullmatch(request.path)
            if match is not None and method == request.method:
                call = Call(str(request.url.origin()), request.path, match.groupdict(), request.query, body)
                # In a thread: endpoints read files, and some look into the storage account or the server.
                return await asyncio.to_thread(endpoint, self._vault, call)
        raise not_found(request.path)

    def _remaining(self, request: web.Request) -> dict[str, str]:
        """What is left of ARM's quota, in the header of its kind."""
        kind = "resource-requests" if request.method == "GET" else "writes"
        return {f"x-ms-ratelimit-remaining-subscription-{kind}": str(_QUOTA - next(self._served) % _QUOTA)}


async def _body(request: web.Request) -> object:
    text = await request.text()
    if not text:
        return None
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ArmError(400, "InvalidRequestContent", f"The request content was invalid: {error}.") from error


def _json(status: int, body: Json) -> web.Response:
    return web.json_response(body, status=status)
