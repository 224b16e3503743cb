"""Steps about what failed: mend the cause, then try again."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

from shared.contracts.outcome import Failure
from shared.contracts.progress import RETRIED
from shared.contracts.report import Command, FileReport, Report, Step, StepKind, Who
from shared.figures import listed
from shared.next_steps.commands import options_of, request_for_files, shell, show_job, sql
from shared.next_steps.facts import missing, name_of, names
from shared.postgres.temporary import LoadKey

NOT_DROPPED = "temporary database could not be dropped"
"""What the reason of a failed file says when its temporary database is still there."""

_FLEXIBLE_SERVER = ".postgres.database.azure.com"
_EXTENSION = re.compile(r'extension "(?P<name>.*)" is (?P<why>not available|not allow-listed)\b[^"]*', re.DOTALL)
_ALLOWED = re.compile(r"--name azure\.extensions --value (?P<names>\S+)")

MEND: dict[str, tuple[Who, str]] = {
    "ApprovalDenied": (Who.REQUESTER, "Ask who rejected it, then send the request under another id."),
    "BackupJobFailed": (Who.BACKUP_ADMIN, "Look at the backup job; another recovery point may be sound."),
    "Conflict": (Who.REQUESTER, "Look where the restore stands: what you asked for does not fit there."),
    "DatasourceBusy": (Who.REQUESTER, "Send the request again when the job that the message names has ended."),
    "DatabaseExists": (
        Who.DATABASE_ADMIN,
        (
            "Rename or drop the database that has the name and retry, or send the request below: it keeps the standing"
            " database until the new one is verified, then drops it. With 'as' the new one gets another name."
        ),
    ),
    "DeadlinePassed": (
        Who.OPERATOR,
        (
            "Find out what took so long. The deadlines are app settings: FLEX_RESTORE_LOAD_TIMEOUT_MINUTES,"
            " FLEX_RESTORE_JOB_DEADLINE_HOURS, FLEX_RESTORE_LANDING_DEADLINE_HOURS."
        ),
    ),
    "FileChanged": (Who.OPERATOR, "Find out who else writes into the landing container, then retry."),
    "ImportFailed": (
        Who.DATABASE_ADMIN,
        (
            "The details name each statement that failed, the log holds all that the tools said. Mend the cause on the"
            " target server, or on the source before another backup."
        ),
    ),
    "InternalError": (Who.OPERATOR, "This is a defect of Flex Restore: report it with the request id and the message."),
    "LandingFailed": (Who.OPERATOR, "Look at the landing container and at the app settings that name it."),
    "Misconfigured": (Who.OPERATOR, "Correct the app settings that the message names."),
    "NotAllowed": (Who.OPERATOR, "Give who calls the app role that the message names, or have somebody else do it."),
    "NotSignedIn": (Who.REQUESTER, "Sign in, or send the function key."),
    "NotFound": (Who.REQUESTER, "Look at the name or the id that you gave."),
    "OperationGone": (Who.BACKUP_ADMIN, "Look in the vault for what became of it, then send the request again."),
    "PreflightFailed": (Who.OPERATOR, "Run the command that each finding brings, then send the request again."),
    "RequestRejected": (Who.REQUESTER, "Correct what the details name, and send the request again under its id."),
    "RestoreCancelled": (Who.REQUESTER, "Send a new request if the databases are still wanted."),
    "RestoreEnded": (Who.REQUESTER, "Send a new request if the databases are still wanted."),
    "RetriesExhausted": (Who.OPERATOR, "Something did not answer for long: look at the service that the text names."),
    "TargetRefused": (Who.SERVER_ADMIN, "Change on the target server what the message names."),
    "ToolMissing": (Who.OPERATOR, "Install psql and pg_restore, or name them in the app settings."),
    "ToolTooOld": (Who.OPERATOR, "Install client tools that are at least as new as the pg_dump of the backup."),
    "UnreadableFile": (Who.BACKUP_ADMIN, "The file is damaged: restore another recovery point."),
    "VaultRefused": (Who.BACKUP_ADMIN, "Change in the vault what the message names."),
    "WrongMediaType": (Who.REQUESTER, "Send the body with Content-Type: application/json."),
    "VerificationFailed": (Who.DATABASE_ADMIN, "The details name each point in which database and backup differ."),
}
"""Who mends what, by the failure's code, and how."""


def about_failures(report: Report) -> Iterator[Step]:
    """Mend what failed, then retry."""
    if report.phase in RETRIED:
        for error in report.errors:
            yield _mend(error, "Mend what ended the restore.", (), show_job(report))
    failed = [one for one in report.files if one.failure]
    lacking = [one for one in failed if _lacks_extensions(one)]
    yield from _allow_extensions(report, lacking)
    yield from _by_cause(report, [one for one in failed if one not in lacking])
    yield from _retry(report)
    yield from _drop_temporary(report)


def _mend(error: Failure, what: str, subjects: tuple[str, ...], commands: Iterable[Command]) -> Step:
    who, how = MEND.get(error.code, (Who.OPERATOR, "The message says what happened."))
    return Step(
        kind=StepKind.MEND,
        who=who,
        what=what,
        why=f"{error.code}: {error.message}",
        how=how,
        subjects=subjects,
        commands=tuple(commands),
    )


def _by_cause(report: Report, failed: Iterable[FileReport]) -> Iterator[Step]:
    """A step for each cause, however many files it is the cause of."""
    causes: dict[tuple[str, str], list[FileReport]] = defaultdict(list)
    for one in failed:
        if one.failure:
            causes[one.failure.code, one.failure.message].append(one)
    for (code, message), files in causes.items():
        commands = request_for_files(report, files, onConflict="replace") if code == "DatabaseExists" else []
        what = f"Mend what made {listed(map(name_of, files))} fail."
        yield _mend(Failure(code=code, message=message), what, names(files), commands)


def _lacks_extensions(one: FileReport) -> bool:
    return one.failure is not None and any(map(_EXTENSION.fullmatch, one.failure.details))


def _allow_extensions(report: Report, lacking: list[FileReport]) -> Iterator[Step]:
    """One step for all databases: the allow-list is one setting of the server."""
    failures = [one.failure for one in lacking if one.failure]
    found = {match for failure in failures for line in failure.details if (match := _EXTENSION.fullmatch(line))}
    forbidden = sorted({match["name"] for match in found if match["why"] == "not allow-listed"})
    absent = sorted({match["name"] for match in found if match["why"] == "not available"})
    if forbidden:
        allowed = (match["names"].split(",") for failure in failures for match in _ALLOWED.finditer(failure.message))
        every = sorted({*forbidden, *(name for names in allowed for name in names)})
        yield Step(
            kind=StepKind.ALLOW_EXTENSIONS,
            who=Who.SERVER_ADMIN,
            what=f"Allow {_extensions(forbidden)} on the target server.",
            why=f"{listed(map(name_of, lacking))} cannot be without what the server does not allow.",
            how="The command sets the whole list: it holds what is allowed already. Then retry.",
            subjects=tuple(forbidden),
            commands=(shell(f"az postgres flexible-server parameter set {_parameter(report, every)}"),),
        )
    if absent:
        yield Step(
            kind=StepKind.ALLOW_EXTENSIONS,
            who=Who.SERVER_ADMIN,
            what=f"Choose a target server that has {_extensions(absent)}.",
            why=f"{listed(map(name_of, lacking))} cannot be without what this server does not offer.",
            how="Another version of PostgreSQL may offer it. Else restore without these databases.",
            subjects=tuple(absent),
        )


def _extensions(names: list[str]) -> str:
    return f"the extension{'s' if names[1:] else ''} {listed(names)}"


def _parameter(report: Report, extensions: list[str]) -> str:
    host = report.plan.target.host if report.plan else ""
    server = host.removesuffix(_FLEXIBLE_SERVER) if host.endswith(_FLEXIBLE_SERVER) else "<server>"
    named = options_of({"--name": "azure.extensions", "--value": ",".join(extensions)})
    return f"--resource-group <resource group> --server-name {server} {named}"


def _retry(report: Report) -> Iterator[Step]:
    lacking = [one for one in missing(report) if one.file.can_come_again]
    if report.phase in RETRIED and lacking and report.landing is not None and report.landing.left:
        address = f"https://<function app>/api/restores/{report.request_id}/retry"
        yield Step(
            kind=StepKind.RETRY,
            who=Who.REQUESTER,
            what=f"Retry {listed(map(name_of, lacking))}, once the cause is mended.",
            why="What this restore did not bring can be imported from the files that it left.",
            how="Either command starts a restore of its own that imports what is missing, and nothing else.",
            subjects=names(lacking),
            commands=(
                shell(f"flexrestore retry {report.request_id}"),
                shell(f"curl --json '{{}}' --header 'x-functions-key: <key>' '{address}'"),
            ),
        )


def _drop_temporary(report: Report) -> Iterator[Step]:
    kept = [one for one in report.files if NOT_DROPPED in one.file.reason]
    if kept:
        prefixes = [LoadKey(report.request_id, one.file.database).prefix for one in kept]
        yield Step(
            kind=StepKind.DROP_TEMPORARY,
            who=Who.DATABASE_ADMIN,
            what=f"Drop what is left of the failed load of {listed(map(name_of, kept))}.",
            why="The server did not let it be dropped. It holds a part of the source's data, and room.",
            how="Each query answers the statement that drops it.",
            subjects=names(kept),
            commands=(sql(map(_find_temporary, prefixes)),),
        )


def _find_temporary(prefix: str) -> str:
    """A query for people; the prefix is one of ours: letters, digits, and underscores."""
    found = f"starts_with(datname, '{prefix}')"
    return f"SELECT format('DROP DATABASE %I;', datname) FROM pg_database WHERE {found};"  # noqa: S608
