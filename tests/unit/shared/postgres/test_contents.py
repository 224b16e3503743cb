"""What of an archive a managed server gets, in which pass, and what it does not get."""

import pytest

from shared.errors import TargetRefused
from shared.postgres.contents import check_extensions, select
from shared.postgres.options import ImportOptions
from shared.postgres.script import split
from shared.postgres.server import Capabilities
from shared.postgres.toc import Entry


def entry(dump_id: int, desc: str, name: str = "x", schema: str = "", owner: str = "app", *after: int) -> Entry:
    return Entry(dump_id, desc, schema, name, owner, "", after)


@pytest.mark.parametrize(
    ("one", "where"),
    [
        (entry(1, "DATABASE", "shop"), "database"),
        (entry(1, "DATABASE PROPERTIES", "shop"), "database"),
        (entry(1, "ACL", 'DATABASE "my shop"'), "database"),
        (entry(1, "COMMENT", "DATABASE shop"), "database"),
        (entry(1, "ACL", "DATABASE shop", "public"), "privileges"),
        (entry(1, "SCHEMA", "sales"), "first"),
        (entry(1, "EXTENSION", "citext", owner=""), "first"),
        (entry(1, "TABLE", "t", "sales"), "main"),
        (entry(1, "TABLE DATA", "t", "sales"), "main"),
        (entry(1, "COMMENT", "TABLE t", "sales"), "main"),
        (entry(1, "ACL", "TABLE t", "sales"), "privileges"),
        (entry(1, "DEFAULT ACL", "DEFAULT PRIVILEGES FOR TABLES"), "privileges"),
        (entry(1, "MATERIALIZED VIEW DATA", "v", "sales"), "refreshes"),
    ],
    ids=str,
)
def test_each_entry_has_its_pass(one: Entry, where: str) -> None:
    selection = select([one])
    assert getattr(selection, where) == (one,)
    assert selection.notes == ()


@pytest.mark.parametrize(
    ("one", "matters"),
    [
        (entry(1, "EVENT TRIGGER"), True),
        (entry(1, "SUBSCRIPTION"), True),
        (entry(1, "EXTENSION", "pgaadauth", owner=""), False),
        (entry(1, "EXTENSION", "plpgsql", owner=""), False),
        (entry(1, "COMMENT", "EXTENSION azure"), False),
        (entry(1, "ACL", "FUNCTION pg_stat_reset()", "pg_catalog", "azuresu"), False),
        (entry(1, "ACL", "TABLE pg_authid", "pg_catalog", "app"), False),
        (entry(1, "ACL", "SCHEMA information_schema", "", "azuresu"), False),
        (entry(1, "FUNCTION", "f()", "pg_catalog", "azuresu"), False),
        (entry(1, "DEFAULT ACL", "DEFAULT PRIVILEGES FOR TABLES", "", "azuresu"), False),
    ],
    ids=str,
)
def test_what_a_managed_server_cannot_take_is_left_out_with_a_reason(one: Entry, *, matters: bool) -> None:
    selection = select([one, entry(2, "TABLE")])
    assert [kept.dump_id for kept in selection.main] == [2]
    assert selection.objects == selection.main
    (note,) = selection.notes
    assert (note.subject, note.matters) == (str(one), matters)
    assert note.reason


def test_what_is_about_something_left_out_is_left_out_too() -> None:
    trigger = entry(5, "EVENT TRIGGER", "watch")
    comment = entry(6, "COMMENT", "EVENT TRIGGER watch", "", "app", 5)
    other = entry(7, "COMMENT", "TABLE t", "public", "app", 4)
    selection = select([trigger, comment, other])
    assert selection.main == (other,)
    assert [note.subject for note in selection.notes] == [str(trigger), str(comment)]


def test_what_locks_whole_partition_trees_has_a_pass_of_its_own_with_what_needs_it() -> None:
    """Several jobs of pg_restore that attach indexes and add foreign keys at once run into deadlocks."""
    index = entry(1, "INDEX", "child_a")
    attach = entry(2, "INDEX ATTACH", "child_a", "", "app", 1)
    referencing = Entry(3, "FK CONSTRAINT", "", "t t_fk", "app", "ALTER TABLE ONLY public.t\n    ADD …", (2,))
    comment = entry(4, "COMMENT", "CONSTRAINT t_fk ON t", "public", "app", 3)
    partitioned = Entry(5, "FK CONSTRAINT", "", "p p_fk", "app", "ALTER TABLE public.p\n    ADD …", (1,))
    plain = Entry(6, "FK CONSTRAINT", "", "u u_fk", "app", "ALTER TABLE ONLY public.u\n    ADD …", (1,))
    check = Entry(7, "CHECK CONSTRAINT", "", "p positive", "app", "ALTER TABLE public.p\n    ADD … NOT VALID", (1,))
    domain = Entry(8, "CHECK CONSTRAINT", "", "d small", "app", "ALTER DOMAIN public.d\n    ADD … NOT VALID", (1,))
    selection = select([index, attach, referencing, comment, partitioned, plain, check, domain])
    assert selection.trees == (attach, referencing, comment, partitioned, check)
    assert selection.main == (index, plain, domain)
    assert set(selection.objects) == {index, attach, referencing, comment, partitioned, plain, check, domain}


def test_rights_on_a_group_of_large_objects_are_granted_on_each() -> None:
    """The archive names the first one; the text of a role's name may look like it."""
    group = Entry(1, "BLOB METADATA", "", "7..9", "app", "7\n8\n9\n", ())
    granted = 'GRANT SELECT ON LARGE OBJECT 7 TO "object 7";'
    rights = Entry(2, "ACL", "", "LARGE OBJECTS 7..9", "app", f"{granted}\n\n", (1,))
    [entry] = select([group, rights]).privileges
    statements = [statement.text.strip() for statement in split(entry.definition)]
    assert statements == [granted.replace("OBJECT 7", f"OBJECT {oid}") for oid in (7, 8, 9)]


def test_settings_of_the_archive_are_no_entries_to_choose() -> None:
    assert select([entry(1, "ENCODING"), entry(2, "STDSTRINGS"), entry(3, "SEARCHPATH")]).objects == ()


def test_owners_and_extensions_are_those_of_what_is_kept() -> None:
    entries = [
        entry(1, "DATABASE", "shop", owner="boss"),
        entry(2, "EXTENSION", "citext", owner=""),
        entry(3, "TABLE", owner="app"),
        entry(4, "EVENT TRIGGER", owner="nobody needs them"),
    ]
    selection = select(entries)
    assert selection.owners == {"boss", "app"}
    assert selection.extensions == ("citext",)


ARCHIVE = [
    entry(1, "DATABASE", "shop", owner="boss"),
    entry(2, "ACL", "DATABASE shop", "", "boss", 1),
    entry(3, "SCHEMA", "sales", owner="seller"),
    entry(4, "TABLE", "t", "sales", "app"),
    entry(5, "ACL", "TABLE t", "sales", "app", 4),
    entry(6, "DEFAULT ACL", "DEFAULT PRIVILEGES FOR TABLES", "sales", "app"),
    entry(7, "BLOB METADATA", "11..12", "", "app"),
    entry(8, "COMMENT", "LARGE OBJECT 11", "", "app", 7),
    entry(9, "ACL", "LARGE OBJECTS 11..12", "", "app", 7),
    entry(10, "SEQUENCE", "s", "sales", "app"),
    entry(11, "MATERIALIZED VIEW", "v", "sales", "app"),
    entry(12, "TABLE DATA", "t", "sales", "app", 4),
    entry(13, "BLOBS", "BLOBS", "", "app", 7),
    entry(14, "SEQUENCE SET", "s", "sales", "app", 10),
    entry(15, "STATISTICS DATA", "t", "sales", "", 4),
    entry(16, "COMMENT", "TABLE t", "sales", "app", 4),
    entry(17, "FK CONSTRAINT", "t t_fk", "sales", "app", 4, 12),
    entry(18, "MATERIALIZED VIEW DATA", "v", "sales", "app", 11),
    entry(19, "EVENT TRIGGER", "watch", "", "app"),
]
IDS = {one.dump_id for one in ARCHIVE} - {19}


@pytest.mark.parametrize(
    ("options", "dropped"),
    [
        (ImportOptions(), set[int]()),
        (ImportOptions(owners=False), set[int]()),
        (ImportOptions(grants=False), {2, 5, 6, 9}),
        (ImportOptions(rows=False), {7, 8, 9, 12, 13, 14, 15, 18}),
        (ImportOptions(owners=False, grants=False, rows=False), {2, 5, 6, 7, 8, 9, 12, 13, 14, 15, 18}),
    ],
)
def test_what_the_request_drops_goes_with_what_is_about_it_and_without_notes(
    options: ImportOptions, dropped: set[int]
) -> None:
    selection = select(ARCHIVE, options)
    kept = {one.dump_id for one in (*selection.database, *selection.objects, *selection.privileges)}
    assert kept == IDS - dropped
    assert [note.subject for note in selection.notes] == ["EVENT TRIGGER watch"]


def test_dropped_owners_are_nobody_s_but_for_privileges_which_tell_the_service_s_own() -> None:
    selection = select(ARCHIVE, ImportOptions(owners=False))
    assert selection.owners == frozenset()
    assert {one.owner for one in selection.objects} == {""}
    assert [one.owner for one in selection.privileges] == ["app", "app", "app"]
    assert select(ARCHIVE).owners == {"boss", "seller", "app"}


def test_what_belongs_to_the_service_is_left_out_whoever_is_to_own_the_rest() -> None:
    function = entry(1, "FUNCTION", "f()", "pg_catalog", "azuresu")
    assert select([function], ImportOptions(owners=False)).objects == ()


def capabilities(allowed: frozenset[str] | None) -> Capabilities:
    return Capabilities(
        version=180006,
        user="admin",
        superuser=False,
        createdb=True,
        createrole=True,
        replication=False,
        bypassrls=False,
        extensions_available=frozenset({"citext", "vector", "uuid-ossp", "plpgsql"}),
        extensions_allowed=allowed,
        max_connections=100,
    )


@pytest.mark.parametrize(
    ("needed", "allowed"),
    [
        ([], frozenset[str]()),
        (["citext", "plpgsql"], frozenset({"citext"})),
        (["uuid-ossp"], frozenset({"uuid-ossp"})),
        (["vector"], None),
    ],
)
def test_extensions_that_the_server_has_and_allows_pass(needed: list[str], allowed: frozenset[str] | None) -> None:
    check_extensions(needed, capabilities(allowed))


def test_all_extensions_that_are_missing_are_named_with_the_command_that_allows_them() -> None:
    with pytest.raises(TargetRefused) as refused:
        check_extensions(["vector", "citext", "no_such"], capabilities(frozenset({"pg_trgm"})))
    assert refused.value.details == [
        'extension "no_such" is not available on the target server',
        'extension "citext" is not allow-listed (azure.extensions)',
        'extension "vector" is not allow-listed (azure.extensions)',
    ]
    assert refused.value.text.endswith("--name azure.extensions --value citext,pg_trgm,vector")
