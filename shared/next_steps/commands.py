"""Commands that a person can copy: SQL, shell, requests. What only a person knows stands in them as `<…>`.

No command does anything before that is filled in: neither SQL nor a shell nor the API takes `<…>`.
"""

import json
import shlex
from collections.abc import Iterable

from shared.contracts.base import Json
from shared.contracts.report import Command, FileReport, Report
from shared.figures import visible_name
from shared.postgres.script import quote_identifier


def sql(lines: Iterable[str], database: str = "") -> Command:
    """Statements for psql."""
    return Command(text="\n".join(lines), language="sql", database=database)


def shell(*lines: str) -> Command:
    """Commands for a shell."""
    return Command(text="\n".join(lines), language="shell")


def request(content: Json) -> Command:
    """A restore request."""
    return Command(text=json.dumps(content, indent=2, ensure_ascii=False), language="json")


def sql_name(name: str) -> str:
    r"""The name as SQL, quoted; as `U&"…"` where it holds characters that do not show, so that it can be copied."""
    if name and visible_name(name) == name:
        return quote_identifier(name)
    return 'U&"' + "".join(map(_escaped, name)) + '"'


def _escaped(sign: str) -> str:
    if sign in {'"', "\\"}:
        return sign * 2
    if visible_name(sign) == sign:
        return sign
    return f"\\{ord(sign):04X}" if ord(sign) < 0x10000 else f"\\+{ord(sign):06X}"


def show_job(report: Report) -> list[Command]:
    """How to look at the backup job, where there is one."""
    instance = report.plan.instance if report.plan else None
    if instance is None or not report.job:
        return []
    options = {
        "--subscription": instance.subscription,
        "--resource-group": instance.resource_group,
        "--vault-name": instance.vault,
        "--job-id": report.job,
    }
    return [shell(f"az dataprotection job show {options_of(options)}")]


def options_of(options: dict[str, str]) -> str:
    """Options of a command, their values quoted for a shell."""
    return " ".join(f"{name} {shlex.quote(value)}" for name, value in options.items())


def request_for_files(report: Report, files: Iterable[FileReport], **changes: str) -> list[Command]:
    """The request that imports these databases from the files that were left; with none, those that were asked for."""
    if report.landing is None:
        return []
    databases = [_choice(file) for file in files]
    return [
        request_again(
            report,
            source={"container": report.landing.container, "backupName": report.landing.backup_name},
            **({"databases": databases} if databases else {}),
            **changes,
        )
    ]


def _choice(file: FileReport) -> str | Json:
    database, final_name = file.file.database, file.file.final_name
    return database if final_name in {"", database} else {"name": database, "as": final_name}


def request_again(report: Report, **changes: object) -> Command:
    """The request of this restore once more, as one of its own."""
    once = {"dryRun", "dry_run", "request_id", *(["mode"] if "source" in changes else [])}
    kept = {name: value for name, value in report.request.items() if name not in once}
    return request({**kept, "requestId": "<a new id>", **changes})
