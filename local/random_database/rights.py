"""Owners, grants with all their options, default privileges, comments."""

from local.random_database.draft import Draft, Relation
from local.random_database.naming import identifier, literal

_DEFAULTS = (
    ("TABLES", "SELECT, INSERT"),
    ("SEQUENCES", "USAGE"),
    ("FUNCTIONS", "EXECUTE"),
    ("TYPES", "USAGE"),
    ("SCHEMAS", "CREATE"),
)


def add_comments(draft: Draft) -> None:
    """On some of all that can have one."""
    for thing in draft.some(draft.things, 30):
        draft.say(f"COMMENT ON {thing.kind} {thing.sql} IS {literal(draft.naming.text() or 'x')}")
    for table in draft.some(draft.tables, 30):
        draft.say(f"COMMENT ON COLUMN {table.sql}.{table.columns[0].sql} IS {literal(draft.naming.text() or 'x')}")


def add_owners(draft: Draft) -> None:
    """Give some things to roles, which then may create in the schema and read what their views show."""
    if not draft.roles:
        return
    everyone = ", ".join(map(identifier, draft.roles))
    for schema in draft.schemas:
        draft.say(f"GRANT CREATE, USAGE ON SCHEMA {identifier(schema)} TO {everyone}")
    for thing in draft.things:
        if thing.owned and draft.maybe(50):
            draft.say(f"ALTER {thing.kind} {thing.sql} OWNER TO {identifier(draft.pick(draft.roles))}")
    for schema in draft.some(draft.schemas, 30):
        draft.say(f"REVOKE CREATE ON SCHEMA {identifier(schema)} FROM {everyone}")


def let_views_read(draft: Draft) -> None:
    """Let every role read what it may need for its views."""
    for relation in [*draft.tables, *draft.views]:
        if draft.roles:
            everyone = ", ".join(map(identifier, [*draft.roles, draft.admin]))
            draft.say(f"GRANT SELECT ON {relation.sql} TO {everyone}")


def add_grants(draft: Draft) -> None:
    """Rights on some things, with and without grant option, and handed on by who has it."""
    if not draft.roles:
        return
    for thing in draft.things:
        if not thing.rights or not draft.maybe(40):
            continue
        kind = "TABLE" if thing.kind in {"VIEW", "MATERIALIZED VIEW"} else thing.kind
        right = draft.pick(thing.rights)
        first, second = draft.pick(draft.roles), draft.pick(draft.roles)
        option = " WITH GRANT OPTION" if draft.maybe(40) else ""
        draft.say(f"GRANT {right} ON {kind} {thing.sql} TO {identifier(first)}{option}")
        if option and draft.maybe(50) and first != second:
            draft.say(f"SET ROLE {identifier(first)}")
            draft.say(f"GRANT {right} ON {kind} {thing.sql} TO {identifier(second)}")
            draft.say("RESET ROLE")
        if thing.kind == "FUNCTION" and draft.maybe(20):
            draft.say(f"REVOKE EXECUTE ON FUNCTION {thing.sql} FROM PUBLIC")
    for table in draft.some(draft.tables, 30):
        _grant_column(draft, table)


def _grant_column(draft: Draft, table: Relation) -> None:
    right = draft.pick(("SELECT", "UPDATE", "INSERT", "REFERENCES"))
    role = identifier(draft.pick(draft.roles))
    draft.say(f"GRANT {right} ({draft.pick(table.columns).sql}) ON {table.sql} TO {role}")


def add_default_privileges(draft: Draft) -> None:
    """Rights on what somebody will make."""
    for _ in draft.several(2):
        kind, rights = draft.pick(_DEFAULTS)
        who = identifier(draft.pick([draft.admin, *draft.roles]))
        whom = identifier(draft.pick(draft.roles)) if draft.roles else "PUBLIC"
        where = f" IN SCHEMA {identifier(draft.pick(draft.schemas))}" if kind != "SCHEMAS" and draft.maybe(50) else ""
        verb = f"GRANT {rights} ON {kind} TO {whom}"
        if kind in {"FUNCTIONS", "TYPES"} and not where and draft.maybe(40):
            verb = f"REVOKE ALL ON {kind} FROM PUBLIC"
        draft.say(f"ALTER DEFAULT PRIVILEGES FOR ROLE {who}{where} {verb}")
