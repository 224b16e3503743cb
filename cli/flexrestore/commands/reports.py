"""Reports: on the terminal, as a page, as JSON."""

from pathlib import Path
from typing import Annotated

import typer

from flexrestore.commands.restores import Id
from flexrestore.session import Session
from flexrestore.views.report import report_view
from flexrestore.waiting import address


def report(
    session: Session,
    request_id: Id,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write the readable page there.", dir_okay=False)
    ] = None,
) -> None:
    """What was restored, from when, into what, and what is different from the source."""
    if html is not None:
        page = session.service.page(f"{address(request_id)}/report.html")
        try:
            html.write_bytes(page)
        except OSError as error:
            raise typer.BadParameter(f"{html}: {error.strerror}.") from None
        session.say(f"The page is in {html}")
        if not session.settings.as_json:
            return
    found = session.service.get(f"{address(request_id)}/report").body
    session.answer(found, report_view(found))
