"""Differences are found on either side, and only a note that accounts for all of one explains it."""

import pytest

from local.demo.differences import Area, Difference, Item, differences, explained
from shared.contracts.imports import Note, NoteKind

TABLE = Item(Area.SCHEMA, "TABLE app probe")
ROLE = Item(Area.ROLE, "ALTER ROLE app SET work_mem")
CREATE = "CREATE TABLE app.probe (\n    id integer\n);"
OWNED_BY_SERVICE = f"{CREATE}\n\n\nALTER TABLE app.probe OWNER TO azuresu;"
OWNED_BY_ADMIN = f"{CREATE}\n\n\nALTER TABLE app.probe OWNER TO flexadmin;"


def note(kind: NoteKind = NoteKind.SKIPPED, subject: str = "", statement: str = "", reason: str = "because") -> Note:
    return Note(kind=kind, subject=subject, statement=statement, reason=reason)


def test_what_is_missing_added_or_changed_differs_and_what_is_the_same_does_not() -> None:
    items = [Item(Area.SCHEMA, name) for name in ("TABLE a", "TABLE b", "TABLE c", "TABLE d")]
    a, b, c, d = items

    found = list(differences({a: "1", b: "2", c: "3"}, {a: "1", b: "22", d: "4"}))

    assert found == [Difference(b, "2", "22"), Difference(c, "3", None), Difference(d, None, "4")]


def test_both_texts_are_shown_as_a_unified_diff() -> None:
    lines = Difference(TABLE, OWNED_BY_SERVICE, OWNED_BY_ADMIN).unified().splitlines()

    assert lines[:2] == ["--- source", "+++ target"]
    assert lines[-2:] == ["-ALTER TABLE app.probe OWNER TO azuresu;", "+ALTER TABLE app.probe OWNER TO flexadmin;"]


@pytest.mark.parametrize(
    ("difference", "the_note"),
    [
        pytest.param(
            Difference(TABLE, OWNED_BY_SERVICE, OWNED_BY_ADMIN),
            note(NoteKind.CHANGED, statement="ALTER TABLE app.probe  OWNER TO azuresu"),
            id="a changed statement by its text, without its end mark and its blanks",
        ),
        pytest.param(
            Difference(TABLE, CREATE, None), note(subject="TABLE app probe"), id="a missing object by its subject"
        ),
        pytest.param(
            Difference(ROLE, "64MB", None),
            note(statement="ALTER ROLE app SET work_mem TO '64MB';"),
            id="a property by the head of its statement",
        ),
        pytest.param(
            Difference(TABLE, OWNED_BY_SERVICE, OWNED_BY_ADMIN),
            note(NoteKind.CHANGED, subject='owner "azuresu"'),
            id="an owner that cannot own anything there",
        ),
        pytest.param(
            Difference(Item(Area.ROLE, 'ALTER ROLE "the ""app""" PASSWORD'), "set", None),
            note(statement='ALTER ROLE the "app" PASSWORD'),
            id="a name whose quotes were doubled for SQL",
        ),
    ],
)
def test_a_note_about_it_explains_a_difference(difference: Difference, the_note: Note) -> None:
    assert explained(difference, [the_note]).reason == "because"


@pytest.mark.parametrize(
    ("difference", "the_note"),
    [
        pytest.param(
            Difference(TABLE, OWNED_BY_SERVICE, OWNED_BY_ADMIN), note(subject="TABLE app probe"), id="it is not missing"
        ),
        pytest.param(
            Difference(TABLE, OWNED_BY_SERVICE, OWNED_BY_ADMIN.replace("integer", "bigint")),
            note(NoteKind.CHANGED, statement="ALTER TABLE app.probe OWNER TO azuresu;"),
            id="something else changed too",
        ),
        pytest.param(
            Difference(TABLE, OWNED_BY_SERVICE, f"{OWNED_BY_ADMIN}\nALTER TABLE app.probe SET UNLOGGED;"),
            note(NoteKind.CHANGED, statement="ALTER TABLE app.probe OWNER TO azuresu;"),
            id="something was added",
        ),
        pytest.param(
            Difference(TABLE, None, CREATE), note(subject="TABLE app probe"), id="the source does not have it"
        ),
        pytest.param(
            Difference(TABLE, CREATE, None),
            note(NoteKind.FAILED, subject="TABLE app probe"),
            id="a failure is no excuse",
        ),
        pytest.param(Difference(TABLE, CREATE, None), note(subject="TABLE app probes"), id="another object"),
        pytest.param(
            Difference(TABLE, OWNED_BY_SERVICE, OWNED_BY_ADMIN),
            note(NoteKind.CHANGED, subject='owner "azure"'),
            id="another owner",
        ),
        pytest.param(
            Difference(TABLE, OWNED_BY_SERVICE, OWNED_BY_ADMIN),
            note(NoteKind.FAILED, statement="ALTER TABLE app.probe OWNER TO azuresu;"),
            id="a failed statement is no excuse",
        ),
        pytest.param(
            Difference(Item(Area.SCHEMA, "FUNCTION app f()"), "BEGIN\nx;\nEND;", "BEGIN\nx;"),
            note(NoteKind.CHANGED, statement="DO $$ BEGIN y; END; $$;"),
            id="words that another statement happens to hold",
        ),
        pytest.param(
            Difference(ROLE, "64MB", None),
            note(statement="ALTER ROLE app SET work_mem_of_mine TO '64MB';"),
            id="another setting that begins alike",
        ),
        pytest.param(
            Difference(ROLE, "64MB", "4MB"),
            note(NoteKind.CHANGED, statement="ALTER ROLE app SET work_mem TO '64MB';"),
            id="a property that was set in another form should still be the same",
        ),
    ],
)
def test_a_note_that_does_not_account_for_all_of_it_explains_nothing(difference: Difference, the_note: Note) -> None:
    assert not explained(difference, [the_note]).explained


def test_several_reasons_are_all_given_once() -> None:
    grants = Difference(Item(Area.SCHEMA, "ACL app TABLE probe"), "GRANT A;\nGRANT B;\nGRANT C;", "GRANT C;")

    found = explained(grants, [note(statement="GRANT A;", reason="first"), note(statement="GRANT B;", reason="second")])

    assert found.reason == "first; second"
