"""Steps about what could not be kept of the source: passwords, roles, owners, grants, extensions, and the rest."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from shared.contracts.files import FileKind
from shared.contracts.imports import Note
from shared.contracts.report import Command, FileReport, Report, Step, StepKind, Who
from shared.figures import counted, listed, number
from shared.next_steps.commands import sql, sql_name
from shared.next_steps.facts import final_name, standing
from shared.postgres.diagnostics import is_system_role

type Topics = dict[StepKind, list[tuple[FileReport, Note]]]

_OWNER = re.compile(r'owner "(?P<role>.*)"', re.DOTALL)
_OWNS_INSTEAD = re.compile(r": (?P<user>.*) owns (?P<count>\d+) objects instead", re.DOTALL)
_CANNOT_BECOME = "cannot become role"
_MISSING_ROLE = re.compile(r'there is no role "(?P<role>.*)" on the target', re.DOTALL)
_PRIVILEGES = re.compile(r"\s*(?:GRANT|REVOKE|ALTER\s+DEFAULT\s+PRIVILEGES)\b", re.IGNORECASE)
_OTHERS_NAME = "SET SESSION AUTHORIZATION"
"""How grants in another role's name begin; they are made all the same, in the owner's."""
_ENTRA_LABEL = 'SECURITY LABEL FOR "pgaadauth"'
_CUT = "characters left out…]"
"""What `shared.errors.cut` writes into statements that are too long to be run from here."""
_MOST = 500
"""Findings that one step names; all of them are among the differences from the source."""


def about_differences(report: Report) -> Iterator[Step]:
    """What people give back by hand, roles before what needs them."""
    topics: Topics = defaultdict(list)
    for one in report.files:
        for note in one.notes:
            if topic := topic_of(one, note):
                topics[topic].append((one, note))
    yield from _create_roles(topics)
    yield from _set_passwords(report)
    steps: dict[StepKind, Callable[[list[tuple[FileReport, Note]]], Step]] = {
        StepKind.CONNECT_ENTRA: _connect_entra,
        StepKind.COMPLETE_ROLES: _complete_roles,
        StepKind.CREATE_EXTENSIONS: _create_extensions,
        StepKind.GIVE_OWNERS: _give_owners,
        StepKind.GRANT: _grant,
        StepKind.LOOK_AT_DIFFERENCES: _look_at,
    }
    for topic, step in steps.items():
        if found := topics[topic]:
            yield step(found)
    yield from _schedule_jobs(report)


def topic_of(one: FileReport, note: Note) -> StepKind | None:
    """The step that a note belongs to; None when it needs none."""
    if not note.matters or note.statement.startswith(_OTHERS_NAME):
        return None
    if one.file.kind is FileKind.ROLES:
        return _topic_of_roles(note)
    role = _OWNER.fullmatch(note.subject) or _MISSING_ROLE.search(note.reason)
    if role and is_system_role(role["role"]):
        return StepKind.LOOK_AT_DIFFERENCES  # nobody can be made, or be made a member of, a role of the service
    if _OWNER.fullmatch(note.subject):
        return StepKind.GIVE_OWNERS
    if note.subject.startswith("EXTENSION "):
        return StepKind.CREATE_EXTENSIONS
    return StepKind.GRANT if _PRIVILEGES.match(note.statement) else StepKind.LOOK_AT_DIFFERENCES


def _topic_of_roles(note: Note) -> StepKind | None:
    if note.subject.startswith("login roles "):
        return None  # the passwords have a step of their own
    return StepKind.CONNECT_ENTRA if note.statement.startswith(_ENTRA_LABEL) else StepKind.COMPLETE_ROLES


def _create_roles(topics: Topics) -> Iterator[Step]:
    notes = (note for found in topics.values() for _, note in found)
    named = {found["role"] for note in notes if (found := _MISSING_ROLE.search(note.reason))}
    if roles := sorted(role for role in named if not is_system_role(role)):
        yield Step(
            kind=StepKind.CREATE_ROLES,
            who=Who.DATABASE_ADMIN,
            what=f"Create {counted(len(roles), 'role')} that the backup names and the target lacks: {listed(roles)}.",
            why="Without them, what they own and what they are granted could not be kept.",
            how="Create them before owners and grants are given back. Those that log in need LOGIN and a password.",
            subjects=tuple(roles),
            commands=(sql(f"CREATE ROLE {sql_name(role)};" for role in roles),),
        )


def _set_passwords(report: Report) -> Iterator[Step]:
    roles = [role for one in report.files if one.script for role in one.script.without_password]
    if roles:
        yield Step(
            kind=StepKind.SET_PASSWORDS,
            who=Who.DATABASE_ADMIN,
            what=f"Set new passwords for roles that log in: {listed(roles)}.",
            why="Backups of a flexible server hold no passwords: until then nobody can sign in with these roles.",
            how="Put the password in quotes in the place of <new password>. psql's \\password does it without the"
            " password in any log. Roles of Microsoft Entra principals need none, but an Entra administrator who"
            " connects them again.",
            subjects=tuple(roles),
            commands=(sql(f"ALTER ROLE {sql_name(role)} PASSWORD <new password>;" for role in roles),),
        )


def _connect_entra(found: list[tuple[FileReport, Note]]) -> Step:
    return Step(
        kind=StepKind.CONNECT_ENTRA,
        who=Who.ENTRA_ADMIN,
        what=f"Connect {counted(len(found), 'role')} to Microsoft Entra principals again.",
        why="Only an Entra administrator may. Until then nobody can sign in with these roles.",
        how="Sign in as an Entra administrator of the target server and run the statements.",
        subjects=_subjects(found),
        commands=(sql((note.statement for _, note in found), "postgres"),),
    )


def _complete_roles(found: list[tuple[FileReport, Note]]) -> Step:
    grants = [note.statement for _, note in found if _PRIVILEGES.match(note.statement) and not _is_cut(note)]
    return Step(
        kind=StepKind.COMPLETE_ROLES,
        who=Who.DATABASE_ADMIN,
        what=f"Complete roles in {counted(len(found), 'point')} that the import's user could not.",
        why=_first_reasons(found),
        how="Whether the restored copy needs them is yours to judge; some no customer of a managed server can give."
        + (" Memberships are given by whoever has ADMIN OPTION on the role." if grants else ""),
        subjects=_subjects(found),
        commands=(sql(grants),) if grants else (),
        required=False,
    )


def _create_extensions(found: list[tuple[FileReport, Note]]) -> Step:
    def create(notes: list[Note]) -> list[str]:
        return [f"CREATE EXTENSION {sql_name(note.subject.removeprefix('EXTENSION '))};" for note in notes]

    return Step(
        kind=StepKind.CREATE_EXTENSIONS,
        who=Who.DATABASE_ADMIN,
        what=f"Create {counted(len(found), 'extension')} that could not be created.",
        why=_first_reasons(found),
        how="An extension must be in the server's parameter azure.extensions, some also in shared_preload_libraries.",
        subjects=_subjects(found),
        commands=_by_database(found, create),
    )


def _give_owners(found: list[tuple[FileReport, Note]]) -> Step:
    barred = {
        (owner["role"], instead["user"])
        for _, note in found
        if _CANNOT_BECOME in note.reason
        and (owner := _OWNER.fullmatch(note.subject))
        and (instead := _OWNS_INSTEAD.search(note.reason))
    }
    joins = [f"GRANT {sql_name(role)} TO {sql_name(user)};" for role, user in sorted(barred)]
    return Step(
        kind=StepKind.GIVE_OWNERS,
        who=Who.DATABASE_ADMIN,
        what="Give objects back to their owners, who could not get them.",
        why=_first_reasons(found),
        how="With ALTER … OWNER TO, object by object; or let the role exist, and the import's user be a member of it,"
        " and restore the database once more.",
        subjects=_subjects(found),
        commands=(sql(joins),) if joins else (),
    )


def _grant(found: list[tuple[FileReport, Note]]) -> Step:
    return Step(
        kind=StepKind.GRANT,
        who=Who.DATABASE_ADMIN,
        what=f"Grant what could not be granted, in {counted(len(found), 'statement')}.",
        why=_first_reasons(found),
        how="Run these statements once the roles exist, as owner of the object or as whoever may grant."
        + _what_is_elsewhere(found),
        subjects=_subjects(found),
        commands=_by_database(found, lambda notes: [_statement(note) for note in notes if not _is_cut(note)]),
    )


def _what_is_elsewhere(found: list[tuple[FileReport, Note]]) -> str:
    cut = " Those that are too long for this report are in the log." if any(_is_cut(note) for _, note in found) else ""
    more = f" After the first {_MOST}, the others are among the differences below." if len(found) > _MOST else ""
    return cut + more


def _look_at(found: list[tuple[FileReport, Note]]) -> Step:
    return Step(
        kind=StepKind.LOOK_AT_DIFFERENCES,
        who=Who.DATABASE_ADMIN,
        what=f"Look at {counted(len(found), 'more difference')} from the source, and recreate what the copy needs.",
        why=_first_reasons(found),
        how="Each is below, under the differences from the source, with its reason and its statement.",
        subjects=_subjects(found),
        required=False,
    )


def _schedule_jobs(report: Report) -> Iterator[Step]:
    landed = any(one.file.database == "postgres" for one in report.files)
    if landed and standing(report):
        yield Step(
            kind=StepKind.SCHEDULE_JOBS,
            who=Who.DATABASE_ADMIN,
            what="If the source has pg_cron jobs, schedule those that the copy needs.",
            why="They are rows of the source's database postgres, which is never restored: the target has its own.",
            how="List them on the source. On the target, in the database that cron.database_name names, schedule each.",
            commands=(
                sql(["SELECT jobname, schedule, command, database, username, active FROM cron.job ORDER BY jobid;"]),
                sql(["SELECT cron.schedule_in_database(<job>, <schedule>, <command>, <database>);"], "postgres"),
            ),
            required=False,
        )


def _subjects(found: list[tuple[FileReport, Note]]) -> tuple[str, ...]:
    named = (f"{final_name(one)}: {note.subject}" if one.file.database else note.subject for one, note in found[:_MOST])
    more = len(found) - _MOST
    return (*named, *([f"and {number(more)} more"] if more > 0 else []))


def _first_reasons(found: Iterable[tuple[FileReport, Note]]) -> str:
    """The reasons, each once; beyond three only how many more."""
    reasons = list(dict.fromkeys(note.reason for _, note in found))
    more = f" And {counted(len(reasons) - 3, 'more reason')}." if len(reasons) > 3 else ""
    return " ".join(f"{reason[:1].upper()}{reason[1:].removesuffix('.')}." for reason in reasons[:3]) + more


def _by_database(
    found: list[tuple[FileReport, Note]], statements: Callable[[list[Note]], list[str]]
) -> tuple[Command, ...]:
    notes: dict[str, list[Note]] = defaultdict(list)
    for one, note in found[:_MOST]:
        notes[final_name(one)].append(note)
    lines = {database: statements(some) for database, some in notes.items()}
    return tuple(sql(some, database) for database, some in lines.items() if some)


def _is_cut(note: Note) -> bool:
    return _CUT in note.statement


def _statement(note: Note) -> str:
    return note.statement.rstrip().removesuffix(";") + ";"
