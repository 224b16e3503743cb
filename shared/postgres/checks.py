"""Ask a loaded database the operator's own queries, which know better than any catalog what belongs into it."""

from collections.abc import Mapping, Sequence

import psycopg

from shared.contracts.imports import CheckResult
from shared.errors import VerificationFailed, cut
from shared.postgres.notes import readable
from shared.postgres.server import Connection, TargetServer, message, server_errors

TIMEOUT_SECONDS = 300
"""For one query."""
_ANSWER_LIMIT = 300


def run_checks(
    server: TargetServer, dbname: str, checks: Mapping[str, str], timeout_seconds: float = TIMEOUT_SECONDS
) -> tuple[CheckResult, ...]:
    """The answers to the queries, each asked in a read-only transaction of its own; a refusal is an answer too.

    Raises:
        TargetUnavailable: try again.
    """
    if not checks:
        return ()
    with server_errors(), server.connect(dbname) as connection:
        connection.execute("SET default_transaction_read_only = on")
        connection.execute(f"SET statement_timeout = {int(timeout_seconds * 1000)}")
        return tuple(_ask(connection, name, query) for name, query in checks.items())


def require_ok(results: Sequence[CheckResult]) -> tuple[CheckResult, ...]:
    """The results, when all are well.

    Raises:
        VerificationFailed: the details name each that is not, with its answer.
    """
    failed = [f"check {result.name}: {result.answer}" for result in results if not result.ok]
    if failed:
        raise VerificationFailed(
            f"{len(failed)} of {len(results)} checks that the operator configured failed; the first: {failed[0]}",
            details=failed,
        )
    return tuple(results)


def _ask(connection: Connection, name: str, query: str) -> CheckResult:
    ok = False
    try:
        # Prepared, so that it is one statement: a second one could leave the read-only transaction.
        cursor = connection.execute(query.encode(), prepare=True)
        rows = cursor.fetchmany(2) if cursor.description else []
    except psycopg.errors.QueryCanceled:
        answer = "it took longer than the time that a check has"
    except psycopg.OperationalError:
        raise
    except psycopg.Error as error:
        answer = message(error)
    else:
        ok = len(rows) == 1 and bool(rows[0]) and rows[0][0] is True
        answer = readable(str(rows[0][0])) if len(rows) == 1 and rows[0] else "its answer is not one row"
    return CheckResult(name=name, ok=ok, answer=cut(answer, _ANSWER_LIMIT))
