"""Exit codes: a script learns from them alone how it went."""

import os
import subprocess
import sys
from typing import Any

import httpx
import pytest
from flexrestore import __main__, phases
from flexrestore.exits import Exit

from shared.contracts.progress import Phase

BY_PHASE = {
    Phase.COMPLETED: 0,
    Phase.COMPLETED_WITH_WARNINGS: 0,
    Phase.FAILED: 1,
    Phase.PARTIALLY_FAILED: 3,
    Phase.REJECTED: 4,
    Phase.CANCELLED: 5,
}


def test_every_end_of_a_restore_is_known() -> None:
    assert {phase for phase in Phase if phases.has_ended(phase)} == {phase for phase in Phase if phase.is_terminal}
    assert BY_PHASE.keys() == {phase for phase in Phase if phase.is_terminal}


@pytest.mark.parametrize(("phase", "code"), BY_PHASE.items())
def test_waiting_ends_with_the_code_of_the_phase(api: Any, run: Any, phase: Phase, code: int) -> None:
    api.on("GET restores/INC-1", api.status(phase))

    assert run("wait", "INC-1").code == code


@pytest.mark.parametrize(("phase", "code"), {**BY_PHASE, Phase.COMPLETED_WITH_WARNINGS: 3}.items())
def test_strict_waiting_takes_warnings_for_a_partial_failure(api: Any, run: Any, phase: Phase, code: int) -> None:
    api.on("GET restores/INC-1", api.status(phase))

    assert run("wait", "INC-1", "--strict").code == code


@pytest.mark.parametrize("phase", Phase)
def test_showing_a_restore_is_no_failure_however_it_went(api: Any, run: Any, phase: Phase) -> None:
    api.on("GET restores/INC-1", api.status(phase))

    assert run("show", "INC-1").code == 0


@pytest.mark.parametrize(
    ("phase", "code"), {**BY_PHASE, **{phase: 0 for phase in Phase if not phase.is_terminal}}.items()
)
def test_a_start_that_is_repeated_after_the_end_tells_the_end(api: Any, run: Any, phase: Phase, code: int) -> None:
    api.on("POST restores", api.started(phase, duplicate=True))
    ended = run("restore", "orders", "--target", "drill", "--yes")

    assert ended.code == code
    assert "had started INC-1 before" in ended.err


@pytest.mark.parametrize(
    ("status", "code"),
    {400: 4, 401: 8, 403: 8, 404: 6, 409: 7, 422: 4, 429: 9, 500: 9, 502: 9, 503: 9, 504: 9}.items(),
)
def test_each_refusal_has_its_code_and_tells_every_error(api: Any, run: Any, status: int, code: int) -> None:
    api.on("GET restores/INC-1", api.problem(status, "That is wrong.", "source: is missing", "target: is missing"))
    ended = run("show", "INC-1")
    document = run("show", "INC-1", "--json")

    assert (ended.code, ended.out) == (code, "")
    assert ended.err.splitlines()[-3:] == ["That is wrong.", "  source: is missing", "  target: is missing"]
    assert document.code == code
    assert document.json["errors"] == ["source: is missing", "target: is missing"]


SIGN_IN = httpx.Response(
    302, headers={"location": "https://login.microsoftonline.com/t/oauth2/v2.0/authorize?response_type=id_token"}
)
"""What App Service answers in the service's stead where it signs in and no token was sent."""


@pytest.mark.parametrize(
    ("answer", "code", "told"),
    [
        (httpx.Response(401), 8, "FLEXRESTORE_KEY"),
        (httpx.Response(403), 8, "may not do that"),
        (SIGN_IN, 8, "FLEXRESTORE_SCOPE"),
        (
            httpx.Response(302, headers={"location": "/.auth/login/aad?post_login_redirect_uri=x"}),
            8,
            "FLEXRESTORE_SCOPE",
        ),
        (httpx.Response(500, text="<html>"), 9, "answered 500"),
        (httpx.Response(404, text="<html>"), 9, "is --url right?"),
        (httpx.Response(405), 9, "is --url right?"),
        (httpx.Response(301, headers={"location": "https://portal.example.net"}), 9, "https://portal.example.net"),
        (httpx.Response(200, text="<html>"), 9, "is --url right?"),
        (httpx.Response(200, json=[1]), 9, "is --url right?"),
        (httpx.Response(500, json={"detail": 7}), 9, "answered 500"),
        (httpx.ConnectError("refused"), 9, "refused"),
        (httpx.ReadTimeout(""), 9, "ReadTimeout"),
    ],
)
def test_what_is_no_answer_of_the_service_is_told_as_what_it_is(
    api: Any, run: Any, answer: Any, code: int, told: str
) -> None:
    api.on("GET restores/INC-1", answer)
    ended = run("show", "INC-1", "--json")

    assert ended.code == code
    assert told in ended.err
    assert told in ended.json["detail"]


def test_a_fault_of_this_program_is_not_taken_for_a_failed_restore(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(**_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(__main__, "app", fail)
    with pytest.raises(SystemExit) as ended:
        __main__.main()

    assert ended.value.code == Exit.BUG
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_a_reader_that_has_gone_is_not_taken_for_a_failed_restore() -> None:
    """`flexrestore … | head -1`, with output that is larger than a pipe."""
    code = (
        "import httpx, sys\n"
        "from flexrestore.app import app\n"
        "from flexrestore.session import Surroundings\n"
        "many = {'targets': [{'alias': 'a' * 60, 'host': 'h', 'approval': 'always'}] * 5000}\n"
        "transport = httpx.MockTransport(lambda request: httpx.Response(200, json=many))\n"
        "app(['targets', *sys.argv[1:]], obj=Surroundings(transport=transport))\n"
    )
    environment = {**os.environ, "FLEXRESTORE_URL": "http://127.0.0.1", "PYTHONPATH": os.pathsep.join(sys.path)}
    environment.pop("PYTHONUNBUFFERED", None)  # Python itself then loses what a pipe did not take, and says nothing
    for words in ([], ["--json"]):
        with subprocess.Popen(
            [sys.executable, "-c", code, *words], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.read(10)
            process.stdout.close()
            assert process.stderr.read() == b""
        assert process.returncode == Exit.BROKEN_PIPE


def test_help_names_every_exit_code(run: Any) -> None:
    text = " ".join(run("--help").out.split())

    assert [code for code in Exit if f"{code.value} {code.meaning}" not in text] == []
