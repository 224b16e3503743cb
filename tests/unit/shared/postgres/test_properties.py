"""A database is created as it was, and what would hinder the load waits for its final name."""

import pytest

from shared.postgres.properties import creation_options, read_properties, renamed
from shared.postgres.toc import Entry


@pytest.mark.parametrize(
    ("statement", "options"),
    [
        (
            (
                "CREATE DATABASE \"we ird\" WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE_PROVIDER = builtin"
                " LOCALE = 'C' BUILTIN_LOCALE = 'PG_UNICODE_FAST';"
            ),
            "ENCODING = 'UTF8' LOCALE_PROVIDER = builtin LOCALE = 'C' BUILTIN_LOCALE = 'PG_UNICODE_FAST'",
        ),
        (
            (
                "CREATE DATABASE shop WITH TEMPLATE = template0 ENCODING = 'LATIN1' LC_COLLATE = 'de' LC_CTYPE = 'de'"
                " TABLESPACE = fast CONNECTION LIMIT = -1;"
            ),
            "ENCODING = 'LATIN1' LC_COLLATE = 'de' LC_CTYPE = 'de'",
        ),
        (
            "CREATE DATABASE shop WITH OWNER = me ICU_LOCALE = 'de' ICU_RULES = '&a < b; &c = d' IS_TEMPLATE = true;",
            "ICU_LOCALE = 'de' ICU_RULES = '&a < b; &c = d'",
        ),
        ("CREATE DATABASE shop;", ""),
        (
            "CREATE DATABASE shop ENCODING = 'UTF8'; DROP DATABASE other; ALTER DATABASE x SET a = b;",
            "ENCODING = 'UTF8'",
        ),
        ("CREATE DATABASE \";\" LOCALE = ';';", "LOCALE = ';'"),
    ],
)
def test_options_that_belong_to_the_old_server_are_not_copied(statement: str, options: str) -> None:
    assert creation_options(statement) == options


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("ALTER DATABASE shop SET work_mem TO '1MB'", 'ALTER DATABASE "new""name" SET work_mem TO \'1MB\''),
        ('GRANT CONNECT ON DATABASE "shop" TO shop', 'GRANT CONNECT ON DATABASE "new""name" TO shop'),
        ("COMMENT ON DATABASE shop IS 'DATABASE shop'", 'COMMENT ON DATABASE "new""name" IS \'DATABASE shop\''),
        ("ALTER ROLE shop IN DATABASE shop SET a TO 'b'", 'ALTER ROLE shop IN DATABASE "new""name" SET a TO \'b\''),
        ("ALTER DATABASE shopping SET a TO 'shop'", None),
        ('ALTER DATABASE "Shop" RESET a', None),
        ("ALTER ROLE shop SET a TO 'DATABASE shop'", None),
    ],
)
def test_only_the_databases_name_is_exchanged(statement: str, expected: str | None) -> None:
    assert renamed(statement, "shop", 'new"name') == expected


def test_settings_hold_for_the_load_and_the_rest_waits() -> None:
    entries = [
        Entry(1, "DATABASE", "", "shop", "app", "CREATE DATABASE shop WITH ENCODING = 'UTF8';\n", ()),
        Entry(
            2,
            "DATABASE PROPERTIES",
            "",
            "shop",
            "app",
            "ALTER DATABASE shop CONNECTION LIMIT = 7;\nALTER DATABASE shop IS_TEMPLATE = true;\n"
            "ALTER DATABASE shop SET search_path TO 'a', 'b;c';\nALTER ROLE x IN DATABASE shop SET d TO 'e';\n",
            (),
        ),
        Entry(3, "COMMENT", "", "DATABASE shop", "app", "COMMENT ON DATABASE shop IS 'it''s; here';\n", ()),
        Entry(4, "ACL", "", "DATABASE shop", "app", "GRANT CONNECT ON DATABASE shop TO x;\n", ()),
    ]
    found = read_properties("shop", entries)
    assert found.options == "ENCODING = 'UTF8'"
    assert found.settings == (
        "ALTER DATABASE shop SET search_path TO 'a', 'b;c';",
        "ALTER ROLE x IN DATABASE shop SET d TO 'e';",
    )
    assert found.closing == (
        'ALTER DATABASE "shop" OWNER TO "app"',
        "ALTER DATABASE shop CONNECTION LIMIT = 7;",
        "ALTER DATABASE shop IS_TEMPLATE = true;",
        "COMMENT ON DATABASE shop IS 'it''s; here';",
    )
    assert [one.dump_id for one in found.privileges] == [4]


def test_the_database_is_called_what_its_own_entry_calls_it() -> None:
    """The archive's head has the name as pg_dump's caller wrote it, in an encoding that nothing tells."""
    entries = [
        Entry(1, "DATABASE", "", "größe", "", "CREATE DATABASE \"größe\" WITH ENCODING = 'LATIN1';\n", ()),
        Entry(2, "DATABASE PROPERTIES", "", "größe", "", "ALTER DATABASE \"größe\" SET a TO 'b';\n", ()),
    ]
    assert read_properties("gr\ufffd\ufffde", entries).name == "größe"
