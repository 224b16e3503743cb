"""The request in words: every field, also those that were left at their defaults."""

import json
from collections.abc import Callable, Iterable
from typing import Any

from shared.contracts.report import RequestField
from shared.contracts.request import DatabaseChoice, FilesSource, RestoreRequest, read_request
from shared.errors import RequestRejected
from shared.figures import moment

_LABELS = {
    "version": "Version of the contract",
    "request_id": "Request id",
    "source": "Source",
    "target": "Target server",
    "mode": "How much is made",
    "databases": "Databases",
    "exclude": "Left out",
    "on_conflict": "When a name is taken",
    "roles": "Roles",
    "owners": "Owners",
    "grants": "Grants",
    "schema_only": "Rows",
    "schema_file": "Schema file",
    "tablespaces": "Tablespaces file",
    "dry_run": "Dry run",
    "approval": "Approval",
    "priority": "Priority",
    "requested_by": "Requested by",
    "reason": "Reason",
    "ticket": "Ticket",
    "notify": "Webhooks",
}

_CHOICES: dict[str, dict[Any, str]] = {
    "mode": {
        "full": "full: the vault restores files, and they are imported",
        "files-only": "files only: the vault restores files, and they stay in their landing container",
        "import-only": "import only: files that have landed already are imported",
    },
    "on_conflict": {
        "fail": "fail: a database whose name is taken on the target is not imported",
        "skip": "skip: the database on the target stays, the one in the backup is not imported",
        "replace": "replace: the database on the target makes way once the new one is verified",
    },
    "roles": {
        "none": "none of the backup's roles are imported",
        "missing": "those that the target lacks are created; those that exist stay as they are",
        "all": "those that the target lacks are created; those that exist get the backup's attributes",
    },
    "owners": {"keep": "objects keep their owners", "drop": "the import's user owns all objects"},
    "grants": {"keep": "granted rights are kept", "drop": "granted rights are left out"},
    "schema_only": {False: "definitions and rows", True: "definitions only, no rows"},
    "schema_file": {"skip": "not run", "import": "run after the databases"},
    "tablespaces": {"skip": "not run", "import": "run after the databases"},
    "dry_run": {False: "no", True: "yes: only the plan was asked for"},
    "approval": {"as-configured": "as configured for the target server", "required": "required by the request"},
}


def in_words(request: dict[str, Any]) -> tuple[RequestField, ...]:
    """Every field of a request; of one that is no request, what it says."""
    try:
        asked = read_request(request)
    except RequestRejected:
        return tuple(
            RequestField(name=name, label=name, value=_plain(value), given=True) for name, value in request.items()
        )
    fields = RestoreRequest.model_fields
    return tuple(
        RequestField(
            name=field.alias or name,
            label=_LABELS.get(name, field.alias or name),
            value=_value(asked, name),
            given=name in request or field.alias in request,
        )
        for name, field in fields.items()
    )


def _value(request: RestoreRequest, name: str) -> str:
    value = getattr(request, name)
    if name in _CHOICES:
        return _CHOICES[name].get(value, str(value))
    return _WORDS.get(name, str)(value) or "not said"


def _source(source: Any) -> str:
    if isinstance(source, FilesSource):
        return f"the files of backup {source.backup_name} that lie in {source.container}"
    if source.at_or_before is not None:
        point = f"its newest recovery point not after {moment(source.at_or_before)}"
    elif source.recovery_point == "latest":
        point = "its latest recovery point"
    else:
        point = f"its recovery point {source.recovery_point}"
    return f"backup instance {source.backup_instance}, {point}"


def _databases(choices: tuple[DatabaseChoice, ...]) -> str:
    if choices == (DatabaseChoice(name="*"),):
        return "all"
    return _names(
        choice.name if choice.final_name is None else f"{choice.name} as {choice.final_name}" for choice in choices
    )


def _names(names: Iterable[str]) -> str:
    return "; ".join(names)


_WORDS: dict[str, Callable[[Any], str]] = {
    "source": _source,
    "databases": _databases,
    "exclude": lambda names: _names(names) or "none",
    "notify": lambda names: _names(names) or "none of this request's own",
}


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
