"""A restore ends as if nothing had happened, whatever dies around its activities, and however often they run.

The crash points come from the journal of a restore that is left alone, so an activity that is new is among them.
"""

import itertools
import json
import os
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
import requests
from psycopg import sql

from local.environment import Environment
from local.host.faults import Effect, Entry, Fault, Faults, read_journal
from local.servers.postgres import FlexibleServer
from local.vault.faults import JobFault
from shared.contracts.progress import Phase
from shared.postgres.diagnostics import is_system_role
from shared.topology import CONTROL_CONTAINER, LANDING_CONTAINERS, REPORT_CONTAINER

CONTENTS = {
    "shop": "SELECT count(*), sum(hashtext(m::text)::bigint) FROM stock.movement m",
    'Kunden "Süd"': 'SELECT count(*), sum(hashtext(k::text)::bigint) FROM public."Kunde ""A""" k',
}
BY = {"by": "lead@example.org", "reason": "a crash test"}
POINTS = int(os.environ.get("CHAOS_POINTS", "5"))
"""How many crash points of the long form one restore meets; with 1 it takes longest and tells most."""
LONGEST_TIMER = 0.3
"""Seconds: nobody here waits for the five before a second attempt."""
SECONDS, SECONDS_FOR_EACH = 120, 15
"""In which a restore ends, whatever it meets, and for each fault."""
VARYING = {"seconds", "at", "began", "writtenAt", "cancelledAt", "deadline", "oid", "fileVersion", "methodReason"}
"""What a report says of when and how fast; the rest is what was done."""
LOOKS = 2
"""Crash points of a watch for each of its activities: how often it looks depends on how busy the machine is."""
QUICK = 0.03
"""Seconds."""
LASTING = {Effect.LATE: 1, Effect.AT_ONCE: 2}
"""Executions that may outlast the restore."""

type Call = tuple[str, int]
"""An activity, and which of its calls."""


class Scenario(NamedTuple):
    """A restore that is asked for, and what somebody decides on it."""

    databases: Mapping[str, str]
    """Final names by the names in the backup."""
    asked: Mapping[str, Any] = {}
    cancelled: bool = False
    """Whether it is cancelled when its backup job has written one file, and the import has seen it."""


PLAIN = Scenario({"shop": "crashed_shop", 'Kunden "Süd"': "crashed_kunden"})
ALL_ASKED = {"approval": "required", "schema": "import", "tablespaces": "import"}
SCENARIOS = {
    "restore": PLAIN,
    "failing database, approval, scripts": Scenario({"shop": "crashed_shop", "brittle": "crashed_brittle"}, ALL_ASKED),
    "cancelled": PLAIN._replace(cancelled=True),
}


@dataclass(frozen=True)
class Course:
    """How a restore went: what can be seen of it afterwards, and the journal of its activities."""

    seen: dict[str, Any]
    journal: list[Entry]

    @cached_property
    def calls(self) -> list[Call]:
        """The calls in the order in which they began; of the looks of a watch, which are all alike, two."""
        looks: Counter[str] = Counter()
        calls = []
        for entry in self.journal:
            if entry.what == "begun":
                looks[entry.alike] += ":" in entry.instance
                calls += [(entry.activity, entry.number)] if looks[entry.alike] <= LOOKS else []
        return list(dict.fromkeys(calls))

    @cached_property
    def first_calls(self) -> list[Call]:
        """The first call of each activity."""
        return [call for call in self.calls if call[1] == 1]

    def fault(self, effect: Effect, call: Call) -> Fault:
        """A fault for a call; a late one stands still when it has come some way, a quick one before its first step."""
        seconds = max(entry.seconds for entry in self.journal if (entry.activity, entry.number) == call)
        return Fault(effect=effect, activity=call[0], number=call[1], seconds=seconds / 10 if seconds > QUICK else 0)

    def met(self, effect: Effect) -> int:
        """How many calls have met the fault."""
        kinds = Counter(entry.what for entry in self.journal)
        return kinds[effect] - (kinds["missed"] if effect is Effect.LATE else 0)


@dataclass
class Site:
    """Where restores are sent and faults are ordered."""

    environment: Environment
    ticketing: Any
    folder: Path
    names: Iterator[str] = field(default_factory=lambda: (f"crash{number}" for number in itertools.count(1)))

    @cached_property
    def undisturbed(self) -> Course:
        """A restore that is left alone."""
        return self.restore([])

    @cached_property
    def scenarios(self) -> dict[str, Course]:
        """One of each kind that is left alone."""
        return {name: self.restore([], scenario) for name, scenario in SCENARIOS.items()}

    def restore(self, faults: Sequence[Fault], scenario: Scenario = PLAIN) -> Course:
        """Restore with these faults."""
        name = next(self.names)
        self._reset_target(scenario)
        jobs = self._jobs()
        journal = self.folder / f"{name}.jsonl"
        self.environment.order_faults(
            Faults(journal=journal, instances=f"^{name}(:|$)", faults=tuple(faults), longest_timer=LONGEST_TIMER)
        )
        if scenario.cancelled:
            self.environment.vault.inject(JobFault(outcome="Hang", after_files=1))
        databases = [{"name": source, "as": final} for source, final in scenario.databases.items()]
        ticket = self.ticketing.ticket(name, databases=databases, onConflict="replace", **scenario.asked)
        self.ticketing.send(ticket)
        seconds = SECONDS + SECONDS_FOR_EACH * len(faults)
        self.ticketing.wait(lambda: self._is_over(name, journal, scenario), f"the end of {name} with {faults}", seconds)
        self.environment.clear_faults()
        return Course(self._seen(name, jobs, scenario), read_journal(journal))

    def _is_over(self, name: str, journal: Path, scenario: Scenario) -> bool:
        """Whether everything has ended that was begun for the restore; starts the host again, and decides."""
        if not self.environment.host_runs:
            self.environment.restart_host()
        url = f"{self.environment.url}/runtime/webhooks/durabletask/instances"
        try:
            self._decide(name, scenario)
            instances = requests.get(url, params={"instanceIdPrefix": name}, timeout=30).json()
        except (requests.ConnectionError, requests.HTTPError):
            return False  # what answered has just been killed
        states = {one["instanceId"]: one["runtimeStatus"] for one in instances}
        mine = {state for instance, state in states.items() if re.match(f"{name}(:|$)", instance)}
        kinds = Counter(entry.what for entry in read_journal(journal))
        return (
            name in states
            and mine <= {"Completed", "Failed", "Terminated"}
            and kinds["settled"] == sum(kinds[effect] * count for effect, count in LASTING.items())
        )

    def _decide(self, name: str, scenario: Scenario) -> None:
        """Approve what waits for it, and cancel what is to be cancelled; a crash may have cut off an earlier call."""
        status = self.ticketing.status(name) if scenario is not PLAIN else None
        if status is None:
            return
        if status.phase is Phase.AWAITING_APPROVAL:
            self.ticketing.call("POST", f"restores/{name}/approve", BY)
        if scenario.cancelled and status.job and status.files and not status.phase.is_terminal:
            self.ticketing.call("POST", f"restores/{name}/cancel", BY)
        if scenario.cancelled and status.phase.is_terminal:
            self.environment.vault.clear_faults()

    def _seen(self, name: str, jobs: set[str], scenario: Scenario) -> dict[str, Any]:
        events = {event["id"]: event for event in self.ticketing.events(name, "phase")}
        control = self.ticketing.container(CONTROL_CONTAINER)
        logs = self.ticketing.container(REPORT_CONTAINER).list_blobs(f"{name}/logs/")
        report = self.ticketing.report(name)
        return {
            "report": comparable(report.to_wire(), {name: "ID", report.job or "-": "JOB"}),
            "phases told": [
                event["data"]["phase"] for event in sorted(events.values(), key=lambda one: one["sequence"])
            ],
            "backup jobs": len(self._jobs() - jobs),
            "databases": self._databases(),
            "contents": [self._has_contents(*pair) for pair in scenario.databases.items() if pair[0] in CONTENTS],
            "reservations": list(control.list_blob_names(name_starts_with="reservations/")),
            "waiting": list(control.list_blob_names(name_starts_with="waiting/")),
            "files": [name for one in LANDING_CONTAINERS for name in self.ticketing.container(one).list_blob_names()],
            "logs": [log.name.removeprefix(name) for log in logs if log.size and "_database_" in log.name],
        }

    def _jobs(self) -> set[str]:
        """The jobs that the vault has ever made."""
        return {path.name for path in (self.environment.vault.config.state / "jobs").iterdir()}

    def _databases(self) -> list[str]:
        """The databases that our restores make, or leave behind."""
        query = "SELECT datname FROM pg_database WHERE datname ~ '^(crashed|flexrestore)_' ORDER BY 1"
        with self.environment.target.connect(as_superuser=True) as connection:
            return [name for (name,) in connection.execute(query).fetchall()]

    def _has_contents(self, source: str, final: str) -> bool:
        """Whether the target's database holds what the source's does."""
        there, here = (self.environment.source, source), (self.environment.target, final)
        return bool(content(*there, CONTENTS[source]) == content(*here, CONTENTS[source]))

    def _reset_target(self, scenario: Scenario) -> None:
        """Empty databases wait to be replaced, roles are missing unless others need them, and no file is left."""
        with self.environment.source.connect(as_superuser=True) as connection:
            roles = connection.execute("SELECT rolname FROM pg_roles").fetchall()
        admin = sql.Identifier(self.environment.target.admin)
        with self.environment.target.connect(as_superuser=True, autocommit=True) as connection:
            for left in self._databases():
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(left)))
            for final in map(sql.Identifier, scenario.databases.values()):
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(final, admin))
            for (role,) in roles:
                if not is_system_role(role):
                    drop_role(connection, role)
        for container in map(self.ticketing.container, LANDING_CONTAINERS):
            for blob in container.list_blob_names():
                container.delete_blob(blob)


def content(server: FlexibleServer, database: str, query: str) -> Any:
    """What a query finds; None where its table is not."""
    with server.connect(database, as_superuser=True) as connection:
        try:
            return connection.execute(query.encode()).fetchall()
        except psycopg.errors.UndefinedTable:
            return None


def drop_role(connection: psycopg.Connection[Any], role: str) -> None:
    """Drop a role that nobody has use for."""
    try:
        connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(role)))
    except psycopg.errors.DependentObjectsStillExist:
        return


def comparable(document: Any, names: Mapping[str, str]) -> Any:
    """What a report says was done; `names` are those that are this restore's only."""
    match document:
        case dict():
            return {key: comparable(value, names) for key, value in document.items() if key not in VARYING}
        case list():
            return [comparable(value, names) for value in document]
        case str():
            for name, other in names.items():
                document = document.replace(name, other)
            return re.sub(r"flexrestore_[0-9a-f]+_[0-9a-f]+", "TEMPORARY", document)
        case _:
            return document


@pytest.fixture(scope="module")
def site(environment: Environment, lasting_ticketing: Any, tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(environment, lasting_ticketing, tmp_path_factory.mktemp("crash-points"))


@pytest.fixture(scope="module")
def sharing_site(
    sharing_environment: Environment,
    ticketing_of: Callable[[Environment], Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Site:
    """Where several lanes load each database."""
    folder = tmp_path_factory.mktemp("crash-points")
    return Site(sharing_environment, ticketing_of(sharing_environment), folder)


@pytest.fixture(autouse=True)
def undisturbed_again(request: pytest.FixtureRequest) -> Iterator[None]:
    """After a failure, too, no fault is left, and the host runs."""
    yield
    for name in {"site", "sharing_site"}.intersection(request.fixturenames):
        environment: Environment = request.getfixturevalue(name).environment
        environment.clear_faults()
        if not environment.host_runs:
            environment.restart_host()


def test_a_restore_that_is_left_alone_is_what_the_others_are_measured_by(site: Site) -> None:
    """Otherwise they might all fail alike."""
    seen = site.undisturbed.seen
    assert seen["report"]["phase"].startswith("Completed")
    assert seen["phases told"] == [*(entry["phase"] for entry in seen["report"]["phases"]), seen["report"]["phase"]]
    assert seen["backup jobs"] == 1
    assert seen["databases"] == sorted(PLAIN.databases.values())
    assert seen["contents"] == [True, True]
    assert seen["reservations"] == seen["waiting"] == seen["files"] == []
    assert len(seen["logs"]) == len(PLAIN.databases)


def test_a_crash_at_each_activity_changes_nothing(site: Site) -> None:
    """By turns of the worker and of the host, when it has run and nobody knows of it; `make chaos` has all moments."""
    alone = site.undisturbed
    effects = itertools.cycle([Effect.HOST_AFTER, Effect.WORKER_AFTER])
    crashed = site.restore(
        [alone.fault(effect, call) for effect, call in zip(effects, alone.first_calls, strict=False)]
    )

    assert differences(alone.seen, crashed.seen) == []
    assert crashed.met(Effect.HOST_AFTER) + crashed.met(Effect.WORKER_AFTER) == len(alone.first_calls)


@pytest.mark.parametrize("effect", [Effect.TWICE, Effect.AT_ONCE, Effect.LATE])
def test_activities_that_run_once_more_change_nothing(site: Site, effect: Effect) -> None:
    alone = site.undisturbed
    repeated = site.restore([alone.fault(effect, call) for call in alone.calls])

    assert differences(alone.seen, repeated.seen) == []
    assert repeated.met(effect) >= len(alone.first_calls)


@pytest.mark.chaos
@pytest.mark.timeout(0)
@pytest.mark.parametrize("effect", Effect, ids=lambda effect: effect.name.lower())
def test_every_crash_point_is_survived(site: Site, table: "Table", effect: Effect) -> None:
    """Each call of each activity meets the effect, also of restores that fail or are cancelled. Ends with a table."""
    for name, alone in site.scenarios.items():
        for calls in spread(alone.calls, POINTS):
            print(f"{name}: {table.enter(site, SCENARIOS[name], effect, calls, alone)}", flush=True)  # noqa: T201

    assert table.failures[effect] == []
    assert table.survived[effect] > 0


@pytest.mark.chaos
@pytest.mark.timeout(0)
@pytest.mark.parametrize("effect", Effect, ids=lambda effect: effect.name.lower())
def test_every_crash_point_of_lanes_is_survived(sharing_site: Site, table: "Table", effect: Effect) -> None:
    """The same where function instances share a database."""
    alone = sharing_site.undisturbed
    calls = [call for call in alone.calls if call[0] in {"load_database", "load_pieces", "verify_database"}]
    assert {"load_database", "load_pieces"} < {activity for activity, _ in calls}
    for some in spread(calls, POINTS):
        print(f"lanes: {table.enter(sharing_site, PLAIN, effect, some, alone)}", flush=True)  # noqa: T201

    assert table.failures[effect] == []


@pytest.fixture(scope="module")
def table() -> Iterator["Table"]:
    filled = Table()
    yield filled
    print(f"\n{filled}", flush=True)  # noqa: T201


@dataclass
class Table:
    """How many crash points were tried and survived."""

    tried: Counter[Effect] = field(default_factory=Counter)
    survived: Counter[Effect] = field(default_factory=Counter)
    failures: defaultdict[Effect, list[str]] = field(default_factory=lambda: defaultdict(list))

    def enter(self, site: Site, scenario: Scenario, effect: Effect, calls: Sequence[Call], alone: Course) -> str:
        """Restore, and hold the outcome against that of the restore that was left alone; what is to be told."""
        began = time.monotonic()
        try:
            course = site.restore([alone.fault(effect, call) for call in calls], scenario)
        except pytest.fail.Exception as error:
            found, met = [str(error)], len(calls)
        else:
            found, met = differences(alone.seen, course.seen), course.met(effect)
        self.tried[effect] += met
        self.survived[effect] += 0 if found else met
        self.failures[effect] += found
        told = f"not survived {calls}: {found}" if found else "survived"
        return f"{effect}, {met} times, {time.monotonic() - began:.0f} s: {told}"

    def __str__(self) -> str:
        rows = [(str(effect), str(self.tried[effect]), str(self.survived[effect])) for effect in Effect]
        total = ("in all", str(self.tried.total()), str(self.survived.total()))
        return "\n".join(f"{kind:36}{tried:>8}{survived:>10}" for kind, tried, survived in [HEAD, *rows, total])


HEAD = ("crash points", "tried", "survived")


def spread(calls: Sequence[Call], size: int) -> list[Sequence[Call]]:
    """The calls in groups of a size, those of one group as far from each other as can be."""
    count = -(-len(calls) // size)
    return [calls[first::count] for first in range(count)]


def differences(expected: Any, found: Any, path: str = "") -> list[str]:
    """Where two documents differ."""
    if isinstance(expected, dict) and isinstance(found, dict) and expected.keys() == found.keys():
        return [text for key in expected for text in differences(expected[key], found[key], f"{path}/{key}")]
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        pairs = enumerate(zip(expected, found, strict=True))
        return [text for at, (one, other) in pairs for text in differences(one, other, f"{path}/{at}")]
    return [] if expected == found else [f"{path}: {json.dumps(expected)[:300]} became {json.dumps(found)[:300]}"]
