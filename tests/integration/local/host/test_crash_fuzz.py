"""Random programs, many at once, on a host whose workers are killed, and which is killed and started again.

Each program must end with the result that it has without any crash, and its history must hold each thing once. What a
crash may cost is what Azure says it costs: a lost worker fails the activities that ran in it (so all are retried), a
lost host has them run again, and a client whose post got no answer may post an event twice (so each has a name of its
own, and is posted while the execution that awaits it is there).
"""

import contextlib
import itertools
import json
import math
import os
import random
import re
import shutil
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from local.host.database import Database
from local.host.history import EventType
from local.host.process import HostProcess
from local.host.store import Instance, InstanceFilter, Store

SECONDS = float(os.environ.get("HOST_FUZZ_SECONDS", "0"))
SEED = int(os.environ.get("HOST_FUZZ_SEED", "1"))
KILLS = ["worker", "worker", "workers", "host", "host"]
RUNNING = 12
"""How many programs run at once while there is something left to kill."""
ROUND_SECONDS = 60.0

Program = list[dict[str, Any]]
_OPEN = {"showInput": "false", "runtimeStatus": "Pending,Running,Suspended"}


class Programs:
    """Makes random programs of fuzz_app.py. Their keys begin with the name of the instance."""

    def __init__(self, name: str) -> None:
        self._chance = random.Random(name)  # noqa: S311 - a fuzz has to be repeatable
        self._keys = (f"{name}.{i}" for i in itertools.count())

    def program(self, children: int = 2) -> Program:
        """Statements, perhaps with a continue_as_new; children may have children of their own."""
        statements = [self._statement(children) for _ in range(self._chance.randint(1, 4))]
        if self._chance.random() < 0.4:
            statements.insert(self._chance.randint(0, len(statements)), {"kind": "again"})
        return statements

    def _statement(self, children: int) -> dict[str, Any]:
        kind = self._chance.random()
        if kind < 0.1:
            return self._activity("hopeless", failures=10**6)
        if kind < 0.25:
            return {"kind": "guarded", "children": [self._expression(children, depth=1)]}
        return self._expression(children, depth=0)

    def _expression(self, children: int, depth: int) -> dict[str, Any]:
        compounds = ["all", "all", "any"] if depth < 2 else []
        kind = self._chance.choice(["act"] * 4 + ["timer", "event"] + ["child"] * (children > 0) + compounds)
        if kind in compounds:
            count = self._chance.randint(1, 4)
            return {"kind": kind, "children": [self._expression(children, depth + 1) for _ in range(count)]}
        if kind == "act":
            return self._activity(kind, failures=self._chance.choice([0, 0, 0, 1, 2]))
        leaf: dict[str, Any] = {"kind": kind, "key": next(self._keys)}
        if kind == "timer":
            leaf["seconds"] = self._chance.random() * 0.5
        if kind == "child":
            leaf |= {"named": self._chance.random() < 0.5, "statements": self.program(children - 1)}
        return leaf

    def _activity(self, kind: str, failures: int) -> dict[str, Any]:
        seconds = self._chance.choice([0, 0, 0.01, 0.1])
        return {"kind": kind, "key": next(self._keys), "failures": failures, "seconds": seconds}


def fits(expression: dict[str, Any], value: Any) -> bool:
    """Whether a value is the expression's; of an `any` each child's is right."""
    kind, children = expression["kind"], expression.get("children", [])
    if kind == "all":
        return len(value) == len(children) and all(map(fits, children, value))
    if kind == "any":
        return fits(children[value[0]], value[1])
    if kind == "guarded":
        return fits(children[0], value)
    if kind == "child":
        return results_fit(expression["key"], expression["statements"], value)
    expected = {"timer": None, "hopeless": "failed"}.get(kind, expression.get("key"))
    return bool(value == expected)


def results_fit(key: str, program: Program, values: list[Any]) -> bool:
    """Whether these are the results of a program: its key, then a value for each statement."""
    statements = [statement for statement in program if statement["kind"] != "again"]
    return values[0] == key and len(values) == len(statements) + 1 and all(map(fits, statements, values[1:]))


def leaves(expressions: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The expressions without children; a child orchestration's own are not among them."""
    for expression in expressions:
        if "children" in expression:
            yield from leaves(expression["children"])
        elif expression["kind"] != "again":
            yield expression


class Client:
    """Starts programs and posts the events that they wait for, again and again until an answer comes."""

    def __init__(self, seed: int) -> None:
        self.url: str | None = None
        self.programs: dict[str, Program] = {}
        self.posts: Counter[str] = Counter()
        self.is_feeding = True
        self.is_stopped = False
        self._started: set[str] = set()
        self._accepted: set[str] = set()
        self._chance = random.Random(seed)  # noqa: S311 - a fuzz has to be repeatable
        self._names = (f"{seed}-{i}" for i in itertools.count())
        self._http = requests.Session()

    def run(self) -> None:
        """Go on until all has ended and no more is to be started."""
        while not self.is_stopped:
            # Without a pause it would knock at the door of a host that is not there.
            with contextlib.suppress(requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
                if self.url is not None and self._has_ended(f"{self.url}/runtime/webhooks/durabletask"):
                    return
            time.sleep(0.02)

    def _has_ended(self, api: str) -> bool:
        answer = self._http.get(f"{api}/instances", params=_OPEN, timeout=10)
        assert "x-ms-continuation-token" not in answer.headers, "more instances than on one page"
        found = {status["instanceId"]: status for status in answer.json()}
        for instance_id, status in found.items():
            self._look_after(f"{api}/instances/{instance_id}", status)
        if self.is_feeding and len(self.programs.keys() & found.keys()) < RUNNING:
            name = next(self._names)
            self.programs[name] = Programs(name).program()
        missing = self.programs.keys() - self._started
        for name in missing:
            self._start(api, name)
        return not (self.is_feeding or missing or found)

    def _start(self, api: str, name: str) -> None:
        request = json.dumps({"statements": self.programs[name], "values": [name]})
        # It may have been started by a post that got no answer; once it has ended, a second start would be one more.
        if self._http.get(f"{api}/instances/{name}", timeout=10).status_code == 404:
            answer = self._http.post(f"{api}/orchestrators/program/{name}", json=request, timeout=10)
            assert answer.status_code == 202, answer.text
        self._started.add(name)

    def _look_after(self, url: str, status: dict[str, Any]) -> None:
        """Post an instance its events; suspend it at times, and resume it when it is."""
        for event in (status["customStatus"] or {"events": []})["events"]:
            if event not in self._accepted and self._chance.random() < 0.5:
                self.posts[event] += 1
                self._post(f"{url}/raiseEvent/{event}", event)
                self._accepted.add(event)
        if status["runtimeStatus"] == "Suspended":
            self._post(f"{url}/resume")
        elif self.is_feeding and self._chance.random() < 0.01:
            self._post(f"{url}/suspend")

    def _post(self, url: str, document: object = None) -> None:
        answer = self._http.post(url, json=document, timeout=10)
        # Since it was listed it may have ended, or have been resumed already.
        assert answer.status_code in {202, 410} or "Cannot resume" in answer.text, answer.text


class Round:
    """A host on fresh data, killed in all ways while programs run on it, until they have ended."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.client = Client(seed)
        self.killed_workers: list[int] = []
        self.kills = list(KILLS)
        self._chance = random.Random(f"kills {seed}")  # noqa: S311 - a fuzz has to be repeatable
        self._chance.shuffle(self.kills)
        self._folder = folder
        self._notes = folder / "notes"
        self._deadline = time.monotonic() + ROUND_SECONDS
        (folder / "app").mkdir(parents=True)
        shutil.copyfile(Path(__file__).parent / "fuzz_app.py", folder / "app" / "function_app.py")
        (folder / "app" / "host.json").write_text('{"version": "2.0", "logging": {"logLevel": {"default": "Warning"}}}')
        self._notes.touch()
        self._start()

    @property
    def data(self) -> Path:
        return self._folder / "data"

    @property
    def log(self) -> str:
        return (self._folder / "log").read_text()[-4000:]

    def executions(self) -> list[str]:
        """The keys of activities as they were executed, one for each time."""
        return self._notes.read_text().split()

    def run(self) -> None:
        """Kill, one after the other, while there is work; then wait until all has ended, and stop."""
        with ThreadPoolExecutor(1) as threads:
            serving = threads.submit(self.client.run)
            try:
                for kill in self.kills:
                    self._wait(self._executed(self._chance.randint(1, 60)), serving, "activities to run")
                    time.sleep(self._chance.random() * 0.05)  # any moment of an activity or a turn
                    self._kill(kill, serving)
                self.client.is_feeding = False
                self._wait(serving.done, serving, "all instances to end")
                self._wait(self._is_idle, serving, "inboxes and activities to be empty")
            finally:
                self.client.is_stopped = True
        assert self._process.stop() == 0

    def left(self) -> str:
        """The instances that have not ended, with their programs and histories."""
        self._process.kill()
        with contextlib.closing(Database(self.data / "host.db")) as database:
            store = Store(database)
            found = [instance for instance in store.instances(InstanceFilter()) if not instance.status.is_terminal]
            programs = (json.dumps(self.client.programs.get(instance.instance_id)) for instance in found)
            return "\n".join(
                f"{instance}\n{program}\n{store.history(instance.instance_id)}"
                for instance, program in zip(found, programs, strict=True)
            )

    def end(self) -> None:
        """Leave no process behind."""
        self._process.kill()

    def _start(self) -> None:
        settings = {"NOTES": str(self._notes), "FUNCTIONS_WORKER_PROCESS_COUNT": "2"}
        self._process = HostProcess.start(self._folder / "app", self.data, settings, self._folder / "log")
        self.client.url = self._process.url

    def _kill(self, kind: str, serving: Future[None]) -> None:
        if kind == "host":
            self._process.kill()
            self.client.url = None
            self._start()
            return
        wanted = {"worker": 1, "workers": 2}[kind]
        self._wait(lambda: len(self._workers()) >= wanted, serving, f"{wanted} workers")
        for pid in self._chance.sample(self._workers(), wanted):
            self.killed_workers.append(pid)
            os.kill(pid, signal.SIGKILL)

    def _executed(self, more: int) -> Callable[[], bool]:
        goal = len(self.executions()) + more
        return lambda: len(self.executions()) >= goal

    def _workers(self) -> list[int]:
        return [pid for pid in self._process.worker_pids() if pid not in self.killed_workers]

    def _is_idle(self) -> bool:
        with contextlib.closing(sqlite3.connect(f"file:{self.data / 'host.db'}?mode=ro", uri=True)) as database:
            counts = [database.execute(f"SELECT count(*) FROM {name}").fetchone() for name in ("inbox", "activities")]
        return counts == [(0,), (0,)]

    def _wait(self, condition: Callable[[], bool], serving: Future[None], what: str) -> None:
        while not condition():
            if serving.done():
                serving.result()
            assert time.monotonic() < self._deadline, f"not within {ROUND_SECONDS:.0f} seconds: {what}"
            time.sleep(0.01)


class Records:
    """What a round has left behind, held against its programs."""

    def __init__(self, store: Store, finished: Round) -> None:
        self._store = store
        self._posts = finished.client.posts
        self._killed = set(finished.killed_workers)
        self._crashes = len(finished.kills)
        self._executions = Counter(finished.executions())
        self._keys: dict[str, str] = {}
        self._instances: dict[str, Instance] = {}
        for instance in store.instances(InstanceFilter()):
            # Inputs are JSON in JSON; the first of the values is the key, in each execution.
            key = json.loads(json.loads(instance.input or ""))["values"][0]
            assert key not in self._instances, f"{key} was created twice"
            self._keys[instance.instance_id] = key
            self._instances[key] = instance

    def check(self, key: str, program: Program) -> None:
        """Check an instance, its activities and its children."""
        instance = self._instances.pop(key)
        assert instance.status == "Completed", instance.output
        assert results_fit(key, program, json.loads(instance.output or "")), instance.output
        marks = [i + 1 for i, statement in enumerate(program) if statement["kind"] == "again"]
        last = program[max(marks, default=0) :]
        assert json.loads(instance.custom_status or "") == {
            "events": [leaf["key"] for leaf in leaves(last) if leaf["kind"] == "event"]
        }
        racing = {leaf["key"] for leaf in leaves(statement for statement in program if _has_race(statement))}
        self._check_history([json.loads(text) for text in self._store.history(instance.instance_id)], racing)
        for leaf in leaves(program):
            if leaf["kind"] == "act":
                # A kill costs one execution, at times before it began; nobody retries what has lost a race.
                least = 0 if leaf["key"] in racing else 1
                assert least <= self._executions[leaf["key"]] <= 1 + leaf["failures"] + self._crashes, leaf
            elif leaf["kind"] == "hopeless":
                assert self._executions[leaf["key"]] <= 1 + self._crashes, leaf
            elif leaf["kind"] == "child":
                self.check(leaf["key"], leaf["statements"])

    def check_nothing_else(self) -> None:
        """After all programs are checked: they are all that there was."""
        assert not self._instances, "instances that nobody has ordered, or that were ordered twice"
        assert not self._store.activities()
        assert not self._store.instances_with_messages(math.inf)

    def _check_history(self, events: list[dict[str, Any]], racing: set[str]) -> None:
        kinds = Counter(event["EventType"] for event in events)
        assert kinds[EventType.EXECUTION_STARTED] == kinds[EventType.EXECUTION_COMPLETED] == 1
        scheduled = _unique([event for event in events if event["EventType"] in _SCHEDULED], ["EventId"])
        ended = _unique([event for event in events if event["EventType"] in _ENDED], ["TaskScheduledId", "TimerId"])
        assert ended.keys() <= scheduled.keys()
        for task in (scheduled[task_id] for task_id in scheduled.keys() - ended.keys()):
            # A timer has no key: it may be one of the race, or one before another attempt in it.
            is_timer = task["EventType"] == EventType.TIMER_CREATED
            assert racing if is_timer else self._key(task) in racing, task
        self._check_failures([event for event in ended.values() if event["EventType"] == EventType.TASK_FAILED])
        raised = Counter(event["Name"] for event in events if event["EventType"] == EventType.EVENT_RAISED)
        assert all(count <= self._posts[name] for name, count in raised.items()), raised

    def _check_failures(self, events: list[dict[str, Any]]) -> None:
        """A lost host costs no attempt: each failure was ordered, or is that of a worker killed alone."""
        for event in events:
            lost = re.search(r"worker process (\d+) ended", event["Reason"])
            assert int(lost[1]) in self._killed if lost else "on purpose" in event["Reason"], event

    def _key(self, scheduled: dict[str, Any]) -> str:
        if scheduled["EventType"] == EventType.CHILD_CREATED:
            return self._keys[scheduled["InstanceId"]]
        return str(json.loads(scheduled["Input"])["key"])


_SCHEDULED = {EventType.TASK_SCHEDULED, EventType.CHILD_CREATED, EventType.TIMER_CREATED}
_ENDED = {
    EventType.TASK_COMPLETED,
    EventType.TASK_FAILED,
    EventType.CHILD_COMPLETED,
    EventType.CHILD_FAILED,
    EventType.TIMER_FIRED,
}


def _unique(events: list[dict[str, Any]], names: list[str]) -> dict[int, dict[str, Any]]:
    """Events by the task id that one of the fields holds."""
    found: dict[int, dict[str, Any]] = {}
    for event in events:
        task_id = next(event[name] for name in names if name in event)
        assert task_id not in found, f"twice in the history: {event}"
        found[task_id] = event
    return found


def _has_race(expression: dict[str, Any]) -> bool:
    return expression["kind"] in {"any", "guarded"} or any(map(_has_race, expression.get("children", [])))


def _check_round(finished: Round) -> None:
    with contextlib.closing(Database(finished.data / "host.db")) as database:
        records = Records(Store(database), finished)
        for name, program in finished.client.programs.items():
            try:
                records.check(name, program)
            except Exception:
                print(f"{name}: {json.dumps(program)}")  # noqa: T201 - what did not end as it should
                raise
        records.check_nothing_else()


@pytest.mark.timeout(SECONDS + 2 * ROUND_SECONDS)
def test_programs_end_as_if_nothing_had_crashed(tmp_path: Path) -> None:
    began = time.monotonic()
    programs = kills = 0
    for seed in itertools.count(SEED):
        fuzz = Round(tmp_path / str(seed), seed)
        try:
            fuzz.run()
            _check_round(fuzz)
        except BaseException:
            print(f"{fuzz.log}\n{fuzz.left()}\nHOST_FUZZ_SEED={seed}, killed {fuzz.kills}")  # noqa: T201 - how to repeat a failure
            raise
        finally:
            fuzz.end()
        programs, kills = programs + len(fuzz.client.programs), kills + len(fuzz.kills)
        if time.monotonic() - began >= SECONDS:
            break
    print(f"crash fuzz: {programs} programs, {kills} kills, from HOST_FUZZ_SEED={SEED} to {seed}")  # noqa: T201
