"""Reading what comes from outside: every error of it at once, each with its path."""

from typing import Any

from pydantic import ValidationError

from shared.contracts.base import Contract
from shared.errors import RequestRejected


def read[C: Contract](model: type[C], data: Any, what: str) -> C:
    """The contract that the decoded JSON holds; `what` names it for people.

    Raises:
        RequestRejected: with every error and its path in `details`.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        findings = [f"{_path(item['loc'])}: {_reason(item)}" for item in error.errors(include_url=False)]
        raise RequestRejected(
            f"{what} has {len(findings)} error(s); correct them and send it again.", details=findings
        ) from None


def _path(location: tuple[int | str, ...]) -> str:
    """`databases[0].name`; the tags of the union are the model's business."""
    path = ""
    for index, part in enumerate(location):
        if index == 1 and location[0] == "source" and part in {"backup", "files"}:
            continue
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path or "(the whole message)"


def _reason(item: Any) -> str:
    match item["type"]:
        case "missing":
            return "is missing"
        case "extra_forbidden":
            return "is not a field of this contract"
        case "model_type" | "model_attributes_type" | "dict_type":
            return "must be a JSON object"
        case _:
            return str(item["msg"]).removeprefix("Value error, ")
