"""The operator's queries are asked of a loaded database, and can change nothing in it."""

from collections.abc import Callable, Iterator

import pytest

from local.servers.postgres import FlexibleServer
from shared.errors import VerificationFailed
from shared.postgres.checks import require_ok, run_checks
from shared.postgres.server import TargetServer

NAME = "checked"


@pytest.fixture(scope="module", autouse=True)
def database(target: FlexibleServer) -> Iterator[None]:
    with target.connect(autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {NAME}")
    with target.connect(NAME) as connection:
        connection.execute("CREATE TABLE orders AS SELECT n FROM generate_series(1, 5) AS n")
    yield
    with target.connect(autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {NAME}")


@pytest.mark.parametrize(
    ("query", "ok", "answer"),
    [
        ("SELECT count(*) = 5, 'more' FROM orders", True, "True"),
        ("SELECT true -- 100 %", True, "True"),
        ("SELECT count(*) = 6 FROM orders", False, "False"),
        ("SELECT count(*) FROM orders", False, "5"),
        ("SELECT NULL::boolean", False, "None"),
        ("SELECT true FROM orders", False, "its answer is not one row"),
        ("SELECT true FROM orders WHERE n > 5", False, "its answer is not one row"),
        ("SELECT FROM orders LIMIT 1", False, "its answer is not one row"),
        ("SET work_mem = '1MB'", False, "its answer is not one row"),
        ("", False, "its answer is not one row"),
        ("SELECT true FROM nowhere", False, 'relation "nowhere" does not exist'),
        ("SELECT 1 / (n - n) = 1 FROM orders", False, "division by zero"),
        ("SELECT repeat('x', 1000)", False, "characters left out"),
        ("DELETE FROM orders RETURNING true", False, "cannot execute DELETE in a read-only transaction"),
        ("COMMIT; DROP TABLE orders", False, "cannot insert multiple commands"),
        ("SELECT pg_sleep(60) IS NULL", False, "it took longer"),
    ],
)
def test_a_check_is_well_when_its_only_row_begins_with_true(
    target: FlexibleServer, server: TargetServer, query: str, ok: bool, answer: str
) -> None:
    [found, after] = run_checks(server, NAME, {"a": query, "b": "SELECT true"}, timeout_seconds=1)
    assert (found.name, found.ok, after.ok) == ("a", ok, True)
    assert answer in found.answer
    assert len(found.answer) < 400
    with target.connect(NAME) as connection:
        assert connection.execute("SELECT count(*) FROM orders").fetchone() == (5,)


def test_failed_checks_are_named_with_their_answers(server: TargetServer) -> None:
    found = run_checks(server, NAME, {"well": "SELECT true", "few": "SELECT 3", "none": "SELECT false"})
    with pytest.raises(VerificationFailed, match="2 of 3 checks that the operator configured failed") as failed:
        require_ok(found)
    assert failed.value.details == ["check few: 3", "check none: False"]


def test_without_checks_nothing_is_asked(server: TargetServer, databases: Callable[[], set[str]]) -> None:
    assert "no such database" not in databases()
    assert run_checks(server, "no such database", {}) == ()
