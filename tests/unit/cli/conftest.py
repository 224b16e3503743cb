"""The command line with an API that answers what a test says, and a clock that moves when somebody sleeps."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from flexrestore.app import app
from flexrestore.session import Surroundings
from typer.testing import CliRunner

from shared.contracts.api import Problem, Started
from shared.contracts.base import Contract
from shared.contracts.files import FileKind
from shared.contracts.plan import BackupInstanceRef, Finding, Plan, RecoveryPointRef, TargetRef
from shared.contracts.progress import FileState, Phase, PhaseEntry
from shared.contracts.request import BackupSource, RestoreRequest
from shared.contracts.status import FileStatus, JobStatus, RestoreStatus

URL = "https://restores.example.net"
KEY = "k3y-that-nobody-may-see"
NOW = datetime(2026, 11, 25, 1, 5, 30, tzinfo=UTC)

type Reply = httpx.Response | Exception | Contract


@dataclass
class Api:
    """What the service would answer; the last answer of a call is repeated."""

    replies: dict[tuple[str, str], list[Reply]] = field(default_factory=dict)
    calls: list[httpx.Request] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    def on(self, call: str, *replies: Reply) -> None:
        """Answer so: `GET instances`."""
        method, _, path = call.partition(" ")
        self.replies[method, f"/api/{path}"] = list(replies)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(request)
        replies = self.replies.get((request.method, request.url.raw_path.decode().partition("?")[0]))
        if not replies:
            return httpx.Response(404)
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        if isinstance(reply, Exception):
            raise reply
        if isinstance(reply, httpx.Response):
            return httpx.Response(reply.status_code, headers=reply.headers, content=reply.content)
        return said(200, reply)

    @property
    def paths(self) -> list[str]:
        """What was called, without queries."""
        return [f"{call.method} {call.url.path.removeprefix('/api/')}" for call in self.calls]

    @property
    def body(self) -> Any:
        """What the last call brought."""
        return json.loads(self.calls[-1].content)

    @property
    def query(self) -> dict[str, str]:
        """What the last call asked for."""
        return dict(self.calls[-1].url.params)

    @staticmethod
    def problem(status: int, detail: str = "That is wrong.", *errors: str, **headers: str) -> httpx.Response:
        """A problem as the service answers it."""
        content = Problem(title="No", status=status, detail=detail, code="Wrong", errors=errors)
        return said(status, content, **headers)

    @staticmethod
    def status(phase: Phase = Phase.COMPLETED, **changes: Any) -> RestoreStatus:
        """A restore that stands there."""
        entered = (Phase.ACCEPTED, Phase.PLANNING, phase)
        phases = [PhaseEntry(phase=one, at=f"2026-11-25T01:05:3{at}+00:00") for at, one in enumerate(entered)]
        return RestoreStatus(
            **{
                "request_id": "INC-1",
                "phase": phase,
                "message": f"it is {phase}",
                "started_at": phases[0].at,
                "updated_at": phases[-1].at,
                "phases": phases,
                "progress": 0.25,
                "target": "drill",
                "source": "orders",
                "container": "landing-1",
                "job": JobStatus(id="7d0f", status="InProgress"),
                "files": [
                    FileStatus(
                        name="a_database_shop.sql",
                        kind=FileKind.DATABASE,
                        database="shop",
                        final_name="shop_copy",
                        size=1_234_567,
                        state=FileState.IMPORTING,
                    )
                ],
                "report": None,
                "errors": (),
                **changes,
            }
        )

    @staticmethod
    def started(phase: Phase = Phase.ACCEPTED, **changes: Any) -> Started:
        """A restore that has been started."""
        named = {"request_id": "INC-1", "duplicate": False, "status": f"{URL}/api/restores/INC-1"}
        return Started(phase=phase, **{**named, **changes})

    @staticmethod
    def plan(**changes: Any) -> Plan:
        """A plan of the newest point of `orders` into `drill`."""
        source = BackupSource(backup_instance="orders")
        instance = BackupInstanceRef(
            subscription="s",
            resource_group="g",
            vault="v",
            name="orders-pgflex",
            server="orders-prod",
            datasource_id="d",
            location="westeurope",
        )
        return Plan(
            **{
                "request": RestoreRequest(request_id="INC-1", source=source, target="drill"),
                "target": TargetRef(alias="drill", host="drill.example.net", version="18.1"),
                "instance": instance,
                "recovery_point": RecoveryPointRef(id="f00d", time=NOW),
                "findings": [Finding(check="roles", severity="warning", message="one lacks", remedy="CREATE ROLE")],
                **changes,
            }
        )


def said(status: int, content: Contract, **headers: str) -> httpx.Response:
    """An answer as the service writes it."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, content=json.dumps(content.to_wire()), headers=named)


@dataclass(frozen=True)
class Ended:
    """What a person or a script sees of a command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The document on standard output: one, and nothing else."""
        return json.loads(self.out)


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def run(api: Api, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ended]:
    """Run a command as a DBA whose environment names the service. What surrounds it can be said by name."""
    for name in ("COLUMNS", "FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)

    def command(*words: str, env: dict[str, str | None] | None = None, given: str = "", **changes: Any) -> Ended:
        environment = {"FLEXRESTORE_URL": URL, "FLEXRESTORE_KEY": KEY, "FLEXRESTORE_USER": "anna", **(env or {})}
        transport = httpx.MockTransport(api)
        usual = {"transport": transport, "sleep": api.slept.append, "monotonic": lambda: sum(api.slept)}
        surroundings = Surroundings(**{**usual, "now": lambda: NOW, "can_ask": lambda: False, **changes})
        result = CliRunner().invoke(app, words, env=environment, input=given, obj=surroundings, catch_exceptions=False)
        assert KEY not in result.output
        return Ended(result.exit_code, result.stdout, result.stderr)

    return command
