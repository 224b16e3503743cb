"""What belongs to a server rather than to a database's contents: databases' properties, and roles.

Each item's subject is the head of the statement that would set it.
"""

from collections.abc import Sequence
from typing import LiteralString

from psycopg import sql

from local.demo.differences import Area, Inventory, Item
from local.servers.postgres import FlexibleServer

SYSTEM_DATABASES = ("azure_maintenance", "azure_sys", "postgres", "template0", "template1")
SYSTEM_ROLES = ("azure_pg_admin", "azuresu", "replication")

_DATABASES: LiteralString = "SELECT datname FROM pg_database WHERE datname <> ALL ({system}) ORDER BY datname"

# Of a right it counts who has it, not who gave it: on the target that is another administrator.
_PROPERTIES: LiteralString = """
WITH one AS (SELECT *, oid AS id FROM pg_database WHERE datname = {database})
SELECT format('CREATE DATABASE %I', datname),
       concat_ws(E'\\n', 'encoding ' || pg_encoding_to_char(encoding), 'provider ' || datlocprovider::text,
                 'collate ' || datcollate, 'ctype ' || datctype, 'locale ' || datlocale, 'rules ' || daticurules)
FROM one
UNION ALL
SELECT format('ALTER DATABASE %I OWNER TO', datname), pg_get_userbyid(datdba) FROM one
UNION ALL
SELECT format('ALTER DATABASE %I CONNECTION LIMIT', datname), datconnlimit::text FROM one
UNION ALL
SELECT format('ALTER DATABASE %I IS_TEMPLATE', datname), datistemplate::text FROM one
UNION ALL
SELECT format('ALTER DATABASE %I ALLOW_CONNECTIONS', datname), datallowconn::text FROM one
UNION ALL
SELECT format('ALTER DATABASE %I SET %s', datname, split_part(setting, '=', 1)),
       substr(setting, strpos(setting, '=') + 1)
FROM one JOIN pg_db_role_setting ON setdatabase = id AND setrole = 0, unnest(setconfig) AS setting
UNION ALL
SELECT format('GRANT %s ON DATABASE %I TO %s', privilege_type, datname,
              CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END),
       CASE WHEN bool_or(is_grantable) THEN 'with grant option' ELSE 'granted' END
FROM one, aclexplode(coalesce(datacl, acldefault('d', datdba)))
GROUP BY datname, privilege_type, grantee
UNION ALL
SELECT format('COMMENT ON DATABASE %I IS', datname), shobj_description(id, 'pg_database')
FROM one WHERE shobj_description(id, 'pg_database') IS NOT NULL
"""

_ROLES: LiteralString = """
WITH application AS (SELECT * FROM pg_authid WHERE rolname <> ALL ({others}) AND rolname NOT LIKE 'pg\\_%')
SELECT format('CREATE ROLE %I', rolname), 'exists' FROM application
UNION ALL
SELECT format('ALTER ROLE %I WITH', rolname), concat_ws(E'\\n',
           CASE WHEN rolsuper THEN 'SUPERUSER' END, CASE WHEN rolcreaterole THEN 'CREATEROLE' END,
           CASE WHEN rolcreatedb THEN 'CREATEDB' END, CASE WHEN rolreplication THEN 'REPLICATION' END,
           CASE WHEN rolbypassrls THEN 'BYPASSRLS' END,
           CASE WHEN rolcanlogin THEN 'LOGIN' ELSE 'NOLOGIN' END,
           CASE WHEN rolinherit THEN 'INHERIT' ELSE 'NOINHERIT' END,
           'CONNECTION LIMIT ' || rolconnlimit, 'VALID UNTIL ' || (rolvaliduntil AT TIME ZONE 'UTC'))
FROM application
UNION ALL
SELECT format('ALTER ROLE %I PASSWORD', rolname), 'set' FROM application WHERE rolpassword IS NOT NULL
UNION ALL
SELECT format('GRANT %I TO %I', pg_get_userbyid(m.roleid), rolname),
       format('admin %s, inherit %s, set %s',
              bool_or(m.admin_option), bool_or(m.inherit_option), bool_or(m.set_option))
FROM application AS a JOIN pg_auth_members AS m ON m.member = a.oid
GROUP BY m.roleid, rolname
UNION ALL
SELECT format('ALTER ROLE %I%s SET %s', rolname,
              (SELECT format(' IN DATABASE %I', datname) FROM pg_database AS d WHERE d.oid = setdatabase),
              split_part(setting, '=', 1)),
       substr(setting, strpos(setting, '=') + 1)
FROM application AS a JOIN pg_db_role_setting ON setrole = a.oid, unnest(setconfig) AS setting
UNION ALL
SELECT format('COMMENT ON ROLE %I IS', rolname), shobj_description(oid, 'pg_authid')
FROM application WHERE shobj_description(oid, 'pg_authid') IS NOT NULL
"""


def user_databases(server: FlexibleServer) -> tuple[str, ...]:
    """The databases that are the customer's, by name."""
    with server.connect(as_superuser=True) as connection:
        rows = connection.execute(sql.SQL(_DATABASES).format(system=list(SYSTEM_DATABASES))).fetchall()
    return tuple(name for (name,) in rows)


def read_properties(server: FlexibleServer, database: str) -> Inventory:
    """Owner, locale, settings, rights and comment of a database."""
    with server.connect(as_superuser=True) as connection:
        rows = connection.execute(sql.SQL(_PROPERTIES).format(database=database)).fetchall()
    return {Item(Area.PROPERTY, subject): text for subject, text in rows}


def read_roles(server: FlexibleServer, administrators: Sequence[str]) -> Inventory:
    """The applications' roles; those of the service and the administrators are each server's own."""
    with server.connect(as_superuser=True) as connection:
        rows = connection.execute(sql.SQL(_ROLES).format(others=[*SYSTEM_ROLES, *administrators])).fetchall()
    return {Item(Area.ROLE, subject): text for subject, text in rows}
