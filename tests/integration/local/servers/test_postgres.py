"""A flexible server: what its admin may do, what it refuses, and that it survives its own death."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from local.servers.places import binaries
from local.servers.postgres import FlexibleServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlexibleServer]:
    with FlexibleServer.create(tmp_path_factory.mktemp("server"), name="contoso-pg") as server:
        yield server


@pytest.fixture
def database(server: FlexibleServer, request: pytest.FixtureRequest) -> Iterator[str]:
    """A database of the admin's, made from the template that the test names, or from template1."""
    template = getattr(request, "param", "template1")
    with server.connect(autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE trial TEMPLATE {template}")
    yield "trial"
    # Not as the admin, who may not end a superuser's process, and a test's may still be on its way out.
    with server.connect(as_superuser=True, autocommit=True) as connection:
        connection.execute("DROP DATABASE trial WITH (FORCE)")


def test_the_admin_is_no_superuser_but_may_create_roles_and_databases(server: FlexibleServer) -> None:
    with server.connect() as connection:
        row = connection.execute(
            "SELECT rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication,"
            " pg_has_role(rolname, 'azure_pg_admin', 'MEMBER') FROM pg_roles WHERE rolname = current_user"
        ).fetchone()

    assert row == (False, True, True, True, False, True)


def test_the_service_roles_exist_and_azuresu_is_the_bootstrap_superuser(server: FlexibleServer) -> None:
    with server.connect() as connection:
        rows = connection.execute(
            "SELECT rolname, rolsuper, rolcanlogin, oid < 16384 FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY 1"
        ).fetchall()

    assert rows == [
        ("azure_pg_admin", False, False, False),
        ("azuresu", True, True, True),
        ("flexadmin", False, True, False),
        ("replication", False, True, False),
    ]


def test_the_admin_cannot_hand_on_the_superuser_or_a_role_without_admin_option(server: FlexibleServer) -> None:
    with server.connect(autocommit=True) as connection:
        for statement in ("GRANT azuresu TO flexadmin", "GRANT pg_use_reserved_connections TO flexadmin"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)


def test_the_service_databases_exist_with_their_owners(server: FlexibleServer) -> None:
    with server.connect() as connection:
        rows = connection.execute("SELECT datname, pg_get_userbyid(datdba) FROM pg_database ORDER BY 1").fetchall()

    assert rows == [
        ("azure_maintenance", "azuresu"),
        ("azure_sys", "azuresu"),
        ("postgres", "azure_pg_admin"),
        ("template0", "azure_pg_admin"),
        ("template1", "azure_pg_admin"),
    ]


@pytest.mark.parametrize(
    ("database", "owner"),
    [("template1", "azure_pg_admin"), ("template0", "pg_database_owner")],
    indirect=["database"],
)
def test_schema_public_belongs_to_azure_pg_admin_unless_made_from_template0(
    server: FlexibleServer, database: str, owner: str
) -> None:
    with server.connect(database) as connection:
        row = connection.execute("SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 'public'").fetchone()

    assert row == (owner,)


@pytest.mark.parametrize("database", ["template0", "template1"], indirect=True)
@pytest.mark.parametrize(
    "extension",
    [
        pytest.param("pageinspect", id="installed here"),
        pytest.param("vector", id="on Azure only"),
        pytest.param("azure", id="the service's own"),
    ],
)
def test_an_extension_off_the_allow_list_is_refused_with_azures_words(
    server: FlexibleServer, database: str, extension: str
) -> None:
    with (
        server.connect(database, autocommit=True) as connection,
        pytest.raises(psycopg.errors.FeatureNotSupported) as refusal,
    ):
        connection.execute(f"CREATE EXTENSION {extension}")

    assert refusal.value.diag.message_primary == (
        f'extension "{extension}" is not allow-listed for "azure_pg_admin" users in Azure Database for PostgreSQL'
    )
    assert refusal.value.diag.message_hint == (
        'to see the full allow list of extensions, please run: "show azure.extensions;"'
    )


def test_setting_the_allow_list_in_a_session_opens_nothing(server: FlexibleServer, database: str) -> None:
    with server.connect(database, autocommit=True) as connection:
        connection.execute("SET azure.extensions = 'pageinspect'")
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="not allow-listed"):
            connection.execute("CREATE EXTENSION pageinspect")


@pytest.mark.parametrize("database", ["template0", "template1"], indirect=True)
def test_the_admin_creates_allow_listed_extensions_also_untrusted_ones(server: FlexibleServer, database: str) -> None:
    with server.connect(database, autocommit=True) as connection:
        for extension in ("hstore", "pg_stat_statements", "postgres_fdw"):
            connection.execute(f"CREATE EXTENSION {extension}")
        connection.execute("CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw")
        row = connection.execute("SELECT 'a=>1'::hstore -> 'a'").fetchone()

    assert row == ("1",)


def test_a_role_outside_azure_pg_admin_creates_no_extension(server: FlexibleServer, database: str) -> None:
    with server.connect(database, autocommit=True) as connection:
        connection.execute("CREATE ROLE app LOGIN PASSWORD 'app'")
        with (
            psycopg.connect(server.url(database), user="app", password="app", autocommit=True) as application,
            pytest.raises(psycopg.errors.InsufficientPrivilege, match='Only members of "azure_pg_admin" are allowed'),
        ):
            application.execute("CREATE EXTENSION hstore")
        connection.execute("DROP ROLE app")


def test_the_superuser_is_not_bound_to_the_allow_list(server: FlexibleServer, database: str) -> None:
    with server.connect(database, as_superuser=True) as connection:
        connection.execute("CREATE EXTENSION pageinspect WITH SCHEMA public")


def test_the_allow_list_is_shown_and_is_the_servers_own(tmp_path: Path) -> None:
    with (
        FlexibleServer.create(tmp_path, name="strict", admin="Ops Admin", allowed_extensions=["citext"]) as server,
        server.connect(autocommit=True) as connection,
    ):
        assert connection.execute("SHOW azure.extensions").fetchone() == ("citext",)
        connection.execute("CREATE EXTENSION citext")
        with pytest.raises(psycopg.errors.FeatureNotSupported, match='"hstore" is not allow-listed'):
            connection.execute("CREATE EXTENSION hstore")


def test_an_extension_that_is_not_here_cannot_be_allow_listed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no allow-listing of postgis, vector"):
        FlexibleServer.create(tmp_path, name="wishful", allowed_extensions=["vector", "hstore", "POSTGIS"])


def test_event_triggers_are_beyond_the_admin(server: FlexibleServer, database: str) -> None:
    with (
        server.connect(database, autocommit=True) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied to create event trigger"),
    ):
        connection.execute(
            "CREATE EVENT TRIGGER mine ON ddl_command_start EXECUTE FUNCTION pg_catalog.azure_guard_extension()"
        )


def test_a_dump_of_a_customers_database_shows_azures_grants_and_no_trace_of_the_guard(
    server: FlexibleServer, database: str
) -> None:
    script = dump(server, database)

    assert "ALTER SCHEMA public OWNER TO azure_pg_admin" in script
    assert "GRANT SELECT(oid) ON TABLE pg_catalog.pg_subscription TO azure_pg_admin" in script
    assert "EXTENSION" not in script
    assert "EVENT TRIGGER" not in script
    assert "azure_guard" not in script


def test_a_dump_of_the_service_databases_names_their_extensions(server: FlexibleServer) -> None:
    assert "CREATE EXTENSION IF NOT EXISTS pgaadauth" in dump(server, "postgres")
    assert "CREATE EXTENSION IF NOT EXISTS pg_availability" in dump(server, "azure_maintenance")
    assert "CREATE EXTENSION IF NOT EXISTS pg_qs" in dump(server, "azure_sys")


def test_committed_rows_survive_kill_9_and_stop(tmp_path: Path) -> None:
    with FlexibleServer.create(tmp_path, name="mortal") as server:
        with server.connect() as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
        server.kill()
        assert not server.running
        server.start()
        server.stop()
        server.start()
        with server.connect() as connection:
            assert connection.execute("SELECT one FROM kept").fetchone() == (1,)
        home = server._postmaster.home
        assert home.exists()

    assert not home.exists()


def test_the_servers_words_are_in_the_log(tmp_path: Path) -> None:
    with FlexibleServer.create(tmp_path, name="chatty") as server:
        assert server.version.startswith("18.")
        with server.connect() as connection, pytest.raises(psycopg.errors.UndefinedTable):
            connection.execute("SELECT * FROM nowhere")

    assert 'relation "nowhere" does not exist' in (tmp_path / "chatty.log").read_text()


def dump(server: FlexibleServer, database: str) -> str:
    url = server.url(database, as_superuser=True)
    return subprocess.run([binaries() / "pg_dump", "--dbname", url], check=True, capture_output=True, text=True).stdout
