"""The exception tree, and text that is cut before it crosses a boundary."""

import inspect
import re

from shared import errors


def test_the_docstring_draws_every_exception_under_its_parent() -> None:
    lines = (re.match(r"^([│├└─ ]*)([A-Z]\w+)\b", line) for line in (errors.__doc__ or "").splitlines())
    drawn = [(len(found[1]) // 4, found[2]) for found in lines if found]
    start = [name for _, name in drawn].index("FlexRestoreError")
    parents: dict[str, str] = {}
    path: list[str] = []
    for depth, name in drawn[start:]:
        if depth == 0 and name != "FlexRestoreError":
            break
        path[depth:] = [name]
        if depth:
            parents[name] = path[depth - 1]
    classes = {
        name: cls.__bases__[0].__name__
        for name, cls in inspect.getmembers(errors, inspect.isclass)
        if issubclass(cls, errors.FlexRestoreError) and cls is not errors.FlexRestoreError
    }

    assert parents == classes


def test_an_error_without_words_says_its_docstring() -> None:
    assert errors.ToolMissing().text == "psql or pg_restore was not found."


def test_long_text_keeps_its_beginning_and_its_end() -> None:
    text = errors.ImportFailed("a" * 5_000 + "z" * 5_000).text

    assert len(text) < errors.TEXT_LIMIT + 100
    assert text.startswith("aaa")
    assert text.endswith("zzz")
    assert "6000 characters left out" in text


def test_details_are_bounded_and_say_how_many_more_there_are() -> None:
    details = errors.ImportFailed("x", details=[f"line {n}" for n in range(60)]).details

    assert len(details) == errors.DETAILS_LIMIT + 1
    assert details[-1] == "and 10 more"
