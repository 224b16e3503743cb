"""A random database with its roles, as SQL."""

from dataclasses import dataclass
from random import Random

from local.random_database import definitions, rights, tables, views
from local.random_database.draft import Draft
from local.random_database.kinds import KINDS
from local.random_database.naming import Naming, identifier, literal

_LOCALES = (
    ("utf-8", ""),
    ("utf-8", "LOCALE 'C'"),
    ("utf-8", "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'"),
    ("latin-1", "ENCODING 'LATIN1' LOCALE 'C'"),
)
_SETTINGS = (
    "DateStyle TO 'SQL, DMY'",
    "IntervalStyle TO 'sql_standard'",
    "TimeZone TO 'Asia/Kathmandu'",
    'search_path TO "$user", pg_catalog, "a,b"',
    "default_transaction_read_only TO on",
    "default_transaction_isolation TO 'serializable'",
    "bytea_output TO 'escape'",
    "extra_float_digits TO -3",
    "statement_timeout TO '5s'",
    "lock_timeout TO '2s'",
    "work_mem TO '1MB'",
    "application_name TO 'it''s; x=y'",
    "xmloption TO 'document'",
    "check_function_bodies TO off",
    "array_nulls TO off",
    "quote_all_identifiers TO on",
    "row_security TO off",
)
_ATTRIBUTES = ("LOGIN", "NOINHERIT", "CREATEDB", "CREATEROLE", "CONNECTION LIMIT 3", "VALID UNTIL '2031-01-01 UTC'")


@dataclass(frozen=True)
class RandomDatabase:
    """Statements for the server's admin, each run for itself.

    Attributes:
        name: the database's name.
        roles: its names of roles.
        server: statements for another database, roles first; among them is CREATE DATABASE.
        contents: statements for the database itself.
        closing: statements about the database for when it is filled.
    """

    name: str
    roles: tuple[str, ...]
    server: tuple[str, ...]
    contents: tuple[str, ...]
    closing: tuple[str, ...]

    def script(self) -> str:
        """All of it, for people who want to try it in psql."""
        parts = (*self.server, f"\\connect {identifier(self.name)}", *self.contents, *self.closing)
        return "\n".join(part if part.startswith("\\") else f"{part};" for part in parts)


def make_database(chance: Random, admin: str) -> RandomDatabase:
    """A database that this admin can create."""
    encoding, locale = chance.choice(_LOCALES)
    shared = Naming(chance, "utf-8" if encoding == "utf-8" else "ascii")
    draft = Draft(chance, Naming(chance, encoding), shared, admin, kinds=list(KINDS))
    name = shared.new("database", single_line=True)
    server = [*_roles(draft), f"CREATE DATABASE {identifier(name)} TEMPLATE template0 {locale}"]
    for step in (
        definitions.add_schemas,
        definitions.add_extensions,
        definitions.add_types,
        definitions.add_functions,
        definitions.add_sequences,
        tables.add_tables,
        views.add_views,
        definitions.add_large_objects,
        definitions.add_searching,
        rights.add_comments,
        rights.add_owners,
        rights.let_views_read,
        rights.add_grants,
        rights.add_default_privileges,
    ):
        step(draft)
    closing = tuple(_closing(draft, identifier(name)))
    return RandomDatabase(name, tuple(draft.roles), tuple(server), tuple(draft.statements), closing)


def _roles(draft: Draft) -> list[str]:
    """Roles that the admin can become, and memberships among them."""
    statements = ["SET createrole_self_grant = 'set, inherit'"]
    for _ in draft.several(3):
        name = draft.shared.new("role")
        role = identifier(name)
        draft.roles.append(name)
        statements.append(f"CREATE ROLE {role} {' '.join(draft.some(_ATTRIBUTES, 25))}")
        if draft.maybe(30):
            statements.append(f"COMMENT ON ROLE {role} IS {literal(draft.shared.text() or 'x')}")
        if draft.maybe(30):
            statements.append(f"ALTER ROLE {role} SET {draft.pick(_SETTINGS)}")
        if len(draft.roles) > 1 and draft.maybe(40):
            options = draft.pick(("", " WITH ADMIN OPTION", " WITH INHERIT FALSE, SET FALSE"))
            statements.append(f"GRANT {identifier(draft.roles[0])} TO {role}{options}")
    return statements


def _closing(draft: Draft, database: str) -> list[str]:
    statements = [f"ALTER DATABASE {database} SET {setting}" for setting in draft.some(_SETTINGS, 8)]
    if draft.maybe(30):
        statements.append(f"COMMENT ON DATABASE {database} IS {literal(draft.shared.text() or 'x')}")
    if draft.maybe(20):
        statements.append(f"ALTER DATABASE {database} CONNECTION LIMIT 5")
    if draft.roles:
        role = identifier(draft.pick(draft.roles))
        if draft.maybe(30):
            statements.append(f"ALTER ROLE {role} IN DATABASE {database} SET {draft.pick(_SETTINGS)}")
        if draft.maybe(30):
            statements.append(f"GRANT CREATE, TEMPORARY ON DATABASE {database} TO {role} WITH GRANT OPTION")
        if draft.maybe(30):
            statements.append(f"REVOKE CONNECT ON DATABASE {database} FROM PUBLIC")
        if draft.maybe(30):
            statements.append(f"ALTER DATABASE {database} OWNER TO {role}")
    return statements
