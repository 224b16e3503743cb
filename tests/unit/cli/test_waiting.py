"""Waiting for a restore: patient with the service, clear about what goes on without it."""

import signal
import subprocess
import sys
from typing import Any

import httpx
import pytest

from shared.contracts.decisions import Approval
from shared.contracts.files import FileKind
from shared.contracts.progress import FileState, Phase
from shared.contracts.status import FileStatus, JobStatus

CALL = "GET restores/INC-1"


def told(status: Any, **headers: str) -> httpx.Response:
    return httpx.Response(
        200, json=status.to_wire(), headers={name.replace("_", "-"): v for name, v in headers.items()}
    )


def shop(state: FileState, reason: str = "") -> FileStatus:
    return FileStatus(name="s", kind=FileKind.DATABASE, database="shop", size=2_000, state=state, reason=reason)


def test_each_change_is_a_line_where_there_is_no_terminal(api: Any, run: Any) -> None:
    job = JobStatus(id="7d0f", status="Completed")
    api.on(
        CALL,
        api.status(Phase.RESTORING, files=()),
        api.status(Phase.RESTORING, files=()),
        api.status(Phase.IMPORTING, files=[shop(FileState.IMPORTING)], job=job),
        api.status(Phase.FAILED, files=[shop(FileState.FAILED, "no disk")], job=job),
    )
    ended = run("wait", "INC-1")

    assert ended.err.splitlines() == [
        "01:05:30Z Accepted",
        "01:05:31Z Planning",
        "01:05:32Z Restoring",
        "  it is Restoring",
        "  backup job 7d0f: InProgress",
        "  it is Importing",
        "  backup job 7d0f: Completed",
        "  database shop, 2.0 kB: importing",
        "  it is Failed",
        "  database shop, 2.0 kB: failed (no disk)",
    ]
    assert "INC-1  Failed" in ended.out


def test_a_phase_that_comes_is_a_line(api: Any, run: Any) -> None:
    first = api.status(Phase.RESTORING)
    last = api.status(phases=(*first.phases, api.status().phases[-1]))
    api.on(CALL, first, last)

    assert "01:05:32Z Completed" in run("wait", "INC-1").err


def test_the_last_status_is_the_one_document(api: Any, run: Any) -> None:
    api.on(CALL, api.status(Phase.RESTORING), api.status())

    assert run("wait", "INC-1", "--json").json == api.status().to_wire()


def test_a_plan_that_waits_for_approval_says_how_to_approve_it(api: Any, run: Any) -> None:
    approval = Approval(deadline="2026-11-25T12:00:00Z")
    api.on(CALL, api.status(Phase.AWAITING_APPROVAL, approval=approval), api.status(approval=approval))
    err = run("wait", "INC-1").err

    assert err.count("until 2026-11-25 12:00:00Z: flexrestore approve INC-1 --reason WHY") == 1


@pytest.mark.parametrize(
    ("headers", "pause"), [({}, 5), ({"retry_after": "7"}, 7), ({"retry_after": "0"}, 1), ({"retry_after": "900"}, 60)]
)
def test_the_service_says_when_to_look_again_within_reason(
    api: Any, run: Any, headers: dict[str, str], pause: int
) -> None:
    api.on(CALL, told(api.status(Phase.RESTORING), **headers), api.status())
    run("wait", "INC-1")

    assert api.slept == [pause]


def test_an_unchanged_status_is_not_sent_again(api: Any, run: Any) -> None:
    api.on(
        CALL,
        told(api.status(Phase.RESTORING), etag='"1"', retry_after="7"),
        httpx.Response(304),
        told(api.status(Phase.IMPORTING), etag='"2"', retry_after="3"),
        api.status(),
    )

    assert run("wait", "INC-1").code == 0
    assert [call.headers.get("if-none-match") for call in api.calls] == [None, '"1"', '"1"', '"2"']
    assert api.slept == [7, 7, 3]


def test_a_service_that_is_gone_for_a_while_is_waited_for(api: Any, run: Any) -> None:
    away = (httpx.ConnectError("refused"), api.problem(503, "The host starts."), httpx.Response(502))
    api.on(CALL, api.status(Phase.RESTORING), *away, api.status())
    ended = run("wait", "INC-1")

    assert ended.code == 0
    assert "refused" in ended.err
    assert "The host starts." in ended.err


def test_a_service_that_has_never_answered_is_not_waited_for(api: Any, run: Any) -> None:
    api.on(CALL, httpx.ConnectError("refused"))

    assert run("wait", "INC-1").code == 9
    assert len(api.calls) == 4


def test_a_service_that_stays_away_is_given_up(api: Any, run: Any) -> None:
    api.on(CALL, api.status(Phase.RESTORING), httpx.ConnectError("refused"))

    assert run("wait", "INC-1").code == 9
    assert sum(api.slept) == pytest.approx(600, abs=10)


@pytest.mark.parametrize(("status", "code"), [(404, 6), (401, 8)])
def test_what_will_not_change_ends_the_wait(api: Any, run: Any, status: int, code: int) -> None:
    api.on(CALL, api.status(Phase.RESTORING), api.problem(status))

    assert run("wait", "INC-1").code == code


@pytest.mark.parametrize(("limit", "seconds"), [("12", 12), ("12s", 12), ("1m", 60), ("1h30m", 5400), ("0", 0)])
def test_a_wait_that_is_over_ends_with_a_code_of_its_own(api: Any, run: Any, limit: str, seconds: float) -> None:
    api.on(CALL, api.status(Phase.RESTORING))
    ended = run("wait", "INC-1", "--timeout", limit, "--json")

    assert (ended.code, sum(api.slept)) == (10, seconds)
    assert "the restore goes on" in ended.err
    assert "flexrestore cancel INC-1 --reason WHY" in ended.err
    assert ended.json["phase"] == "Restoring"


@pytest.mark.parametrize("limit", ["soon", "", "1d", "m", "-1", "1m2", "99999999999999999h"])
def test_what_is_no_duration_is_a_wrong_command_line(run: Any, limit: str) -> None:
    assert run("wait", "INC-1", f"--timeout={limit}").code == 2


def test_a_phase_of_a_newer_service_is_one_that_goes_on(api: Any, run: Any) -> None:
    new = httpx.Response(200, json={**api.status().to_wire(), "phase": "Polishing"})
    api.on(CALL, new, api.status())

    assert run("wait", "INC-1").code == 0


def test_who_no_longer_waits_hears_that_the_restore_goes_on(api: Any, run: Any) -> None:
    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    api.on(CALL, api.status(Phase.RESTORING))
    ended = run("wait", "INC-1", sleep=interrupted)

    assert ended.code == 130
    assert "the restore goes on" in ended.err
    assert "flexrestore wait INC-1" in ended.err
    assert "flexrestore cancel INC-1 --reason WHY" in ended.err


def test_ctrl_c_in_a_real_process_ends_the_wait_and_nothing_else() -> None:
    code = (
        "import httpx, sys, time\n"
        "from flexrestore.app import app\n"
        "from flexrestore.session import Surroundings\n"
        "status = {'requestId': 'INC-1', 'phase': 'Restoring', 'message': 'under way'}\n"
        "transport = httpx.MockTransport(lambda request: httpx.Response(200, json=status))\n"
        "app(['wait', 'INC-1', '--url', 'http://127.0.0.1'], obj=Surroundings(transport=transport))\n"
    )
    command = [sys.executable, "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{code}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "under way" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)

    assert process.returncode == 130
    assert out == ""
    assert "You no longer wait; the restore goes on." in err


def test_a_terminal_shows_a_live_picture(api: Any, run: Any) -> None:
    api.on(CALL, api.status(Phase.RESTORING), api.status(Phase.IMPORTING), api.status())
    ended = run("wait", "INC-1", env={"FORCE_COLOR": "1", "COLUMNS": "120"})

    assert ended.code == 0
    for text in ("Importing", "25%", "backup job 7d0f: InProgress", "database shop -> shop_copy, 1.2 MB", "importing"):
        assert text in ended.err, text
    assert "01:05:30Z Accepted" not in ended.err


def test_a_screen_that_is_too_short_shows_first_what_is_at_work(api: Any, run: Any) -> None:
    states = [FileState.SKIPPED, FileState.LANDED, FileState.FAILED, FileState.LOADED, FileState.IMPORTED]
    files = [shop(state).model_copy(update={"database": f"of-{state}"}) for state in states]
    api.on(CALL, api.status(Phase.IMPORTING, files=files), api.status(files=()))
    err = run("wait", "INC-1", env={"FORCE_COLOR": "1", "COLUMNS": "120"}).err

    places = [err.index(f"of-{state}") for state in ("loaded", "failed", "landed", "imported", "skipped")]
    assert places == sorted(places)
