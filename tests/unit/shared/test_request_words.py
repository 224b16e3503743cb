"""The request in words: no field without a label, no choice without its meaning, and what was left at its default."""

from enum import StrEnum
from typing import Any, Literal, get_args, get_origin

import pytest

from shared.contracts.report import RequestField
from shared.contracts.request import RestoreRequest
from shared.request_words import _CHOICES, _LABELS, in_words

MINIMAL = {"requestId": "INC-1", "source": {"backupInstance": "orders"}, "target": "drill"}


def words(**more: Any) -> dict[str, RequestField]:
    return {field.name: field for field in in_words({**MINIMAL, **more})}


def test_every_field_has_its_words() -> None:
    assert set(_LABELS) == set(RestoreRequest.model_fields)
    assert [field.name for field in in_words(MINIMAL)] == [
        field.alias or name for name, field in RestoreRequest.model_fields.items()
    ]


@pytest.mark.parametrize("name", _CHOICES)
def test_every_choice_has_its_words(name: str) -> None:
    kind = RestoreRequest.model_fields[name].annotation
    if get_origin(kind) is Literal:
        choices = set(get_args(kind))
    elif isinstance(kind, type) and issubclass(kind, StrEnum):
        choices = set(kind)
    else:
        choices = {False, True}

    assert set(_CHOICES[name]) == choices


def test_what_the_request_does_not_say_is_told_as_its_default() -> None:
    found = words(onConflict="replace")

    assert (found["onConflict"].given, found["target"].given) == (True, True)
    assert found["onConflict"].value.startswith("replace: ")
    assert (found["roles"].given, found["ticket"].given) == (False, False)
    assert (found["databases"].value, found["exclude"].value, found["ticket"].value) == ("all", "none", "not said")


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ({"backupInstance": "orders"}, "backup instance orders, its latest recovery point"),
        ({"backupInstance": "orders", "recoveryPoint": "a1"}, "backup instance orders, its recovery point a1"),
        (
            {"backupInstance": "orders", "atOrBefore": "2026-04-01T05:00:00+02:00"},
            "backup instance orders, its newest recovery point not after 2026-04-01 03:00:00 UTC",
        ),
        ({"container": "landing-1", "backupName": "b"}, "the files of backup b that lie in landing-1"),
    ],
)
def test_the_source_is_told_in_a_sentence(source: dict[str, str], text: str) -> None:
    assert words(source=source)["source"].value == text


def test_databases_are_told_with_the_names_that_they_get() -> None:
    found = words(databases=["bank", {"name": "at*", "as": "*_copy"}], exclude=["x", "y*"])

    assert (found["databases"].value, found["exclude"].value) == ("bank; at* as *_copy", "x; y*")


def test_what_is_no_request_is_told_as_it_came() -> None:
    fields = in_words({"requestId": "INC-1", "sauce": {"a": [1, "ß"]}})

    assert [(field.label, field.value, field.given) for field in fields] == [
        ("requestId", "INC-1", True),
        ("sauce", '{"a": [1, "ß"]}', True),
    ]
