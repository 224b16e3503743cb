"""The OpenAPI 3.1 document of the API, made from the table of endpoints and the contracts."""

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Literal

import azure.functions as func
from pydantic.json_schema import models_json_schema

from shared.contracts.api import Problem
from shared.contracts.base import Contract, Json
from shared.contracts.request import REQUEST_ID_PATTERN
from triggers.http.answers import PROBLEM, PROTECTION
from triggers.http.endpoints import ENDPOINTS, Content, Endpoint

type _Use = tuple[type[Contract], Literal["validation", "serialization"]]

_REF = "#/components/schemas/{model}"
_PARAMETERS: dict[str, Json] = {
    "requestId": {"type": "string", "pattern": REQUEST_ID_PATTERN, "description": "The restore's name."},
    "instance": {
        "type": "string",
        "pattern": "^[A-Za-z0-9._~-]+$",
        "description": "An alias, a backup instance's name, or a server.",
    },
}
_ALWAYS = {
    401: "The key is missing or wrong, or nobody is signed in.",
    403: "The caller's app roles do not cover this, or a page of another site has sent it.",
    500: "A setting is missing, or a defect.",
}
_NO_JSON = {415: "The body is not said to be JSON."}
_SCHEMES: dict[str, Json] = {
    "functionKey": {"type": "apiKey", "in": "header", "name": "x-functions-key"},
    "entra": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A token of Microsoft Entra for this app, with the app roles that a call names.",
    },
}


async def get_openapi(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 -- the worker passes it by name
    """The API's own description."""
    return func.HttpResponse(json.dumps(document()), headers=PROTECTION, mimetype="application/json")


@lru_cache(maxsize=1)
def document() -> Json:
    """The document; its `servers` is the folder that it is served from."""
    references, schemas = models_json_schema(sorted(set(_uses()), key=str), ref_template=_REF)
    paths: dict[str, Json] = {}
    for endpoint in ENDPOINTS:
        paths.setdefault(f"/{endpoint.route}", {})[endpoint.method.lower()] = _operation(endpoint, references)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Flex Restore",
            "version": "1",
            "description": "Restores of Azure Database for PostgreSQL flexible servers.",
        },
        "servers": [{"url": "."}],
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": _SCHEMES,
        },
    }


def _uses() -> Iterator[_Use]:
    """The contracts, each with the direction in which it travels."""
    yield Problem, "serialization"
    for endpoint in ENDPOINTS:
        if endpoint.body is not None:
            yield endpoint.body, "validation"
        for content in endpoint.answers.values():
            if not isinstance(content, str):
                yield content, "serialization"


def _operation(endpoint: Endpoint, references: Any) -> Json:
    operation: Json = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "tags": list(endpoint.tags),
        "parameters": [*_path_parameters(endpoint), *_query_parameters(endpoint)],
        "responses": {
            **{str(status): _answer(status, content, references) for status, content in endpoint.answers.items()},
            **{str(status): _problem(status, references) for status in endpoint.problems},
            **{str(status): {"description": text} for status, text in _always(endpoint).items()},
        },
        "security": [{"functionKey": []}, {"entra": [endpoint.needs.value]}],
    }
    if endpoint.method == "GET":
        operation["responses"]["304"] = {"description": "What If-None-Match names is still right."}
    if endpoint.body is not None:
        schema = references[endpoint.body, "validation"]
        content = {"application/json": {"schema": schema}}
        operation["requestBody"] = {"required": endpoint.needs_body, "content": content}
    return operation


def _always(endpoint: Endpoint) -> dict[int, str]:
    return _ALWAYS if endpoint.method == "GET" else {**_ALWAYS, **_NO_JSON}


def _path_parameters(endpoint: Endpoint) -> Iterator[Json]:
    for name in re.findall(r"{(\w+)}", endpoint.route):
        schema = dict(_PARAMETERS[name])
        yield {"name": name, "in": "path", "required": True, "description": schema.pop("description"), "schema": schema}


def _query_parameters(endpoint: Endpoint) -> Iterator[Json]:
    if endpoint.query is None:
        return
    schema = endpoint.query.model_json_schema(by_alias=True)
    for name, found in schema["properties"].items():
        about = _plain(found, schema.get("$defs", {}))
        parameter = {"name": name, "in": "query", "description": about.pop("description", ""), "schema": about}
        if about.get("type") == "array":
            parameter |= {"style": "form", "explode": False}
        yield parameter


def _plain(found: Json, definitions: Json) -> Json:
    """A parameter's schema without null, which a query cannot say, and without references."""
    choice = next((one for one in found.get("anyOf", []) if one.get("type") != "null"), found)
    plain = {**found, **choice}
    for name in ("anyOf", "title", "default"):
        plain.pop(name, None)
    if "items" in plain and "$ref" in plain["items"]:
        plain["items"] = definitions[plain["items"]["$ref"].rpartition("/")[2]]
    return plain


def _answer(status: int, content: Content, references: Any) -> Json:
    if isinstance(content, str):
        media = {content: {"schema": {"type": "string"}}}
    else:
        media = {"application/json": {"schema": references[content, "serialization"]}}
    return {"description": HTTPStatus(status).phrase, "content": media}


def _problem(status: int, references: Any) -> Json:
    schema = references[Problem, "serialization"]
    return {"description": HTTPStatus(status).phrase, "content": {PROBLEM: {"schema": schema}}}
