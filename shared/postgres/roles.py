"""Import a roles file: rehearse the plan in a transaction that is rolled back, then run what did not fail."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import compress
from typing import BinaryIO

from shared.contracts.imports import Note, NoteKind, Notes, ScriptRun
from shared.errors import ImportFailed
from shared.postgres.diagnostics import Diagnostic, classify
from shared.postgres.notes import make_note, readable
from shared.postgres.psql import run_script
from shared.postgres.role_plan import PlannedStatement, RoleTarget, StatementKind, plan_roles
from shared.postgres.script import Statements, redact, whole
from shared.postgres.server import Connection, TargetServer, read_capabilities
from shared.postgres.tools import Toolbox

TIMEOUT_SECONDS = 600.0
_LOCK = "import of roles"

_SETTING_REFUSED = frozenset({"42501", "42704", "22023", "42602", "55P02", "0A000"})
"""Not allowed, not known, no such value, no such name, fixed at start, not supported."""
_MEMBERSHIP_REFUSED = frozenset({"42501", "0LP01"})
"""Not allowed, or against a membership that the target has the other way round."""
_FLAGS = ("SUPERUSER", "INHERIT", "CREATEROLE", "CREATEDB", "LOGIN", "REPLICATION", "BYPASSRLS")


def read_roles(server: TargetServer) -> frozenset[str]:
    """The names of all roles on the server."""
    with server.connect() as connection:
        return frozenset(name for (name,) in connection.execute("SELECT rolname FROM pg_catalog.pg_roles"))


def import_roles(  # noqa: PLR0913  where, with what, and what is known
    server: TargetServer,
    toolbox: Toolbox,
    chunks: Iterable[bytes],
    existing: frozenset[str],
    log: BinaryIO,
    *,
    update: bool = False,
    left_out: frozenset[str] = frozenset(),
) -> ScriptRun:
    """Create the roles of a roles file that were not there before, in one transaction; repeatable.

    Args:
        server: where to.
        toolbox: whose psql runs the statements.
        chunks: the roles file.
        existing: the roles that were on the target before the restore began. A role that is there and not among them
            was made by an earlier attempt: it is not created again, and its attributes are set again.
        log: gets what psql says.
        update: whether roles that were there before get the file's attributes, comment, settings and memberships.
        left_out: roles that are neither created nor changed.

    Raises:
        ImportFailed: statements fail for reasons that are not known to be harmless; nothing was changed.
        UnreadableFile: the file breaks off or is no roles file.
        TargetRefused, TargetUnavailable, LoadInterrupted, DeadlinePassed, ToolTooOld: as `run_script`.
    """
    started = time.monotonic()
    # One restore at a time: two could create the same role at once.
    with server.advisory_lock(_LOCK) as connection:
        target = replace(read_target(connection), left_out=left_out)
        plan = plan_roles(whole(Statements(chunks)), target, existing, update=update)
        rehearsed, tolerated = _rehearse(server, toolbox, plan.statements, log)
        _perform(server, toolbox, rehearsed, log)
    return ScriptRun(
        statements=len(rehearsed) + plan.done,
        seconds=round(time.monotonic() - started, 3),
        notes=Notes.bounded([*plan.notes, *tolerated]),
        kept=tuple(map(readable, plan.kept)),
        created=tuple(map(readable, plan.created)),
        updated=tuple(map(readable, plan.updated)),
        without_password=tuple(map(readable, plan.without_password)),
    )


def read_target(connection: Connection) -> RoleTarget:
    """The roles of the target as the connection's user sees them."""
    capabilities = read_capabilities(connection)
    memberships = connection.execute(
        "SELECT role.rolname, member.rolname FROM pg_catalog.pg_auth_members AS given"
        " JOIN pg_catalog.pg_roles AS role ON role.oid = given.roleid"
        " JOIN pg_catalog.pg_roles AS member ON member.oid = given.member"
    ).fetchall()
    # Before PostgreSQL 16 CREATEROLE was enough to grant any role that is no superuser.
    grantable = connection.execute(
        "SELECT rolname FROM pg_catalog.pg_roles"
        " WHERE pg_has_role(current_user, oid, 'MEMBER WITH ADMIN OPTION') OR (%s AND NOT rolsuper)",
        [capabilities.createrole and capabilities.version < 160_000],
    ).fetchall()
    roles = connection.execute(
        "SELECT rolname, rolvaliduntil < 'infinity', rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin,"
        " rolreplication, rolbypassrls FROM pg_catalog.pg_roles"
    ).fetchall()
    return RoleTarget(
        capabilities=capabilities,
        roles=frozenset(name for name, *_ in roles),
        memberships=frozenset((role, member) for role, member in memberships),
        grantable=frozenset(name for (name,) in grantable),
        flags={name: frozenset(compress(_FLAGS, flags)) for name, _, *flags in roles},
        expiring=frozenset(name for name, expires, *_ in roles if expires),
    )


def _rehearse(
    server: TargetServer, toolbox: Toolbox, statements: Sequence[PlannedStatement], log: BinaryIO
) -> tuple[list[PlannedStatement], list[Note]]:
    """The statements that do not fail, and notes on those that fail harmlessly.

    Raises:
        ImportFailed: others fail.
    """
    diagnostics = _run(server, toolbox, statements, log, rehearse=True)
    by_line = _by_line(statements)
    tolerated: dict[PlannedStatement, Note] = {}
    failed: list[str] = []
    for diagnostic in diagnostics:
        statement = by_line.get(diagnostic.line or 0)
        note = _tolerate(diagnostic, statement) if statement else None
        if statement and note:
            tolerated[statement] = note
        else:
            failed.append(f"{redact(statement.sql) if statement else diagnostic.statement}: {diagnostic.message}")
    if failed:
        raise ImportFailed(f"{len(failed)} statements of the roles file failed; nothing was changed", details=failed)
    return [statement for statement in statements if statement not in tolerated], list(tolerated.values())


def _perform(server: TargetServer, toolbox: Toolbox, statements: Sequence[PlannedStatement], log: BinaryIO) -> None:
    if failures := _run(server, toolbox, statements, log, rehearse=False):
        details = [f"{failure.statement}: {failure.message}" for failure in failures]
        raise ImportFailed("the roles file failed after it was rehearsed; nothing was changed", details=details)


def _run(
    server: TargetServer, toolbox: Toolbox, statements: Sequence[PlannedStatement], log: BinaryIO, *, rehearse: bool
) -> tuple[Diagnostic, ...]:
    """Run the statements in one transaction and answer the failures; a rehearsal goes on after them."""
    if not statements:
        return ()
    script = "".join(f"{statement.sql}\n" for statement in statements).encode("utf-8", "surrogateescape")
    result = run_script(
        server,
        toolbox,
        server.maintenance_database,
        Statements([script]),
        log=log,
        on_error="go on" if rehearse else "stop",
        single_transaction=True,
        rehearse=rehearse,
        timeout_seconds=TIMEOUT_SECONDS,
    )
    return result.failures


def _by_line(statements: Sequence[PlannedStatement]) -> dict[int, PlannedStatement]:
    """The statements by the line that each ends on; literals may hold newlines."""
    lines: dict[int, PlannedStatement] = {}
    line = 0
    for statement in statements:
        line += statement.sql.count("\n") + 1
        lines[line] = statement
    return lines


def _tolerate(failure: Diagnostic, statement: PlannedStatement) -> Note | None:
    """A note on a failure that takes nothing from the roles themselves; None when it is to be taken seriously."""
    text = redact(statement.sql)
    harmless = classify(replace(failure, statement=text))
    if harmless:
        reason = harmless.reason
    elif statement.kind is StatementKind.SETTING and failure.sqlstate in _SETTING_REFUSED:
        reason = "the target does not take this setting"
    elif statement.kind is StatementKind.MEMBERSHIP and failure.sqlstate in _MEMBERSHIP_REFUSED:
        reason = "the target does not take this membership"
    else:
        return None
    return make_note(
        kind=NoteKind.TOLERATED, subject=statement.subject, reason=f"{reason}: {failure.message}", statement=text
    )
