"""Failures of a load are sorted: harmless ones are notes, the others fail the database in words."""

import pytest

from shared.contracts.imports import NoteKind
from shared.errors import FlexRestoreError, ImportFailed, LoadInterrupted, TargetUnavailable, UnreadableFile
from shared.postgres.diagnostics import Diagnostic, Severity
from shared.postgres.options import ImportOptions
from shared.postgres.toc import Entry
from shared.postgres.tolerance import sort_out

TABLE = Entry(215, "TABLE", "public", "my table", "gone", "", ())
PUBLICATION = Entry(300, "PUBLICATION", "", "p", "azuresu", "", ())
COMMENT = Entry(301, "COMMENT", "", "PUBLICATION p", "azuresu", "", (300,))


def error(message: str, statement: str = "", entry: str = "") -> Diagnostic:
    return Diagnostic(Severity.ERROR, message, statement=statement, entry=entry)


def test_an_expected_owner_is_no_note_for_each_object() -> None:
    failure = error('role "gone" does not exist', 'ALTER TABLE public."my table" OWNER TO gone;', "215; 1259 1 TABLE …")
    assert sort_out([failure], frozenset({"gone"}), [TABLE]).notes == ()
    with pytest.raises(ImportFailed, match=r'TABLE public my table: role "gone" does not exist'):
        sort_out([failure], frozenset(), [TABLE])


def test_what_needs_a_superuser_is_absent_with_all_that_is_about_it() -> None:
    failures = [
        error(
            "must be superuser to create FOR ALL TABLES publication",
            "CREATE PUBLICATION p FOR ALL TABLES;",
            "300; 6104 1 PUBLICATION - p azuresu",
        ),
        error('publication "p" does not exist', "ALTER PUBLICATION p OWNER TO azuresu;", "300; 6104 1 PUBLICATION"),
        error('publication "p" does not exist', "COMMENT ON PUBLICATION p IS 'x';", "301; 0 0 COMMENT"),
    ]
    found = sort_out(failures, frozenset(), [PUBLICATION, COMMENT])
    assert found.absent == (300, 301)
    (note,) = found.notes
    assert (note.kind, note.subject, note.matters) == (NoteKind.TOLERATED, "PUBLICATION p", True)


def test_a_missing_object_whose_own_failure_was_not_tolerated_fails() -> None:
    with pytest.raises(ImportFailed):
        sort_out(
            [error('publication "p" does not exist', "COMMENT ON PUBLICATION p IS 'x';", "301; 0 0 C")],
            frozenset(),
            [COMMENT],
        )


@pytest.mark.parametrize(
    "message", ["permission denied for table hidden", 'materialized view "seen" has not been populated']
)
def test_a_view_that_cannot_be_read_is_tolerated_only_where_the_request_drops_grants(message: str) -> None:
    view = Entry(400, "MATERIALIZED VIEW DATA", "public", "seen", "app", "", ())
    failure = error(message, "REFRESH MATERIALIZED VIEW public.seen;", "400; 0 0 MATERIALIZED VIEW DATA public seen")
    found = sort_out([failure], frozenset(), [view], ImportOptions(grants=False))
    assert found.absent == (400,)
    assert [note.matters for note in found.notes] == [True]
    with pytest.raises(ImportFailed):
        sort_out([failure], frozenset(), [view], ImportOptions(owners=False))
    with pytest.raises(ImportFailed):
        sort_out([error(message, "SELECT 1;")], frozenset(), [], ImportOptions(grants=False))


@pytest.mark.parametrize(
    ("failure", "kind", "said"),
    [
        (error("server closed the connection unexpectedly"), TargetUnavailable, "went away"),
        (error("could not read from input file: end of file"), UnreadableFile, "truncated or corrupt"),
        (error("a worker process died unexpectedly"), LoadInterrupted, "interrupted"),
        (error("deadlock detected", "ALTER INDEX a ATTACH PARTITION b;"), LoadInterrupted, "deadlock"),
        (error('could not extend file "base/1": No space left on device', "COPY t"), ImportFailed, "out of storage"),
        (
            error("cannot execute CREATE TABLE in a read-only transaction", "CREATE TABLE"),
            ImportFailed,
            "out of storage",
        ),
        (
            error("syntax error at or near x", "x", "215; 1259 1 TABLE"),
            ImportFailed,
            "TABLE public my table: syntax error",
        ),
        (error('row says "corrupt"', "INSERT INTO t"), ImportFailed, "1 statements failed"),
    ],
)
def test_what_cannot_be_tolerated_is_told_apart(failure: Diagnostic, kind: type[FlexRestoreError], said: str) -> None:
    with pytest.raises(kind, match=said):
        sort_out([failure], frozenset(), [TABLE])


def test_a_setting_that_an_older_server_does_not_know_is_harmless() -> None:
    failure = error('unrecognized configuration parameter "transaction_timeout"', "SET transaction_timeout = 0;")
    (note,) = sort_out([failure]).notes
    assert not note.matters


@pytest.mark.parametrize("about", ["DATABASE old", 'ROLE app IN DATABASE "o;ld"'])
def test_a_setting_that_the_target_does_not_take_is_told_and_fails_no_load(about: str) -> None:
    statement = f"ALTER {about} SET force_parallel_mode TO 'on';"
    (note,) = sort_out([error('unrecognized configuration parameter "force_parallel_mode"', statement)]).notes
    assert (note.kind, note.matters, note.statement) == (NoteKind.TOLERATED, True, statement)
    with pytest.raises(ImportFailed):
        sort_out([error('database "old" does not exist', "ALTER DATABASE old OWNER TO app;")])


@pytest.mark.parametrize("statement", ["SET transaction_timeout = 0;", ""])
def test_a_setting_of_a_newer_version_is_no_failure_whatever_entry_it_was_said_at(statement: str) -> None:
    """Each job of a parallel pg_restore sets it, and the jobs write over each other."""
    failure = error('unrecognized configuration parameter "transaction_timeout"', statement, "215; 1259 1 TABLE …")
    found = sort_out([failure], frozenset(), [TABLE])

    assert found.absent == ()
    assert not any(note.matters for note in found.notes)


@pytest.mark.parametrize(
    "said",
    [
        "sorry, too many clients already",
        "remaining connection slots are reserved for roles with the SUPERUSER attribute",
        'too many connections for role "importer"',
    ],
)
def test_a_server_without_a_free_connection_is_tried_again_and_says_what_to_raise(said: str) -> None:
    failure = error(f'connection to server at "h", port 5432 failed: FATAL:  {said}')
    with pytest.raises(TargetUnavailable, match=r"end sessions .* max_connections"):
        sort_out([failure])


def test_a_statement_that_a_limit_of_the_script_itself_cancels_fails_the_database() -> None:
    """It would be cancelled at every try."""
    with pytest.raises(ImportFailed, match="statement timeout"):
        sort_out([error("canceling statement due to statement timeout", "SELECT slow();")])
