"""The restore request of a command line: what is not said is not sent, for its defaults are the service's."""

import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal
from uuid import uuid4

import typer

from flexrestore import completion
from flexrestore.times import instant
from flexrestore.trouble import Json

REQUEST_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$"
"""As the service has it."""
_STDIN = "-"
_WHAT, _HOW, _WHO = "What is restored", "How", "Who and why"


def usable_id(text: str) -> str:
    """A request id as it can be; scripts whose variable is empty hear of it.

    Raises:
        typer.BadParameter: it cannot be one.
    """
    if not re.fullmatch(REQUEST_ID, text):
        raise typer.BadParameter(f"{text!r} is no request id: letters, digits, '.', '_', '-', at most 80.")
    return text


@dataclass(frozen=True)
class Asked:
    """The options of a restore."""

    instance: Annotated[
        str | None,
        typer.Argument(
            metavar="INSTANCE",
            help="The backup instance: its alias, its name, its ARM id, or its server.",
            autocompletion=completion.instances,
            show_default=False,
        ),
    ] = None
    container: Annotated[
        str | None,
        typer.Option(help="Instead of INSTANCE: the container where files have landed.", rich_help_panel=_WHAT),
    ] = None
    backup_name: Annotated[
        str | None,
        typer.Option(help="With --container: what stands before _database_ in their names.", rich_help_panel=_WHAT),
    ] = None
    point: Annotated[
        str | None,
        typer.Option(metavar="latest|ID", help="The recovery point; else the latest.", rich_help_panel=_WHAT),
    ] = None
    at_or_before: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            parser=instant,
            help="The newest point not after: 2026-11-25T01:05Z; UTC unless it says otherwise.",
            rich_help_panel=_WHAT,
        ),
    ] = None
    target: Annotated[
        str | None,
        typer.Option(
            "--target",
            metavar="ALIAS",
            help="The server to restore into; needed.",
            autocompletion=completion.targets,
            rich_help_panel=_WHAT,
        ),
    ] = None
    database: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[=AS]",
            help="A database or a pattern, and the name it gets; repeatable; else all.",
            rich_help_panel=_WHAT,
        ),
    ] = None
    exclude: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A database or a pattern to leave out; repeatable.", rich_help_panel=_WHAT),
    ] = None
    file: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="A request as JSON, - for standard input; options win over it.", rich_help_panel=_WHAT
        ),
    ] = None
    on_conflict: Annotated[
        Literal["fail", "skip", "replace"] | None,
        typer.Option(help="When a database's name is taken; else fail.", rich_help_panel=_HOW),
    ] = None
    roles: Annotated[
        Literal["none", "missing", "all"] | None,
        typer.Option(help="Which roles of the backup are brought; else missing.", rich_help_panel=_HOW),
    ] = None
    owners: Annotated[
        Literal["keep", "drop"] | None, typer.Option(help="Owners of objects; else keep.", rich_help_panel=_HOW)
    ] = None
    grants: Annotated[
        Literal["keep", "drop"] | None, typer.Option(help="Granted rights; else keep.", rich_help_panel=_HOW)
    ] = None
    schema_only: Annotated[
        bool, typer.Option("--schema-only", help="Definitions without rows.", rich_help_panel=_HOW)
    ] = False
    mode: Annotated[
        Literal["full", "files-only", "import-only"] | None,
        typer.Option(help="How much is made; else full, import-only with --container.", rich_help_panel=_HOW),
    ] = None
    approval: Annotated[
        Literal["required"] | None,
        typer.Option(help="Somebody must approve the plan, also where the target asks for none.", rich_help_panel=_HOW),
    ] = None
    priority: Annotated[
        Literal["low", "normal", "high"] | None,
        typer.Option(help="Who gets the next free landing container; else normal.", rich_help_panel=_HOW),
    ] = None
    reason: Annotated[str | None, typer.Option(help="Why, for approvers and auditors.", rich_help_panel=_WHO)] = None
    ticket: Annotated[str | None, typer.Option(help="What your tickets call it.", rich_help_panel=_WHO)] = None
    notify: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WEBHOOK", help="A webhook of the service that gets the events; repeatable.", rich_help_panel=_WHO
        ),
    ] = None
    request_id: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            parser=usable_id,
            help="Names the restore; sent twice it is one restore; else source, time, four signs.",
            rich_help_panel=_WHO,
        ),
    ] = None


def request_of(asked: Asked, user: Callable[[], str], now: datetime) -> Json:
    """The request: the file's fields, and above them those of the options.

    Raises:
        typer.BadParameter: the options contradict each other, name no source or target, or the file holds no request.
    """
    request = {"version": "1", **_file(asked.file), **_options(asked)}
    if source := _source(asked):
        request["source"] = source
    if not request.get("source"):
        raise typer.BadParameter("say what to restore: an INSTANCE, or --container and --backup-name.")
    if not request.get("target"):
        raise typer.BadParameter("say whereto: --target.")
    request.setdefault("requestId", readable_id(request["source"], now))
    if not request.get("requestedBy"):
        request["requestedBy"] = user()
    return request


def readable_id(source: object, now: datetime) -> str:
    """A request id that a person can read aloud: `orders-20261125-010530-7f3a`."""
    named = source if isinstance(source, dict) else {}
    name = str(named.get("backupInstance") or named.get("container") or "restore").rstrip("/").rsplit("/", 1)[-1]
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("._-")[:50] or "restore"
    return f"{name}-{now:%Y%m%d-%H%M%S}-{uuid4().hex[:4]}"


def _options(asked: Asked) -> Json:
    """What the options say, by the request's names."""
    said = {
        "target": asked.target,
        "databases": [_choice(text) for text in asked.database or ()],
        "exclude": asked.exclude,
        "onConflict": asked.on_conflict,
        "roles": asked.roles,
        "owners": asked.owners,
        "grants": asked.grants,
        "schemaOnly": asked.schema_only,
        "mode": asked.mode,
        "approval": asked.approval,
        "priority": asked.priority,
        "reason": asked.reason,
        "ticket": asked.ticket,
        "notify": asked.notify,
        "requestId": asked.request_id,
    }
    return {name: value for name, value in said.items() if value}


def _choice(text: str) -> Json | str:
    """`NAME` or `NAME=AS`. A name that holds an equals sign needs a file."""
    name, sign, final = text.partition("=")
    return {"name": name, "as": final} if sign else name


def _source(asked: Asked) -> Json:
    """The source that the options name; empty when they name none."""
    backup = {
        "backupInstance": asked.instance,
        "recoveryPoint": asked.point,
        "atOrBefore": asked.at_or_before,
    }
    files = {"container": asked.container, "backupName": asked.backup_name}
    if any(backup.values()) and any(files.values()):
        raise typer.BadParameter("INSTANCE and its point, or --container and --backup-name; not both.")
    if asked.point and asked.at_or_before:
        raise typer.BadParameter("--point or --at-or-before, not both.")
    if any(backup.values()) and not asked.instance:
        raise typer.BadParameter("a point needs its INSTANCE.")
    if any(files.values()) and not all(files.values()):
        raise typer.BadParameter("--container and --backup-name belong together.")
    return {name: value for name, value in {**backup, **files}.items() if value}


def _file(name: str | None) -> Json:
    """The request in a file, or on standard input."""
    if name is None:
        return {}
    try:
        text = sys.stdin.read() if name == _STDIN else Path(name).read_text("utf-8")
        request = json.loads(text)
    except OSError as error:
        raise typer.BadParameter(f"--file {name}: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise typer.BadParameter(f"--file {name} holds no JSON: {error}") from None
    if not isinstance(request, dict):
        raise typer.BadParameter(f"--file {name} holds no JSON object.")
    return request
