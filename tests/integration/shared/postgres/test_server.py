"""What is asked of a flexible server, and what it answers."""

import threading
from dataclasses import replace

import pytest
from pydantic import SecretStr

from local.servers.ports import free_port
from local.servers.postgres import FlexibleServer
from shared.errors import RestoreCancelled, TargetRefused, TargetUnavailable
from shared.postgres.server import TargetServer, ensure_can_set, read_capabilities


def test_capabilities_are_the_admins(server: TargetServer, target: FlexibleServer) -> None:
    with server.connect() as connection:
        found = read_capabilities(connection)
    assert (found.major, found.user) == (18, target.admin)
    assert (found.superuser, found.createdb, found.createrole) == (False, True, True)
    assert found.extensions_allowed is not None
    assert {"citext", "pg_trgm"} <= found.extensions_allowed
    assert {"citext", "isn"} <= found.extensions_available
    assert "isn" not in found.extensions_allowed


def test_a_password_that_is_a_function_is_asked_at_each_connection(server: TargetServer) -> None:
    """Entra tokens expire."""
    asked: list[str] = []

    def token() -> str:
        asked.append("once more")
        return server.secret()

    fresh = replace(server, password=token)
    fresh.connect().close()
    assert fresh.environment("postgres")["PGPASSWORD"] == server.secret()
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("changes", "database", "said"),
    [
        ({"password": SecretStr("wrong")}, "postgres", "password authentication failed"),
        ({"user": "nobody there"}, "postgres", "password authentication failed"),
        ({}, "no such database", "does not exist"),
    ],
)
def test_a_refused_connection_is_permanent(
    server: TargetServer, changes: dict[str, SecretStr | str], database: str, said: str
) -> None:
    with pytest.raises(TargetRefused, match=said) as refused:
        replace(server, **changes).connect(database)  # type: ignore[arg-type]  # the table above fits the fields
    assert server.secret() not in refused.value.text


def test_a_server_that_does_not_answer_is_tried_again(server: TargetServer) -> None:
    with pytest.raises(TargetUnavailable, match="does not answer"):
        replace(server, port=free_port()).connect()


def test_the_password_is_in_no_representation(server: TargetServer) -> None:
    assert server.secret() not in repr(server)


def test_an_advisory_lock_is_held_by_one_at_a_time(server: TargetServer) -> None:
    order: list[str] = []
    waiting = threading.Event()

    def second() -> None:
        waiting.set()
        with server.advisory_lock("same"):
            order.append("second")

    with server.advisory_lock("same") as connection:
        thread = threading.Thread(target=second)
        thread.start()
        waiting.wait()
        with server.advisory_lock("another"):
            order.append("another")
        query = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        while connection.execute(query).fetchone() != (1,):
            assert thread.is_alive()
        order.append("first")
    thread.join()
    assert order == ["another", "first", "second"]


def test_who_waits_for_a_lock_that_nobody_wants_any_more_stops_waiting(
    server: TargetServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.postgres.server.LOOKS_EVERY_SECONDS", 0.05)
    looks: list[int] = []

    def still_wanted() -> None:
        looks.append(len(looks))
        if len(looks) == 3:
            raise RestoreCancelled

    with server.advisory_lock("taken"):
        with pytest.raises(RestoreCancelled), server.advisory_lock("taken", still_wanted):
            pytest.fail("two hold the lock")
        assert len(looks) == 3


def test_a_lock_is_free_as_soon_as_its_holder_has_left_it(server: TargetServer) -> None:
    """Though the server ends a closed session some time later: it drops the temporary tables of this one first."""
    tables = "DO $$BEGIN FOR n IN 1..500 LOOP EXECUTE 'CREATE TEMPORARY TABLE t' || n || '()'; END LOOP; END$$"
    with server.advisory_lock("given back") as connection:
        connection.execute(tables)
    with server.try_advisory_lock("given back") as taken:
        assert taken is not None


def test_a_lock_whose_session_was_lost_does_not_undo_what_was_done_under_it(server: TargetServer) -> None:
    with server.connect() as other, server.advisory_lock("lost") as connection:
        other.execute("SELECT pg_terminate_backend(%s, 10000)", [connection.info.backend_pid])


def test_roles_that_the_user_made_become_settable_and_others_are_named(
    server: TargetServer, target: FlexibleServer
) -> None:
    with target.connect(autocommit=True) as connection:
        connection.execute("CREATE ROLE own_role")
    with target.connect(as_superuser=True, autocommit=True) as connection:
        connection.execute("CREATE ROLE foreign_role")
    with server.connect() as connection:
        roles = ensure_can_set(connection, ["own_role", "foreign_role", "no_role", target.admin])
        again = ensure_can_set(connection, ["own_role"])
    assert roles.granted == ("own_role",)
    assert roles.settable == {"own_role", target.admin}
    assert roles.why_not("own_role") is None
    assert "cannot become" in (roles.why_not("foreign_role") or "")
    assert "there is no role" in (roles.why_not("no_role") or "")
    assert again.granted == ()
