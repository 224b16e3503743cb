"""Restored files are known by their names."""

import pytest

from shared.contracts.files import FileKind
from shared.storage.landing import classify

GUID = "d98a8d0a-89c8-4b84-9c58-c6c8743e8478"


@pytest.mark.parametrize(
    ("name", "kind", "backup_name", "database"),
    [
        # a real listing
        ("backupstarttimestamp", FileKind.MARKER, "", ""),
        (f"{GUID}_database_a2assessment.sql", FileKind.DATABASE, GUID, "a2assessment"),
        (f"{GUID}_database_azure_sys.sql", FileKind.DATABASE, GUID, "azure_sys"),
        (f"{GUID}_roles.sql", FileKind.ROLES, GUID, ""),
        (f"{GUID}_schema.sql", FileKind.SCHEMA, GUID, ""),
        (f"{GUID}_tablespaces.sql", FileKind.TABLESPACES, GUID, ""),
        # as documents write them: plural, singular, another case
        (f"{GUID}_schemas.sql", FileKind.SCHEMA, GUID, ""),
        (f"{GUID}_Tablespace.sql", FileKind.TABLESPACES, GUID, ""),
        (f"{GUID}_ROLE.SQL", FileKind.ROLES, GUID, ""),
        # databases with names that look like other files
        (f"{GUID}_database_my_roles.sql", FileKind.DATABASE, GUID, "my_roles"),
        (f"{GUID}_database_x_database_y.sql", FileKind.DATABASE, GUID, "x_database_y"),
        (f'{GUID}_database_Kunden "Süd" 2024.sql', FileKind.DATABASE, GUID, 'Kunden "Süd" 2024'),
        # below a folder, should a container's address ever name one
        ("drill/backupstarttimestamp", FileKind.MARKER, "", ""),
        (f"drill/{GUID}_roles.sql", FileKind.ROLES, f"drill/{GUID}", ""),
    ],
)
def test_a_name_tells_kind_set_and_database(name: str, kind: FileKind, backup_name: str, database: str) -> None:
    file = classify(name)

    assert file is not None
    assert (file.kind, file.backup_name, file.database) == (kind, backup_name, database)


@pytest.mark.parametrize(
    "name", ["notes.txt", "roles.sql", f"{GUID}.sql", f"{GUID}_database_.sql", f"{GUID}_database_x.dump", "_roles.sql"]
)
def test_any_other_name_is_unknown(name: str) -> None:
    assert classify(name) is None
