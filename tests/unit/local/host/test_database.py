"""The host's SQLite file: transactions one by one, and those of one pass of the event loop committed together."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.host.database import Database

PUT = "INSERT INTO schedules VALUES (?, '')"


class Reader:
    """What another process would see in the file: only what is committed."""

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(path)

    def names(self) -> list[str]:
        return [row[0] for row in self.connection.execute("SELECT function FROM schedules ORDER BY function")]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "host.db"


@pytest.fixture
def soon() -> list[Callable[[], None]]:
    """What was deferred."""
    return []


@pytest.fixture
def grouping(path: Path, soon: list[Callable[[], None]]) -> Iterator[Database]:
    database = Database(path, soon.append)
    yield database
    database.close()


@pytest.fixture
def reader(path: Path, grouping: Database) -> Iterator[Reader]:  # noqa: ARG001 - the file must be there
    reader = Reader(path)
    yield reader
    reader.connection.close()


def put(database: Database, name: str, *, fails: bool = False) -> None:
    with database.transaction():
        database.execute(PUT, (name,))
        if fails:
            raise RuntimeError(name)


def test_without_a_loop_a_transaction_is_on_disk_when_it_ends(path: Path, reader: Reader) -> None:
    database = Database(path)
    put(database, "a")
    assert reader.names() == ["a"]
    database.close()


def test_the_transactions_of_a_pass_are_on_disk_together_at_its_end(
    grouping: Database, reader: Reader, soon: list[Callable[[], None]]
) -> None:
    put(grouping, "a")
    put(grouping, "b")
    assert reader.names() == []
    (commit,) = soon
    commit()
    assert reader.names() == ["a", "b"]


def test_one_that_fails_takes_nothing_of_the_others_with_it(
    grouping: Database, reader: Reader, soon: list[Callable[[], None]]
) -> None:
    put(grouping, "a")
    with pytest.raises(RuntimeError):
        put(grouping, "b", fails=True)
    put(grouping, "c")
    soon[0]()
    assert reader.names() == ["a", "c"]


def test_who_waits_goes_on_when_all_is_on_disk(path: Path) -> None:
    async def write() -> list[str]:
        database = Database(path, asyncio.get_running_loop().call_soon)
        reader = Reader(path)
        try:
            put(database, "a")
            await database.committed()
            return reader.names()
        finally:
            reader.connection.close()
            database.close()

    assert asyncio.run(write()) == ["a"]


def test_who_waits_hears_of_a_disk_that_refuses(path: Path) -> None:
    async def write() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, _context: None)
        database = Database(path, loop.call_soon)
        database.execute("PRAGMA foreign_keys = ON")
        database.execute("CREATE TABLE child (id REFERENCES schedules (function) DEFERRABLE INITIALLY DEFERRED)")
        try:
            with database.transaction():
                database.execute("INSERT INTO child VALUES ('nobody')")  # refused by the commit, as a full disk is
            await database.committed()
        finally:
            put(database, "afterwards")
            await database.committed()
            database.close()

    with pytest.raises(sqlite3.IntegrityError):
        asyncio.run(write())


def test_a_disk_that_is_full_in_the_middle_of_a_pass_takes_back_all_of_it_and_all_who_wait_hear_of_it(
    path: Path,
) -> None:
    async def write() -> tuple[BaseException | None, BaseException | None]:
        database = Database(path, asyncio.get_running_loop().call_soon)
        database.execute("PRAGMA max_page_count = 1")

        async def write_one(name: str) -> None:
            put(database, name)
            await database.committed()

        try:
            return await asyncio.gather(write_one("a"), write_one("b" * 100_000), return_exceptions=True)
        finally:
            database.close()

    first, second = asyncio.run(write())
    assert isinstance(first, sqlite3.OperationalError)
    assert str(second) == "database or disk is full"


def test_what_is_open_is_written_when_the_file_is_closed(path: Path) -> None:
    soon: list[Callable[[], None]] = []
    database = Database(path, soon.append)
    put(database, "a")
    database.close()
    soon[0]()  # the loop goes on for a while
    reader = Reader(path)
    assert reader.names() == ["a"]
    reader.connection.close()
