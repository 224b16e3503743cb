"""`make bench-load`: a burst of requests for many backup instances, each of which must end as it should, and once.

What is counted comes from the services, not from the app: the vault's own jobs with their times, the databases of the
target server, the restores that the engine knows. Seconds and MB are those of this machine while they were taken.
"""

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests
from azure.storage.queue import QueueClient
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from local.bench.burst import Sent, burst
from local.bench.day import longest_histories
from local.bench.sampling import Sampling
from local.demo.backup import take_backup
from local.environment import Environment
from local.vault.config import Pacing
from local.vault.jobs import Job
from local.vault.state import State
from shared.contracts.progress import Phase
from shared.topology import LANDING_CONTAINERS, REQUEST_QUEUE
from shared.vault.operations import file_prefix

_REQUESTS = 1_000
_INSTANCES = 20
_SENDERS = 8
_STARTS = 3
_PATIENCE_SECONDS = 3_600
_PAUSE = 2.0
_IMPORTS = 1
"""What the operator allows the target: fewer than there are landing containers, so that it matters."""
_TARGET = {"importsAtOnce": _IMPORTS}
_SETTINGS = {"FLEX_RESTORE_POLL_SECONDS": "0.5", "FLEX_RESTORE_POLL_LIMIT_SECONDS": "30"}
"""The vault here takes a second where the real one takes minutes; who waits in a line looks as rarely as there."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured, by the names in the JSON file."""

    requests: int
    by_phase: dict[str, int]
    wrong_phase: list[str]
    """Requests that did not end as they should."""
    started_twice: int
    """Requests for which the vault restored more than once."""
    limits_exceeded: int
    """By how much more ran at once than may: restores of a datasource, in one container, in all, imports."""
    restores_per_datasource: int
    containers_in_use: int
    imports_per_target: int
    seconds: float
    history_events_24h: int
    peak_rss_mb: float
    memory_growth: float
    """The last quarter's median over the second quarter's."""
    cold_start_s: float


def measure(count: int) -> Figures:
    """Send the burst, wait for the end of every restore, and count."""
    directory = Path(tempfile.mkdtemp(prefix="flex-restore-load-"))
    try:
        pacing = Pacing(retry_after=0, operation=0.1, job=0.2)
        with Environment.start(
            directory, settings=_SETTINGS, pacing=pacing, instances=_INSTANCES, target=_TARGET
        ) as environment:
            _fill(environment)
            cold_start = _cold_start(environment)
            messages = burst(count, _INSTANCES)
            with Sampling(environment) as seen:
                began = time.monotonic()
                _send(environment, messages)
                ended = _await_all(environment, {sent.request_id for sent in messages if sent.request_id})
                seconds = time.monotonic() - began
            return _figures(environment, messages, ended, seen, seconds, cold_start)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _fill(environment: Environment) -> None:
    """One small database, backed up as each of the backup instances."""
    with environment.source.connect(autocommit=True) as connection:
        connection.execute("CREATE DATABASE app")
    with environment.source.connect("app", autocommit=True) as connection:
        connection.execute("CREATE TABLE item AS SELECT n, 'item ' || n AS name FROM generate_series(1, 1000) n")
    for instance in environment.vault.config.instances:
        take_backup(environment, instance)


def _cold_start(environment: Environment) -> float:
    """Seconds from the start of the host's process to the first answer of a function: the median."""
    times = []
    for _ in range(_STARTS):
        began = time.monotonic()
        environment.restart_host()
        _get(environment, "targets")
        times.append(time.monotonic() - began)
    return statistics.median(times)


def _send(environment: Environment, messages: Sequence[Sent]) -> None:
    storage = environment.azurite.connection_string
    with QueueClient.from_connection_string(storage, REQUEST_QUEUE) as queue, ThreadPoolExecutor(_SENDERS) as threads:
        list(threads.map(lambda sent: queue.send_message(sent.body), messages))


def _await_all(environment: Environment, request_ids: set[str]) -> dict[str, str]:
    """The terminal phase of every restore; of those that do not come to one in time, what they are."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    show = sys.stderr.isatty()
    while True:
        phases = _phases(environment)
        waiting = {one for one in request_ids if one not in phases or not Phase(phases[one]).is_terminal}
        if show:
            print(f"\r{len(request_ids) - len(waiting)} of {len(request_ids)} have ended ", end="", file=sys.stderr)
        if not waiting or time.monotonic() > deadline:
            return {one: phases.get(one, "never started") for one in sorted(request_ids)}
        time.sleep(_PAUSE)


def _phases(environment: Environment) -> dict[str, str]:
    phases: dict[str, str] = {}
    after = ""
    while True:
        page = _get(environment, f"restores?size=200{f'&after={after}' if after else ''}")
        phases |= {one["requestId"]: one["phase"] for one in page["restores"]}
        after = page.get("next") or ""
        if not after:
            return phases


def _get(environment: Environment, path: str) -> Any:
    headers = {"x-functions-key": environment.function_key}
    response = requests.get(f"{environment.url}/api/{path}", headers=headers, timeout=120)
    response.raise_for_status()
    return response.json()


def _figures(  # noqa: PLR0913, PLR0917 -- everything that was seen
    environment: Environment,
    messages: Sequence[Sent],
    ended: dict[str, str],
    seen: Sampling,
    seconds: float,
    cold_start: float,
) -> Figures:
    jobs = [job for job in State(environment.vault.config.state).jobs if job.target is not None]
    expected = {sent.request_id: sent for sent in messages if sent.request_id}
    restored = Counter(_request_of(job) for job in jobs)
    wrong = [one for one, sent in expected.items() if sent.expected != ended[one] or restored[one] != sent.restores]
    per_datasource = max(
        _at_once(job for job in jobs if job.instance == name) for name in {job.instance for job in jobs}
    )
    in_container = max(_at_once(job for job in jobs if _container(job) == name) for name in LANDING_CONTAINERS)
    in_use = _at_once(jobs)
    quarter = len(seen.memory) // 4
    return Figures(
        requests=len(messages),
        by_phase=dict(Counter(ended.values())),
        wrong_phase=[f"{one}: {ended[one]}, {restored[one]} restores" for one in wrong],
        started_twice=sum(count > 1 for count in restored.values()),
        limits_exceeded=sum(
            (
                max(0, per_datasource - 1),
                max(0, in_container - 1),
                max(0, in_use - len(LANDING_CONTAINERS)),
                max(0, seen.imports_at_once - _IMPORTS),
            )
        ),
        restores_per_datasource=per_datasource,
        containers_in_use=in_use,
        imports_per_target=seen.imports_at_once,
        seconds=round(seconds, 1),
        history_events_24h=max(longest_histories(hours=24).values()),
        peak_rss_mb=round(max(seen.memory), 1),
        memory_growth=round(
            statistics.median(seen.memory[-quarter:]) / statistics.median(seen.memory[quarter:][:quarter]), 3
        ),
        cold_start_s=round(cold_start, 2),
    )


def _request_of(job: Job) -> str:
    """The restore that a job is for: its file prefix names it."""
    return job.target.prefix.removeprefix(file_prefix("")) if job.target is not None else ""


def _container(job: Job) -> str:
    return job.target.container if job.target is not None else ""


def _at_once(jobs: Iterable[Job]) -> int:
    """How many of the jobs ran at the same moment, at most."""
    now = datetime.now(UTC)
    moments = [moment for job in jobs for moment in ((job.start, 1), (job.end or now, -1))]
    running = most = 0
    for _, change in sorted(moments):
        running += change
        most = max(most, running)
    return most


_ROWS = {
    "requests": "messages sent",
    "seconds": "seconds to the end of the last restore",
    "by_phase": "restores by their terminal phase",
    "wrong_phase": "restores that ended otherwise than they should",
    "started_twice": "requests that the vault restored more than once",
    "restores_per_datasource": "restores of one datasource at once, of 1",
    "containers_in_use": f"landing containers that the vault wrote into at once, of {len(LANDING_CONTAINERS)}",
    "imports_per_target": f"imports into the target at once, of {_IMPORTS}",
    "limits_exceeded": "limits exceeded",
    "history_events_24h": "longest history of a restore whose job takes a day, events",
    "peak_rss_mb": "memory of the app's largest process, MB",
    "memory_growth": "memory in the last quarter, of that in the second",
    "cold_start_s": "from the host's start to the first answer, s (median)",
}


def _table(figures: dict[str, Any]) -> Table:
    table = Table("figure", "measured", box=SIMPLE_HEAD)
    for name, text in _ROWS.items():
        value = figures[name]
        shown = ", ".join(f"{count} {phase}" for phase, count in value.items()) if isinstance(value, dict) else value
        table.add_row(text, ", ".join(shown) or "none" if isinstance(shown, list) else str(shown))
    return table


def main() -> None:
    """Measure, print a table, and with `--json` write the figures into a file."""
    parser = argparse.ArgumentParser(prog="make bench-load", description="A burst of requests.")
    parser.add_argument("--json", type=Path, help="a file that gets the figures")
    parser.add_argument("--requests", type=int, default=_REQUESTS, help="messages of the burst")
    arguments = parser.parse_args()
    figures = asdict(measure(arguments.requests))
    Console().print(_table(figures))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")
    if figures["wrong_phase"] or figures["started_twice"] or figures["limits_exceeded"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
