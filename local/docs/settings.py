"""The settings reference: tables of docs/settings.md that are made from the settings' model."""

import json
from typing import Any

from pydantic import BaseModel

from local.docs.pages import filled
from shared.settings import Check, Settings, Target


def written(page: str) -> str:
    """The page with its tables as the models are now."""
    for model, prefix in ((Settings, "FLEX_RESTORE_"), (Target, ""), (Check, "")):
        page = filled(page, f"made from the model by `make docs`: {model.__name__}", _table(model, prefix))
    return page


def _table(model: type[BaseModel], prefix: str) -> list[str]:
    schema = model.model_json_schema(by_alias=True)
    required = schema.get("required", [])
    rows = ["| setting | value | default | meaning |", "| --- | --- | --- | --- |"]
    for name, field in schema["properties"].items():
        if name.isupper():  # the platform's own, under its own name
            continue
        shown = f"{prefix}{name.upper()}" if prefix else name
        default = "needed" if name in required else _default(field.get("default"))
        rows.append(f"| `{shown}` | {_form(field, schema)} | {default} | {_meaning(field)} |")
    return rows


def _form(field: dict[str, Any], schema: dict[str, Any]) -> str:
    """What kind of value a setting takes."""
    kinds = field.get("anyOf", [field])
    if any(kind.get("format") == "password" for kind in kinds):
        return "text, secret"
    if choices := field.get("enum"):
        return ", ".join(f"`{choice}`" for choice in choices)
    kind = next(kind for kind in kinds if kind.get("type") != "null")
    if "$ref" in kind:
        kind = schema["$defs"][kind["$ref"].rsplit("/", 1)[-1]]
    if kind["type"] in {"integer", "number"}:
        return f"{'whole ' if kind['type'] == 'integer' else ''}number{_limits(field)}"
    return {"string": "text", "boolean": "`true` or `false`", "object": "JSON object", "array": "JSON list"}[
        kind["type"]
    ]


def _limits(field: dict[str, Any]) -> str:
    least, above, most = (field.get(key) for key in ("minimum", "exclusiveMinimum", "maximum"))
    lower = f"above {above:g}" if above is not None else f"from {least:g}" if least is not None else ""
    upper = f"to {most:g}" if most is not None else ""
    limits = " ".join(filter(None, (lower, upper)))
    return f", {limits}" if limits else ""


def _default(value: Any) -> str:
    return "none" if value in (None, "") else f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _meaning(field: dict[str, Any]) -> str:
    return " ".join(field["description"].split()).replace("|", "\\|")
