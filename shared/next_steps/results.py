"""Steps about what stands and what lies around when a restore has ended: databases, containers, files."""

import glob
from collections.abc import Iterator

from psycopg.conninfo import make_conninfo

from shared.contracts.files import FileKind
from shared.contracts.report import Command, Landing, Report, Step, StepKind, Who
from shared.figures import counted, listed
from shared.next_steps.commands import options_of, shell, show_job
from shared.next_steps.facts import final_name, missing, names, standing


def about_databases(report: Report) -> Iterator[Step]:
    """Who has to know of the databases that stand."""
    renamed = [one for one in standing(report) if final_name(one) != one.file.database]
    if renamed and report.plan:
        host = report.plan.target.host
        yield Step(
            kind=StepKind.REPOINT,
            who=Who.APPLICATION_OWNER,
            what="Point applications that shall use the restored data to the new names.",
            why=f"{counted(len(renamed), 'database')} got another name than on the source.",
            how="The names are as in connection strings.",
            subjects=tuple(f"{one.file.database} is now {final_name(one)}" for one in renamed),
            commands=tuple(
                Command(text=make_conninfo(host=host, dbname=final_name(one)), language="text") for one in renamed
            ),
            required=False,
        )
    if replaced := [one for one in standing(report) if one.promotion and one.promotion.replaced]:
        yield Step(
            kind=StepKind.CHECK_REPLACED,
            who=Who.APPLICATION_OWNER,
            what=f"Check the applications that used {listed(map(final_name, replaced))} before.",
            why="The databases of these names were replaced: they are gone, and their sessions were ended.",
            how="What was written there since the backup was taken is only in backups of the target server.",
            subjects=tuple(map(final_name, replaced)),
            required=False,
        )


def about_leftovers(report: Report) -> Iterator[Step]:
    """What lies around: warnings nobody has read, a reserved container, files with sensitive data."""
    if report.warnings:
        yield Step(
            kind=StepKind.READ_WARNINGS,
            who=Who.BACKUP_ADMIN,
            what="Read what the backup job warned of.",
            why=f"The vault ended its job with {counted(len(report.warnings), 'warning')}.",
            how="They may say that the backup itself is not whole.",
            subjects=report.warnings,
            commands=tuple(show_job(report)),
            required=False,
        )
    if report.landing:
        yield from _container(report, report.landing)
    if report.unknown:
        yield Step(
            kind=StepKind.LOOK_AT_UNKNOWN,
            who=Who.OPERATOR,
            what=f"Look at {counted(len(report.unknown), 'blob')} of unknown name in {report.container}.",
            why="No backup of a flexible server brings such names; they were left alone.",
            how="Delete them if nobody needs them: a landing container is for restored files only.",
            subjects=report.unknown,
            required=False,
        )


def _container(report: Report, landing: Landing) -> Iterator[Step]:
    if landing.reservation:
        yield Step(
            kind=StepKind.FREE_CONTAINER,
            who=Who.OPERATOR,
            what=f"Give {landing.container} back once the backup job has ended.",
            why="The vault may still write into it, so it stays reserved and is not used for other restores.",
            how="Look at the job. When it has ended, delete the reservation.",
            commands=(
                *show_job(report),
                shell(f"az storage blob delete --auth-mode login {options_of({'--blob-url': landing.reservation})}"),
            ),
        )
    if landing.left and landing.files:
        needed = " They are needed for a retry: retry first." if missing(report) else ""
        yield Step(
            kind=StepKind.DELETE_FILES,
            who=Who.OPERATOR,
            what=f"Delete {counted(landing.files, 'restored file')} in {landing.container} when nobody needs them.",
            why="They hold all data of the backup, roles included, and while they lie there the container is not"
            " used for other restores.",
            how=f"A restore of Flex Restore that imports them well deletes those that a restore of its own brought."
            f"{needed}",
            subjects=names(report.files),
            commands=(shell(*_deletions(report, landing)),),
        )


def _deletions(report: Report, landing: Landing) -> list[str]:
    """Commands that delete a backup's files; the marker has no name of a backup in front."""
    account = options_of({"--account-name": landing.account})
    lines = []
    if landing.backup_name:
        pattern = options_of({"--source": landing.container, "--pattern": f"{glob.escape(landing.backup_name)}_*"})
        lines.append(f"az storage blob delete-batch --auth-mode login {account} {pattern}")
    lines += [
        f"az storage blob delete --auth-mode login {account} "
        f"{options_of({'--container-name': landing.container, '--name': one.file.name})}"
        for one in report.files
        if one.file.kind is FileKind.MARKER
    ]
    return lines
