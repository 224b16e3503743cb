"""What of a roles file is run on a target, and in which form.

Existing roles stay as they are unless the request wants them to be as in the backup. Rights that the target's admin
cannot give are left out beforehand, because a statement that fails loses all that it says.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from shared.contracts.imports import Note, NoteKind
from shared.errors import UnreadableFile, cut
from shared.postgres.diagnostics import is_system_role
from shared.postgres.notes import make_note, readable
from shared.postgres.role_statements import (
    AlterRole,
    CreateRole,
    Membership,
    ParameterGrant,
    RoleComment,
    RoleSetting,
    RoleStatement,
    SecurityLabel,
    SessionSetting,
    Unknown,
    parse,
)
from shared.postgres.script import DUMP_FENCE, Backslash, Blank, Event, Statement, redact
from shared.postgres.server import Capabilities

_SESSION_SETTINGS = frozenset({"client_encoding", "standard_conforming_strings", "default_transaction_read_only"})
_ENCODINGS = frozenset({"UTF8", "SQL_ASCII"})
_ENTRA = "pgaadauth"
"""The label provider with which a flexible server marks the roles of Microsoft Entra principals."""


@dataclass(frozen=True)
class RoleTarget:
    """The roles of the target as they are now, and what the import's user may do with them."""

    capabilities: Capabilities
    roles: frozenset[str]
    memberships: frozenset[tuple[str, str]]
    """Role and member."""
    grantable: frozenset[str]
    """Roles whose membership the user may give."""
    flags: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """The attributes of each role: `{"app": {"LOGIN", "INHERIT"}}`."""
    expiring: frozenset[str] = frozenset()
    """Roles whose password is valid until some time."""
    left_out: frozenset[str] = frozenset()
    """Roles that the operator keeps out: they are neither created nor changed."""

    def may_give(self, flag: str) -> bool:
        """Whether the user may set or clear a role's attribute, by the rules of CREATE ROLE and ALTER ROLE."""
        mine = self.capabilities
        old = mine.version < 160_000
        return mine.superuser or {
            "SUPERUSER": False,
            "REPLICATION": mine.replication and not old,
            "BYPASSRLS": mine.bypassrls and not old,
            "CREATEDB": mine.createdb or old,
        }.get(flag, True)

    def why_not_alter(self, role: str) -> str:
        """Why the role stays as it is, by the rules of ALTER ROLE; empty when the user may alter it."""
        mine, flags = self.capabilities, self.flags.get(role, frozenset())
        if role == mine.user:
            return "the import's own user is never altered"
        if mine.superuser:
            return ""
        if "SUPERUSER" in flags or ("REPLICATION" in flags and mine.version < 160_000):
            return "only a superuser can alter it: it is one, or has REPLICATION on a server before PostgreSQL 16"
        if mine.createrole and (role in self.grantable or mine.version < 160_000):
            return ""
        return f'"{mine.user}" lacks what altering it takes: CREATEROLE, and since PostgreSQL 16 ADMIN OPTION on it'


class StatementKind(StrEnum):
    """What a statement does, which decides whether a failure can be tolerated."""

    ROLE = "role"
    SETTING = "setting"
    MEMBERSHIP = "membership"
    """In a role that the import did not create."""


@dataclass(frozen=True)
class PlannedStatement:
    """A statement that is run."""

    kind: StatementKind
    subject: str
    sql: str


@dataclass(frozen=True)
class RolePlan:
    """What is run, and what is to be said about the rest."""

    statements: tuple[PlannedStatement, ...]
    done: int
    """Statements that an earlier attempt has run and that cannot be run again."""
    notes: tuple[Note, ...]
    created: tuple[str, ...]
    updated: tuple[str, ...]
    kept: tuple[str, ...]
    without_password: tuple[str, ...]


def read_statements(events: Iterable[Event]) -> tuple[list[RoleStatement], list[Note]]:
    """The statements of a roles file, and notes on those that are not run whatever the target is.

    Raises:
        UnreadableFile: the file is not whole, holds data, or is in an encoding that is not read here.
    """
    statements: list[RoleStatement] = []
    notes: list[Note] = []
    for event in events:
        if isinstance(event, Backslash):
            if event.name not in DUMP_FENCE:
                notes.append(
                    _skipped(f"psql command {event.name}", "a command of psql, which no file gets to run", event)
                )
            continue
        if isinstance(event, Blank):
            continue
        if not isinstance(event, Statement) or event.takes_data or not event.complete:
            raise UnreadableFile("the roles file breaks off, or holds what no roles file holds")
        found = parse(event)
        if isinstance(found, SessionSetting) and found.name in _SESSION_SETTINGS:
            if found.name == "client_encoding" and found.value.upper() not in _ENCODINGS:
                raise UnreadableFile(f"the roles file is in {readable(found.value)}; only UTF8 is read")
        elif isinstance(found, Unknown | SessionSetting):
            notes.append(_skipped("statement", "no statement that pg_dumpall writes into a roles file", event))
        else:
            statements.append(found)
    return statements, notes


def plan_roles(
    events: Iterable[Event], target: RoleTarget, existing: frozenset[str], *, update: bool = False
) -> RolePlan:
    """The plan for a roles file on a target on which the roles `existing` were before the restore began.

    With `update` those of them that the user may alter become what the file says.
    """
    statements, notes = read_statements(events)
    return _Planner(target, existing, statements, update=update).plan(notes)


class _Planner:
    """Goes through the statements once for each kind, so that a role is whole before it becomes a member."""

    def __init__(
        self, target: RoleTarget, existing: frozenset[str], statements: Sequence[RoleStatement], *, update: bool
    ) -> None:
        self._target = target
        self._left_out = sorted({name for found in statements for name in _concerned(found)} & target.left_out)
        statements = [found for found in statements if target.left_out.isdisjoint(_concerned(found))]
        self._statements = statements
        named = [found.role for found in statements if isinstance(found, CreateRole)]
        present = [name for name in named if name in existing and not is_system_role(name)]
        self._created = [name for name in named if name not in existing and not is_system_role(name)]
        self._stuck = {name: why for name in present if update and (why := target.why_not_alter(name))}
        self._updated = [name for name in present if update and name not in self._stuck]
        self._kept = [name for name in present if name not in self._updated]
        self._ours = frozenset({*self._created, *self._updated})
        self._labelled = {found.role for found in statements if isinstance(found, SecurityLabel)}
        self._system = sorted({name for name in named if is_system_role(name)})
        self._planned: list[PlannedStatement] = []
        self._done = 0
        self._notes: list[Note] = []
        self._without_password: list[str] = []
        self._grantors: set[str] = set()

    def plan(self, notes: Sequence[Note]) -> RolePlan:
        """The plan, with these notes in front."""
        self._session()
        for found in self._statements:
            self._role_statement(found)
        for membership in _merged(found for found in self._statements if isinstance(found, Membership)):
            self._membership(membership)
        self._closing_notes()
        return RolePlan(
            statements=tuple(self._planned),
            done=self._done,
            notes=(*notes, *self._notes),
            created=tuple(self._created),
            updated=tuple(self._updated),
            kept=tuple(self._kept),
            without_password=tuple(self._without_password),
        )

    def _session(self) -> None:
        """Make the user a member of the roles it creates, so that it can give them objects."""
        if self._created and self._target.capabilities.version >= 160_000:
            self._run(StatementKind.ROLE, "session", "SET createrole_self_grant = 'set, inherit';")

    def _role_statement(self, found: RoleStatement) -> None:
        match found:
            case ParameterGrant(grantee=role) if role in self._ours:
                self._note(role, f"only a superuser can grant rights on parameters, here on {found.parameter}")
            case Membership() | ParameterGrant() | SessionSetting() | Unknown():
                pass
            case _ if found.role not in self._ours:
                self._foreign(found.role)
            case CreateRole(role=role):
                if role in self._target.roles:
                    self._done += 1
                else:
                    self._run(StatementKind.ROLE, _subject(role), found.sql())
            case AlterRole():
                self._attributes(found)
            case RoleComment(role=role):
                self._run(StatementKind.ROLE, f"comment on {_subject(role)}", found.sql())
            case RoleSetting():
                self._setting(found)
            case SecurityLabel(role=role):
                self._label(found)

    def _foreign(self, role: str) -> None:
        """A statement about a role that is not ours to change; those that are kept or the service's own are no news."""
        if not is_system_role(role) and role not in self._kept:
            self._note(role, "the file alters this role and does not create it")

    def _attributes(self, found: AlterRole) -> None:
        created = found.role in self._created
        had = frozenset[str]() if created else self._target.flags.get(found.role, frozenset())
        given = {flag: positive for flag, positive in found.flags.items() if self._target.may_give(flag)}
        dropped = sorted(
            flag if positive else f"NO{flag}"
            for flag, positive in found.flags.items()
            if flag not in given and positive != (flag in had)
        )
        clauses = found.clauses if created else (*found.clauses, *self._defaults(found))
        if given or clauses or found.password is not None:
            altered = replace(found, flags=given, clauses=clauses)
            self._run(StatementKind.ROLE, _subject(found.role), altered.sql())
        if dropped:
            done = "created" if created else "updated"
            reason = f"{done} without {', '.join(dropped)}, which the target's admin cannot give"
            self._note(found.role, reason, NoteKind.CHANGED, redact(found.sql()))
        keeps_password = found.password is not None or not created
        if found.flags.get("LOGIN") and not keeps_password and found.role not in self._labelled:
            self._without_password.append(found.role)

    def _defaults(self, found: AlterRole) -> list[str]:
        """What pg_dumpall does not write because it is the default, and what an existing role may have otherwise."""
        limited, expires = (
            any(clause.startswith(word) for clause in found.clauses) for word in ("CONNECTION LIMIT", "VALID UNTIL")
        )
        no_end = ["VALID UNTIL 'infinity'"] if found.role in self._target.expiring and not expires else []
        return [*([] if limited else ["CONNECTION LIMIT -1"]), *no_end]

    def _setting(self, found: RoleSetting) -> None:
        if found.database is None:
            self._run(StatementKind.SETTING, f"setting of {_subject(found.role)}", found.sql())
        else:
            reason = f'the setting is for the database "{found.database}" only, whose own file brings it along'
            self._note(found.role, reason, statement=found.sql())

    def _label(self, found: SecurityLabel) -> None:
        if found.role in self._updated:
            reason = f"security labels of {found.provider} are not imported: the role keeps those that it has"
        elif found.provider == _ENTRA:
            reason = (
                "the role of a Microsoft Entra principal is created as a plain role; to connect it again, an Entra"
                " administrator of the target runs this statement"
            )
        else:
            reason = f"security labels of {found.provider} are not imported"
        self._note(found.role, reason, statement=found.sql())

    def _membership(self, found: Membership) -> None:
        """Plan a membership unless it is none of ours, cannot be given, or is there already by creating the role."""
        target, admin = self._target, self._target.capabilities.user
        role, member = found.role, found.member
        if (role in self._created and member == admin) or (is_system_role(role) and is_system_role(member)):
            return
        present = target.roles | self._ours
        subject = f"membership of {_subject(member)} in {_subject(role)}"
        if missing := [name for name in (role, member) if name not in present]:
            self._add(NoteKind.SKIPPED, subject, f"there is no {_subject(missing[0])} on the target")
        elif not {role, member} & self._ours:
            if (role, member) not in target.memberships:
                reason = "both roles were there before the restore, which leaves them as they are"
                concerned = self._stuck.keys() & {role, member} - {admin}
                self._add(NoteKind.SKIPPED, subject, reason, matters=bool(concerned))
        elif member == admin:
            if (role, member) not in target.memberships:
                self._add(NoteKind.SKIPPED, subject, target.why_not_alter(admin), matters=False)
        elif role in self._ours or role in target.grantable:
            self._grant(found, subject)
        else:
            self._add(
                NoteKind.SKIPPED, subject, f'the target\'s admin "{admin}" has no ADMIN OPTION on {_subject(role)}'
            )

    def _grant(self, found: Membership, subject: str) -> None:
        version = self._target.capabilities.version
        kind = StatementKind.ROLE if found.role in self._created else StatementKind.MEMBERSHIP
        self._run(kind, subject, found.sql(version))
        if found.grantor not in {None, self._target.capabilities.user}:
            self._grantors.add(str(found.grantor))
        if version < 160_000 and False in {found.inherit, found.set}:
            reason = "granted without INHERIT FALSE or SET FALSE, which PostgreSQL 16 and newer know"
            self._add(NoteKind.CHANGED, subject, reason, statement=found.sql(160_000))

    def _closing_notes(self) -> None:
        admin = self._target.capabilities.user
        for role, reason in self._stuck.items():
            self._add(NoteKind.SKIPPED, _subject(role), f"it stays as it is: {reason}", matters=role != admin)
        if self._system:
            reason = "the service makes these roles on every server, with their rights and memberships"
            self._add(NoteKind.SKIPPED, f"system roles {_names(self._system)}", reason, matters=False)
        if self._left_out:
            reason = "the operator keeps these roles out of this target"
            self._add(NoteKind.SKIPPED, f"roles {_names(self._left_out)}", reason, matters=False)
        if self._grantors:
            reason = (
                f'recorded as granted by "{admin}", because nobody may grant in the name of {_names(self._grantors)}'
            )
            self._add(NoteKind.CHANGED, "grantors of memberships", reason, matters=False)
        if self._created and self._target.capabilities.version >= 160_000:
            reason = f'"{admin}" is a member of the created roles, so that it can give them objects'
            self._add(NoteKind.CHANGED, "members of the created roles", reason, matters=False)
        if self._without_password:
            reason = (
                "backups of a flexible server hold no passwords: set new ones; if one of these belongs to a Microsoft"
                " Entra principal, which the file does not tell, an Entra administrator has to connect it again"
            )
            self._add(NoteKind.CHANGED, cut(f"login roles {_names(self._without_password)}", 300), reason)

    def _run(self, kind: StatementKind, subject: str, sql: str) -> None:
        self._planned.append(PlannedStatement(kind, subject, sql))

    def _note(self, role: str, reason: str, kind: NoteKind = NoteKind.SKIPPED, statement: str = "") -> None:
        self._add(kind, _subject(role), reason, statement=statement)

    def _add(self, kind: NoteKind, subject: str, reason: str, *, statement: str = "", matters: bool = True) -> None:
        self._notes.append(make_note(kind=kind, subject=subject, reason=reason, statement=statement, matters=matters))


def _concerned(found: RoleStatement) -> set[str]:
    """The roles that a statement is about; who granted what is not one of them."""
    match found:
        case Membership():
            return {found.role, found.member}
        case ParameterGrant():
            return {found.grantee}
        case SessionSetting() | Unknown():
            return set()
        case _:
            return {found.role}


def _merged(memberships: Iterable[Membership]) -> list[Membership]:
    """One membership for each role and member; several grantors may have given different options, which add up."""
    merged: dict[tuple[str, str], Membership] = {}
    for found in memberships:
        key = (found.role, found.member)
        if known := merged.get(key):
            merged[key] = replace(
                known,
                admin=_or(known.admin, found.admin, default=False),
                inherit=_or(known.inherit, found.inherit, default=None),
                set=_or(known.set, found.set, default=True),
            )
        else:
            merged[key] = found
    return list(merged.values())


def _or(first: bool | None, second: bool | None, *, default: bool | None) -> bool | None:
    """What two grants give together, where an option that is not named has the default."""
    values = {default if value is None else value for value in (first, second)}
    return True if True in values else None if None in values else False


def _names(roles: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in sorted(roles))


def _subject(role: str) -> str:
    return f'role "{role}"'


def _skipped(subject: str, reason: str, event: Event) -> Note:
    return make_note(kind=NoteKind.SKIPPED, subject=subject, reason=reason, statement=redact(event.text))
