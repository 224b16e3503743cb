"""A plain dump is taken apart into objects; what is another in each dump is no part of any."""

from local.demo.differences import Area, Item
from local.demo.schema import schema_objects

HEAD = r"""--
-- PostgreSQL database dump
--

\restrict {key}

-- Dumped from database version 18.1
-- Dumped by pg_dump version 18.1

SET statement_timeout = 0;

"""
TAIL = r"""--
-- PostgreSQL database dump complete
--

\unrestrict {key}
"""


def entry(name: str, kind: str, schema: str, body: str) -> str:
    return f"--\n-- Name: {name}; Type: {kind}; Schema: {schema}; Owner: boss\n--\n\n{body}\n\n\n"


ENTRIES = (
    entry("app", "SCHEMA", "-", "CREATE SCHEMA app;\n\n\nALTER SCHEMA app OWNER TO boss;"),
    entry("odd; Name", "TABLE", "app", 'CREATE TABLE app."odd; Name" (\n);'),
    entry("f()", "FUNCTION", "app", "CREATE FUNCTION app.f() AS $$\n--\n-- Name: none\n--\n$$;"),
    entry("DEFAULT PRIVILEGES", "DEFAULT ACL", "-", "ALTER A;"),
    entry("DEFAULT PRIVILEGES", "DEFAULT ACL", "-", "ALTER B;"),
)


def dump(*entries: str, key: str = "one") -> str:
    return "".join((HEAD.format(key=key), *entries, TAIL.format(key=key)))


def test_each_object_has_its_statements_under_kind_schema_and_name() -> None:
    objects = schema_objects(dump(*ENTRIES))

    assert objects[Item(Area.SCHEMA, "SCHEMA app")] == "CREATE SCHEMA app;\n\n\nALTER SCHEMA app OWNER TO boss;"
    assert objects[Item(Area.SCHEMA, "TABLE app odd; Name")] == 'CREATE TABLE app."odd; Name" (\n);'
    assert "-- Name: none" in objects[Item(Area.SCHEMA, "FUNCTION app f()")]
    assert len(objects) == 4


def test_entries_of_one_name_are_kept_together() -> None:
    assert schema_objects(dump(*ENTRIES))[Item(Area.SCHEMA, "DEFAULT ACL DEFAULT PRIVILEGES")] == "ALTER A;\n\nALTER B;"


def test_neither_the_order_of_entries_nor_the_key_of_a_dump_matters() -> None:
    assert schema_objects(dump(*reversed(ENTRIES), key="another")) == schema_objects(dump(*ENTRIES))


def test_a_database_without_objects_has_none() -> None:
    assert schema_objects(dump()) == {}


def test_grants_on_the_systems_own_schemas_are_the_services_and_left_out() -> None:
    grant = entry("FUNCTION pg_stat_reset()", "ACL", "pg_catalog", "GRANT ALL ON FUNCTION pg_stat_reset() TO x;")

    assert schema_objects(dump(grant, *ENTRIES)) == schema_objects(dump(*ENTRIES))
