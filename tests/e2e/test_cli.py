"""The wizard's whole path on the command line: a process of its own, against everything real."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local.environment import ROOT, Environment
from shared.contracts.progress import Phase

WHY = ("--reason", "a drill")
_SECONDS = 180


@dataclass(frozen=True)
class Ended:
    """What a script sees of a command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on standard output."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Terminal:
    """A shell whose variables name the service."""

    variables: dict[str, str]

    @contextmanager
    def running(self, *words: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
        """A command at work."""
        with subprocess.Popen(
            [sys.executable, "-m", "flexrestore", *words],
            env={**os.environ, **self.variables, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def __call__(self, *words: str, **variables: str) -> Ended:
        with self.running(*words, **variables) as process:
            out, err = process.communicate(timeout=_SECONDS)
        assert self.variables["FLEXRESTORE_KEY"] not in out + err
        return Ended(process.returncode, out, err)


@pytest.fixture
def flexrestore(environment: Environment) -> Terminal:
    return Terminal(
        {
            "FLEXRESTORE_URL": environment.url,
            "FLEXRESTORE_KEY": environment.function_key,
            "FLEXRESTORE_USER": "anna@example.org",
            "PYTHONPATH": str(ROOT / "cli"),
        }
    )


def shop(request_id: str, *more: str) -> list[str]:
    """The options of a restore of one database under a name of its own."""
    return ["orders", "--target", "drill", "--database", f"shop=shop_{request_id}", "--request-id", request_id, *more]


def test_from_the_first_look_to_the_restored_database(
    environment: Environment, ticketing: Any, flexrestore: Terminal, tmp_path: Path
) -> None:
    assert flexrestore("instances", "--json").json["instances"][0]["aliases"] == ["orders"]
    point = flexrestore("points", "orders", "--from", "2020-01-01", "--json").json["points"][0]["id"]
    assert flexrestore("targets", "--json").json["targets"][0]["alias"] == "drill"
    plan = flexrestore("plan", *shop("c1", "--point", point), "--json").json
    assert (plan["recoveryPoint"]["id"], plan["target"]["alias"]) == (point, "drill")
    assert ticketing.status("c1") is None

    restored = flexrestore(
        "restore", *shop("c1", "--point", point, *WHY, "--ticket", "T-1"), "--yes", "--wait", "--json"
    )

    assert restored.code == 0, restored
    assert restored.json["phase"].startswith("Completed")
    assert restored.json["requestedBy"] == "anna@example.org"
    for line in ("Accepted", "Restoring", "backup job", "database shop -> shop_c1"):
        assert line in restored.err
    with environment.target.connect("shop_c1", as_superuser=True) as connection:
        assert connection.execute("SELECT count(*) FROM stock.movement").fetchone() == (200_000,)

    shown = flexrestore("show", "c1").out
    for text in ("c1  Completed", "T-1", "a drill", "shop -> shop_c1", "flexrestore report c1"):
        assert text in shown
    listed = flexrestore("list", "--target", "drill", "--requested-by", "anna@example.org", "--json").json["restores"]
    assert "c1" in [one["requestId"] for one in listed]
    report = flexrestore("report", "c1", "--html", str(tmp_path / "c1.html"), "--json").json
    assert report["phase"] == restored.json["phase"]
    assert "c1" in (tmp_path / "c1.html").read_text("utf-8")
    assert "200200 rows" in flexrestore("report", "c1").out


def test_the_same_command_again_tells_how_it_ended(flexrestore: Terminal) -> None:
    request = json.dumps({"source": {"backupInstance": "orders"}, "target": "drill", "dryRun": True})
    command = [sys.executable, "-m", "flexrestore", "restore", "--file", "-", "--request-id", "c2", "--yes", "--wait"]
    codes, told = [], []
    for _ in range(2):
        ended = subprocess.run(
            command,
            env={**os.environ, **flexrestore.variables},
            input=request,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        codes.append(ended.returncode)
        told.append("The same request had started c2 before." in ended.stderr)
        assert "Plan of c2" in ended.stdout

    assert (codes, told) == ([0, 0], [False, True])


def test_all_pages_of_a_list(flexrestore: Terminal) -> None:
    for number in range(3):
        file = f"c3-{number}"
        assert flexrestore("restore", *shop(file, "--approval", "required"), "--yes", "--as", "pager").code == 0
        assert flexrestore("cancel", file, *WHY).code == 0
        assert flexrestore("wait", file).code == 5
    filters = ("list", "--requested-by", "pager", "--phase", "Cancelled", "--size", "2", "--json")
    first, every = flexrestore(*filters).json, flexrestore(*filters, "--all").json
    second = flexrestore(*filters, "--after", first["next"]).json

    assert [one["requestId"] for one in every["restores"]] == ["c3-2", "c3-1", "c3-0"]
    assert first["restores"] + second["restores"] == every["restores"]
    assert every["next"] is None


@pytest.fixture
def waiting(ticketing: Any, flexrestore: Terminal) -> Callable[[str], None]:
    """Start a restore whose plan waits for approval."""

    def start(request_id: str) -> None:
        started = flexrestore("restore", *shop(request_id, "--approval", "required"), "--yes")
        assert started.code == 0, started
        ticketing.wait_for(request_id, lambda status: status.phase is Phase.AWAITING_APPROVAL, "the wait")

    return start


def test_a_plan_is_approved_while_somebody_waits(flexrestore: Terminal, waiting: Any) -> None:
    waiting("c4")
    assert "Plan of c4" in flexrestore("show", "c4").out
    with flexrestore.running("wait", "c4", "--json") as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "flexrestore approve c4 --reason WHY" in line:
                break
        approved = flexrestore("approve", "c4", *WHY, "--as", "lead@example.org")
        again = flexrestore("approve", "c4", "--reason", "me too", "--as", "other@example.org")
        out, _ = process.communicate(timeout=_SECONDS)

    assert (approved.code, again.code, process.returncode) == (0, 0, 0)
    assert "approved by lead@example.org" in again.out
    assert json.loads(out)["approval"]["decision"]["by"] == "lead@example.org"
    assert flexrestore("reject", "c4", *WHY).code == 7


def test_a_rejected_plan_and_a_cancelled_restore_have_codes_of_their_own(flexrestore: Terminal, waiting: Any) -> None:
    waiting("c5")
    waiting("c6")

    assert flexrestore("reject", "c5", *WHY).code == 0
    assert flexrestore("wait", "c5").code == 4
    cancelled = flexrestore("cancel", "c6", *WHY)
    assert cancelled.code == 0
    assert "cancelled by anna@example.org: a drill" in cancelled.out
    ended = flexrestore("wait", "c6")
    assert (ended.code, "anna@example.org: a drill" in ended.out) == (5, True)
    assert flexrestore("cancel", "c6", *WHY).code == 7


def test_who_is_tired_of_waiting_leaves_the_restore_alone(flexrestore: Terminal, waiting: Any) -> None:
    waiting("c7")
    with flexrestore.running("wait", "c7") as process:
        assert process.stderr is not None
        process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=_SECONDS)

    assert process.returncode == 130
    assert "flexrestore wait c7" in err
    assert flexrestore("wait", "c7", "--timeout", "1s").code == 10
    assert flexrestore("show", "c7", "--json").json["phase"] == "AwaitingApproval"
    flexrestore("cancel", "c7", *WHY)


def test_what_is_missing_is_brought_by_a_retry(environment: Environment, flexrestore: Terminal) -> None:
    with environment.target.connect(autocommit=True) as connection:
        connection.execute("CREATE DATABASE shop_c8")
    names = ("--database", "*=*_c8", "--exclude", "brittle", "--exclude", "walled", "--request-id", "c8")
    failed = flexrestore("restore", "orders", "--target", "drill", *names, "--yes", "--wait")
    assert failed.code == 3, failed
    assert "flexrestore retry c8" in failed.out
    with environment.target.connect(autocommit=True) as connection:
        connection.execute("DROP DATABASE shop_c8")

    retried = flexrestore("retry", "c8", "--wait")

    assert retried.code == 0, retried
    assert "c8-retry  Completed" in retried.out
    with environment.target.connect("shop_c8", as_superuser=True) as connection:
        assert connection.execute("SELECT count(*) FROM stock.movement").fetchone() == (200_000,)


def test_health_is_told_check_by_check(environment: Environment, flexrestore: Terminal) -> None:
    assert flexrestore("health").code == 0
    with environment.target.connect(as_superuser=True, autocommit=True) as connection:
        connection.execute("ALTER ROLE drilladmin NOLOGIN")
        try:
            sick = flexrestore("health")
        finally:
            connection.execute("ALTER ROLE drilladmin LOGIN")

    assert sick.code == 9
    assert "not permitted to log in" in " ".join(sick.out.split())


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["restore", "orders", "--yes"], 2, "--target"),
        (["restore", "orders", "--target", "drill"], 2, "--yes"),
        (["plan", "nowhere", "--target", "void"], 4, "target: "),
        (["plan", "orders", "--target", "drill", "--at-or-before", "2001-01-01"], 4, "2001"),
        (["list", "--phase", "Sleeping"], 4, "phase[0]: "),
        (["show", "nowhere"], 6, "There is no restore nowhere"),
        (["points", "nowhere"], 6, "nowhere"),
        (["report", "nowhere"], 6, "There is no report"),
        (["retry", "nowhere"], 6, "There is no restore nowhere"),
        (["instances", "--key", "wrong"], 8, "FLEXRESTORE_KEY"),
        (["instances", "--url", "http://127.0.0.1:1"], 9, "does not answer"),
    ],
)
def test_what_goes_wrong_is_told_by_code_and_in_words(
    flexrestore: Terminal, words: list[str], code: int, told: str
) -> None:
    ended = flexrestore(*words)

    assert (ended.code, ended.out) == (code, "")
    assert told in ended.err


def test_another_request_under_the_same_id_is_a_conflict(flexrestore: Terminal) -> None:
    assert flexrestore("restore", *shop("c9", "--mode", "files-only", "--approval", "required"), "--yes").code == 0
    other = flexrestore("restore", *shop("c9", "--schema-only"), "--yes", "--json")
    flexrestore("cancel", "c9", *WHY)

    assert (other.code, other.json["code"]) == (7, "Conflict")
