"""What a request drops is told by a script's statements, and said once in the report."""

import pytest

from shared.contracts.request import read_request
from shared.postgres.options import EVERYTHING, ImportOptions

NO_OWNERS = ImportOptions(owners=False)
NO_GRANTS = ImportOptions(grants=False)
NO_ROWS = ImportOptions(rows=False)
REQUEST = {"requestId": "r", "source": {"backupInstance": "x"}, "target": "t"}

MANY_ARGUMENTS = ", ".join(f"a{n} integer" for n in range(100))


@pytest.mark.parametrize(
    ("asked", "options"),
    [
        ({}, EVERYTHING),
        ({"owners": "drop"}, NO_OWNERS),
        ({"grants": "drop"}, NO_GRANTS),
        ({"schemaOnly": True}, NO_ROWS),
    ],
)
def test_the_request_says_what_is_wanted(asked: dict[str, object], options: ImportOptions) -> None:
    assert ImportOptions.of(read_request({**REQUEST, **asked})) == options


@pytest.mark.parametrize(
    ("options", "subjects"),
    [
        (EVERYTHING, []),
        (NO_OWNERS, ["owners"]),
        (ImportOptions(owners=False, grants=False, rows=False), ["owners", "grants", "rows"]),
    ],
)
def test_each_thing_that_is_dropped_is_said_once_and_is_no_warning(options: ImportOptions, subjects: list[str]) -> None:
    assert [(note.subject, note.matters) for note in options.notes] == [(subject, False) for subject in subjects]
    assert all("the request" in note.reason for note in options.notes)


@pytest.mark.parametrize(
    ("statement", "dropping"),
    [
        # Owners.
        ("ALTER TABLE public.t OWNER TO app;", NO_OWNERS),
        ("-- of a routine\nALTER FUNCTION public.f(" + MANY_ARGUMENTS + ") OWNER TO app;", NO_OWNERS),
        ('ALTER DATABASE "My shop" OWNER TO app;', NO_OWNERS),
        ("SET SESSION AUTHORIZATION 'app';", NO_OWNERS),
        ("SET SESSION AUTHORIZATION DEFAULT;", NO_OWNERS),
        # Grants.
        ("GRANT SELECT ON TABLE public.t TO app;", NO_GRANTS),
        ("REVOKE ALL ON SCHEMA public FROM PUBLIC;", NO_GRANTS),
        ("GRANT CONNECT ON DATABASE shop TO app;", NO_GRANTS),
        ("ALTER DEFAULT PRIVILEGES FOR ROLE app GRANT SELECT ON TABLES TO r;", NO_GRANTS),
        ("SET SESSION AUTHORIZATION app;", NO_GRANTS),
        ('SET SESSION AUTHORIZATION "default";', NO_GRANTS),
        ("RESET SESSION AUTHORIZATION;", NO_GRANTS),
        # Rows.
        ("INSERT INTO public.t VALUES (1);", NO_ROWS),
        ("COPY public.t (a) FROM '/tmp/rows';", NO_ROWS),
        ("REFRESH MATERIALIZED VIEW public.v;", NO_ROWS),
        ("SELECT pg_catalog.setval('public.s', 7, true);", NO_ROWS),
        ("SELECT pg_catalog.lo_create('4711');", NO_ROWS),
        ("SELECT pg_catalog.lowrite(0, '\\x00');", NO_ROWS),
        ("SELECT * FROM pg_catalog.pg_restore_relation_stats('version', '180000'::integer);", NO_ROWS),
        ("COMMENT ON LARGE OBJECT 4711 IS 'x';", NO_ROWS),
        ("ALTER LARGE OBJECT 4711 OWNER TO app;", NO_ROWS),
        ("GRANT SELECT ON LARGE OBJECT 4711 TO app;", NO_ROWS),
        # Kept whatever is dropped.
        ("CREATE TABLE public.t (large object, owner to_whom);", None),
        ("ALTER TABLE ONLY public.t ADD CONSTRAINT p CHECK (owner > 0);", None),
        ("ALTER SEQUENCE public.s OWNED BY public.t.a;", None),
        ("SELECT pg_catalog.set_config('search_path', '', false);", None),
        ("COMMENT ON TABLE public.t IS 'GRANT SELECT; INSERT; OWNER TO app';", None),
        ("CREATE MATERIALIZED VIEW public.v AS SELECT 1 WITH NO DATA;", None),
        ("CREATE FUNCTION public.copy() RETURNS void LANGUAGE sql AS 'INSERT INTO t VALUES (1)';", None),
        ("RESET search_path;", None),
        ("SET default_table_access_method = heap;", None),
        ("-- nothing but a comment", None),
    ],
)
def test_each_statement_goes_with_what_it_brings(statement: str, dropping: ImportOptions | None) -> None:
    assert not EVERYTHING.omit(statement)
    about_large_object = "LARGE OBJECT" in statement
    for options in (NO_OWNERS, NO_GRANTS, NO_ROWS):
        if options is dropping:
            assert options.omit(statement)
        elif not about_large_object:
            assert not options.omit(statement)
