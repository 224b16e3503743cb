"""Let every role create in the schemas of a database that nobody can connect to yet.

An object's new owner needs CREATE in its schema at that moment, and an index's owner calls the functions in it. A
superuser's restore is exempt from the first; on the source the owners hold these rights, or held them once, through
grants that come at the end of an archive.
"""

from psycopg import sql

from shared.postgres.server import Connection
from shared.postgres.tools import parse_version

_MISSING = """
SELECT n.nspname, wanted.privilege
  FROM pg_catalog.pg_namespace n CROSS JOIN (VALUES ('CREATE'), ('USAGE')) AS wanted (privilege)
 WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%'
   AND pg_catalog.pg_has_role(n.nspowner, 'USAGE')
   AND NOT EXISTS (
       SELECT FROM pg_catalog.aclexplode(coalesce(n.nspacl, pg_catalog.acldefault('n', n.nspowner))) AS granted
        WHERE granted.grantee = 0 AND granted.privilege_type = wanted.privilege)
 ORDER BY 1, 2
"""

type Opened = list[tuple[str, str]]
"""Schema and privilege."""


def open_schemas(connection: Connection) -> Opened:
    """Grant PUBLIC what it lacks; answers what to take back."""
    missing = [(schema, privilege) for schema, privilege in connection.execute(_MISSING).fetchall()]
    for schema, privilege in missing:
        connection.execute(_statement("GRANT {} ON SCHEMA {} TO PUBLIC", schema, privilege))
    return missing


def to_close(opened: Opened, dumped_by: str) -> Opened:
    """What of it is to be taken back: everything that a dump of this pg_dump would tell if it were to stay.

    Before PostgreSQL 15 everyone could create in schema public, and pg_dump told only what differed from that.
    """
    version = parse_version(dumped_by)
    told = version is None or version[0] >= 15
    return [one for one in opened if told or one != ("public", "CREATE")]


def close_schemas(connection: Connection, opened: Opened) -> None:
    """Take back what `open_schemas` granted, or some of it."""
    for schema, privilege in opened:
        connection.execute(_statement("REVOKE {} ON SCHEMA {} FROM PUBLIC", schema, privilege))


def _statement(template: str, schema: str, privilege: str) -> sql.Composed:
    return sql.SQL(template).format(sql.SQL(privilege), sql.Identifier(schema))
