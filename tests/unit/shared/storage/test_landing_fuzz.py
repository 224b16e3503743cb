"""File names that nobody thought of."""

import string

from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.contracts.files import FileKind, RestoredFile
from shared.storage.landing import classify

PARTS = st.sampled_from(["_database_", "_DATABASE_", "_roles", "_role", "_schemas", "_tablespace", ".sql", ".SQL", "/"])
WORDS = st.text(st.characters(codec="utf-8"), max_size=4) | st.text(string.ascii_letters + "_./\n", max_size=4)
NAMES = st.lists(PARTS | WORDS | st.just("backupstarttimestamp"), max_size=7).map("".join)
LINE = st.text(st.characters(codec="utf-8"), min_size=1)


@settings(max_examples=2000, derandomize=True, deadline=None, database=None)
@given(NAMES)
@example("\n_database_\n.sql")
@example("a_database_\n.sql\n")
def test_each_name_is_of_one_kind_or_of_none_and_is_told_whole(name: str) -> None:
    file = classify(name, 7, "e")
    if file is None:
        return
    assert (file.name, file.size, file.etag) == (name, 7, "e")
    assert RestoredFile.from_wire(file.to_wire()) == file
    assert bool(file.database) == (file.kind is FileKind.DATABASE)
    assert bool(file.backup_name) == (file.kind is not FileKind.MARKER)
    if file.kind is FileKind.DATABASE:
        middle = name[len(file.backup_name) : len(name) - len(file.database) - len(".sql")]
        assert middle.lower() == "_database_"
        assert name[-len(".sql") - len(file.database) : -len(".sql")] == file.database
    elif file.kind is not FileKind.MARKER:
        assert name.startswith(f"{file.backup_name}_")
        assert name.lower().endswith(".sql")


@settings(max_examples=500, derandomize=True, deadline=None, database=None)
@given(LINE)
def test_a_database_of_any_name_is_found_under_it(database: str) -> None:
    file = classify(f"d98a8d0a_database_{database}.sql")
    assert file is not None
    assert (file.kind, file.backup_name, file.database) == (FileKind.DATABASE, "d98a8d0a", database)
