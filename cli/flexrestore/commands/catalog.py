"""What can be restored, whereto, and whether the service can do it now."""

from typing import Annotated
from urllib.parse import quote

import typer

from flexrestore import completion
from flexrestore.exits import Exit
from flexrestore.session import Session
from flexrestore.times import instant
from flexrestore.trouble import Trouble
from flexrestore.views.catalog import checks_table, instances_table, points_table, targets_table

Name = Annotated[
    str, typer.Argument(metavar="INSTANCE", help="An alias, a name, or a server.", autocompletion=completion.instances)
]
From = Annotated[
    str | None, typer.Option("--from", metavar="TIME", parser=instant, help="Not before; UTC unless it says otherwise.")
]
To = Annotated[
    str | None, typer.Option("--to", metavar="TIME", parser=instant, help="Not after; UTC unless it says otherwise.")
]


def instances(session: Session) -> None:
    """The flexible servers that the vault protects."""
    found = session.service.get("instances").body
    session.answer(found, instances_table(found.get("instances") or ()))


def points(session: Session, instance: Name, since: From = None, until: To = None) -> None:
    """The recovery points of a server, the newest first."""
    path = f"instances/{quote(instance, safe='')}/recovery-points"
    found = session.service.get(path, query={"from": since, "to": until}).body
    session.answer(found, points_table(found.get("points") or ()))


def targets(session: Session) -> None:
    """The servers that can be restored into."""
    found = session.service.get("targets").body
    session.answer(found, targets_table(found.get("targets") or ()))


def health(session: Session) -> Exit:
    """Whether the service can restore now: tools, vault, storage, each target."""
    try:
        found, code = session.service.get("health", tries=1).body, Exit.OK
    except Trouble as trouble:
        if not trouble.document.get("checks"):
            raise
        found, code = trouble.document, trouble.exit
        session.say(found["detail"], "red")
    session.answer(found, checks_table(found.get("checks") or ()))
    return code
