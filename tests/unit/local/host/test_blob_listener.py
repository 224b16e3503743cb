"""The blob listener on a container in memory: which blobs its function is called for, over failures and restarts."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from azure.core.exceptions import ResourceModifiedError, ResourceNotFoundError, ServiceRequestError

from local.host.config import Extensions
from local.host.database import Database
from local.host.functions import Binding, Function
from local.host.invoker import Invoker
from local.host.storage import Storage
from local.host.triggers.blob import BlobListener
from local.host.triggers.services import TriggerServices

NOW = datetime(2024, 1, 1, tzinfo=UTC)


class Stopped(Exception):
    """The test has seen enough."""


def _stop() -> None:
    raise Stopped


class MemoryContainer:
    """What of a container's client the listener uses; blobs by name, each with an etag and a content."""

    def __init__(self) -> None:
        self.blobs: dict[str, tuple[str, bytes]] = {}
        self.is_down = False
        self.is_there = True
        self.overwritten: set[str] = set()

    async def list_blobs(self, prefix: str | None, include: list[str]) -> AsyncIterator[Any]:
        assert include == ["metadata"]
        if self.is_down:
            raise ServiceRequestError("down")
        if not self.is_there:
            raise ResourceNotFoundError("no container")
        for name, (etag, content) in self.blobs.items():
            if name.startswith(prefix or ""):
                settings = SimpleNamespace(content_type="text/plain")
                times = {"last_modified": NOW, "creation_time": NOW}
                yield SimpleNamespace(
                    name=name, etag=etag, size=len(content), metadata={}, content_settings=settings, **times
                )

    async def download_blob(self, name: str, *, etag: str, match_condition: object) -> Any:
        assert match_condition
        if name not in self.blobs:
            raise ResourceNotFoundError("no blob")
        found, content = self.blobs[name]
        if found != etag or name in self.overwritten:
            raise ResourceModifiedError("written again")

        async def readall() -> bytes:
            return content

        return SimpleNamespace(readall=readall)

    def get_blob_client(self, name: str) -> Any:
        return SimpleNamespace(url=f"http://storage/box/{name}")


class Bench:
    """Listeners one after the other, each on the same container and receipts."""

    def __init__(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        self.container = MemoryContainer()
        self.calls: list[bytes] = []
        self._database = database
        self._looks: Iterator[Callable[[], None]] = iter(())

        async def pause(_seconds: float) -> None:
            """Between two looks: let all calls end, and stop after the last."""
            if calls := asyncio.all_tasks() - {asyncio.current_task()}:
                await asyncio.wait(calls)
            next(self._looks)()

        monkeypatch.setattr(asyncio, "sleep", pause)

    async def call(self, _function: Function, value: Any, _metadata: Any, parameters: dict[str, str]) -> None:
        assert parameters["blobTrigger"].startswith("box/")
        self.calls.append(value.data)

    def listener(self, source: str) -> BlobListener:
        options = {"path": "box/{name}", "source": source}
        storage = SimpleNamespace(container=lambda *_: self.container, queue=lambda *_: None)
        services = TriggerServices(
            Extensions(), cast("Storage", storage), cast("Invoker", self), self._database, asyncio.Semaphore()
        )
        return BlobListener(Function("id", "f", Binding("b", "blobTrigger", options), (), ()), services)

    def run(
        self, source: str = "LogsAndContainerScan", *between: Callable[[], None], prepare: bool = True
    ) -> list[bytes]:
        """Run a listener for one look, and one more after each of `between`; what its function was called for."""
        self.calls = []
        self._looks = iter((*between, _stop))

        async def run() -> None:
            listener = self.listener(source)
            if prepare:
                await listener.prepare()
            with pytest.raises(Stopped):
                await listener.run()

        asyncio.run(run())
        return sorted(self.calls)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    database = Database(Path(":memory:"))
    yield Bench(database, monkeypatch)
    database.close()


def test_every_blob_is_new_to_polling_and_no_longer_after_its_call(bench: Bench) -> None:
    bench.container.blobs = {"a": ("1", b"a"), "b": ("1", b"b")}
    assert bench.run() == [b"a", b"b"]
    bench.container.blobs["a"] = ("2", b"A")
    assert bench.run() == [b"A"]


def test_event_grid_does_not_report_what_was_there_before_it(bench: Bench) -> None:
    bench.container.blobs = {"before": ("1", b"before")}
    assert bench.run("EventGrid") == []
    bench.container.blobs["after"] = ("1", b"after")
    assert bench.run("EventGrid") == [b"after"]
    bench.container.blobs["before"] = ("2", b"written again")
    assert bench.run("EventGrid") == [b"written again"]


def test_a_container_that_is_not_there_yet_holds_nothing_that_was_before(bench: Bench) -> None:
    bench.container.is_there = False
    assert bench.run("EventGrid") == []
    bench.container.is_there = True
    bench.container.blobs = {"a": ("1", b"a")}
    assert bench.run("EventGrid") == [b"a"]


def test_while_the_storage_does_not_answer_nothing_is_taken_for_new(bench: Bench) -> None:
    bench.container.is_down = True
    assert bench.run("EventGrid") == []
    bench.container.is_down = False
    bench.container.blobs = {"before": ("1", b"before")}
    assert bench.run("EventGrid", prepare=False) == []


def test_an_outage_is_reported_when_it_begins_and_ends(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    container = bench.container
    container.is_down = True
    container.blobs = {"a": ("1", b"a")}

    def stays() -> None:
        assert bench.calls == []

    def ends() -> None:
        container.is_down = False

    assert bench.run("LogsAndContainerScan", stays, stays, ends) == [b"a"]
    reports = [record.message for record in caplog.records if record.message.startswith("Container box ")]
    assert reports == [
        "Container box cannot be read, and will be tried until it can: down",
        "Container box can be read again",
    ]


@pytest.mark.parametrize("fate", ["deleted", "overwritten"])
def test_a_blob_that_is_gone_or_changed_before_its_call_is_let_be(bench: Bench, fate: str) -> None:
    container = bench.container
    container.blobs = {"a": ("1", b"a")}
    container.overwritten = {"a"} if fate == "overwritten" else set()
    listing = container.list_blobs

    async def then_gone(prefix: str | None, include: list[str]) -> AsyncIterator[Any]:
        async for blob in listing(prefix, include):
            yield blob
        if fate == "deleted":
            container.blobs.clear()

    container.list_blobs = then_gone  # type: ignore[method-assign]
    assert bench.run() == []
