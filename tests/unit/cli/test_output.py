"""What a terminal gets: nothing that it would obey, nothing that is taken for markup, no time without a zone."""

import os
import subprocess
import sys
from typing import Any

import httpx
import pytest
from flexrestore.app import app
from flexrestore.session import Surroundings
from flexrestore.texts import plain, size
from flexrestore.times import instant, lasting, shown
from typer.testing import CliRunner

from shared.contracts.api import TargetInfo, TargetList
from shared.contracts.files import FileKind
from shared.contracts.progress import FileState, Phase
from shared.contracts.status import FileStatus

NASTY = "[red]a[/red] \x1b]0;title\x07 \x9b31m \ud800 [/]"
TAMED = "[red]a[/red] \\x1b]0;title\\x07 \\x9b31m \\ud800 [/]"


def test_a_name_with_signs_for_the_terminal_is_shown_as_its_escapes(api: Any, run: Any) -> None:
    file = FileStatus(name="n", kind=FileKind.DATABASE, database=NASTY, state=FileState.FAILED, reason=NASTY)
    api.on("GET restores/INC-1", api.status(Phase.RESTORING, message=NASTY, files=[file]), api.status(files=[file]))
    wait = run("wait", "INC-1")

    for text in (wait.out, wait.err):
        assert TAMED in text
        assert "\x1b" not in text
        assert "\x9b" not in text


def test_an_error_with_signs_for_the_terminal_is_shown_as_its_escapes(api: Any, run: Any) -> None:
    api.on("GET restores/INC-1", api.problem(404, NASTY, NASTY))
    err = run("show", "INC-1").err

    assert err == f"{TAMED}\n  {TAMED}\n"


def test_json_is_ascii_so_that_every_pipe_takes_it(api: Any, run: Any) -> None:
    found = TargetList(targets=[TargetInfo(alias="Süd \x9b\ud800", host="h", approval="always")])
    api.on("GET targets", found)
    ended = run("targets", "--json")

    assert ended.out.isascii()
    assert ended.json == found.to_wire()


def test_errors_are_red_on_a_terminal_and_plain_elsewhere(api: Any, run: Any) -> None:
    api.on("GET restores/INC-1", api.problem(404, "There is none."))

    assert run("show", "INC-1").err == "There is none.\n"
    assert run("show", "INC-1", env={"FORCE_COLOR": "1"}).err.startswith("\x1b[31mThere is none.")


def test_a_message_is_one_line_however_long_it_is(api: Any, run: Any) -> None:
    api.on("GET restores/INC-1", api.problem(404, "x " * 500))

    assert len(run("show", "INC-1").err.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "expected"), [(None, ""), (7, "7"), ("Süd\nOst", "Süd\nOst"), ("a\tb\r", "a\\tb\\r"), ("😀", "😀")]
)
def test_plain_text(text: Any, expected: str) -> None:
    assert plain(text) == expected


@pytest.mark.parametrize(
    ("count", "expected"), [(0, "0 bytes"), (999, "999 bytes"), (1_000, "1.0 kB"), (5 * 10**15, "5000.0 TB")]
)
def test_sizes(count: int, expected: str) -> None:
    assert size(count) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-25T01:05:30.123+02:00", "2026-11-24 23:05:30Z"),
        ("2026-11-25T01:05:30", "2026-11-25 01:05:30Z"),
        ("soon", "soon"),
        (None, ""),
    ],
)
def test_times_are_shown_in_utc(text: str | None, expected: str) -> None:
    assert shown(text) == expected


@pytest.mark.parametrize("text", ["2026-11-25 01:05:30Z", "2026-11-25T02:05:30+01:00", "20261125T010530Z"])
def test_a_time_that_was_shown_can_be_typed_again(text: str) -> None:
    assert instant(text) == "2026-11-25T01:05:30Z"


@pytest.mark.parametrize(("seconds", "expected"), [(0.4, "0 s"), (61, "1 min 01 s"), (3 * 3600 + 420, "3 h 07 min")])
def test_durations(seconds: float, expected: str) -> None:
    assert lasting(seconds) == expected


@pytest.mark.parametrize(
    ("line", "call", "document", "names"),
    [
        (
            "points o",
            "GET instances",
            {"instances": [{"aliases": ["orders", "old"], "server": "s1"}, {"aliases": [], "server": "oslo"}]},
            ["orders", "old", "oslo"],
        ),
        ("restore o", "GET instances", {"instances": [{"aliases": ["orders"], "server": "s1"}]}, ["orders"]),
        (
            "restore orders --target d",
            "GET targets",
            {"targets": [{"alias": "drill", "host": "h"}, {"alias": "prod", "host": "p"}]},
            ["drill"],
        ),
        ("points o", "GET instances", {}, []),
        ("restore orders --on-conflict re", "GET targets", {}, ["replace"]),
        ("sh", "GET targets", {}, ["show"]),
    ],
)
def test_the_shell_completes_names_that_the_service_knows(
    api: Any, line: str, call: str, document: Any, names: list[str]
) -> None:
    api.on(call, httpx.Response(200, json=document))
    assert completed(line, Surroundings(transport=httpx.MockTransport(api))) == names


def test_the_shell_completes_nothing_where_the_service_is_away_or_unknown(api: Any) -> None:
    api.on("GET instances", httpx.ConnectError("refused"))

    assert completed("points o", Surroundings(transport=httpx.MockTransport(api))) == []
    assert completed("points o", Surroundings(), url=None) == []
    assert len(api.calls) == 1


def completed(line: str, surroundings: Any, url: str | None = "https://a") -> list[str]:
    environment = {
        "_FLEXRESTORE_COMPLETE": "complete_bash",
        "COMP_WORDS": f"flexrestore {line}",
        "COMP_CWORD": str(len(line.split())),
        "FLEXRESTORE_URL": url,
    }
    result = CliRunner().invoke(app, env=environment, prog_name="flexrestore", obj=surroundings)
    return result.stdout.split()


def test_a_sign_that_the_terminal_does_not_know_is_shown_as_its_escape() -> None:
    code = (
        "import sys, httpx; from flexrestore import __main__, app; from flexrestore.session import Surroundings\n"
        "sys.argv[1:] = ['targets', '--url', 'https://a']\n"
        "answer = httpx.Response(200, json={'targets': [{'alias': 'Łódź'}]})\n"
        "surroundings = Surroundings(transport=httpx.MockTransport(lambda _: answer))\n"
        "__main__.app = lambda **names: app.app(obj=surroundings, **names)\n"
        "__main__.main()\n"
    )
    command = [sys.executable, "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{code}"]
    ended = subprocess.run(command, env={**os.environ, "PYTHONIOENCODING": "ascii"}, capture_output=True, check=True)

    assert rb"\u0141\xf3d\u017a" in ended.stdout
