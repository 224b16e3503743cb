"""How far the load of one database is: what its server tells, measured by what its file holds."""

from enum import StrEnum

from shared.contracts.base import Published

TABLES_LIMIT = 50
"""Tables that a record tells one by one."""
BUILDS_LIMIT = 10
"""Indexes under way that a record tells one by one."""


class LoadStep(StrEnum):
    """What a load is at."""

    DEFINITIONS = "definitions"  #: the file is fetched or looked through, and the tables are made
    ROWS = "rows"
    INDEXES = "indexes"  #: all rows are there
    OTHER = "other"  #: constraints, privileges, materialized views, statistics


class TableState(StrEnum):
    """Where a table's rows stand."""

    WAITING = "waiting"
    LOADING = "loading"
    LOADED = "loaded"


class TableProgress(Published):
    """How much of one table's rows is there."""

    table: str
    """Schema and name; `large objects` for all of these together."""
    state: TableState
    bytes: int
    """Of the file, as far as can be told from what the server has taken."""
    total_bytes: int | None
    """What its rows take of the file; null where the file does not tell."""
    rows: int


class BuildProgress(Published):
    """An index that is being built."""

    table: str
    """Schema and name."""
    phase: str
    """The server's word for it."""
    share: float | None
    """Of this phase, from 0 to 1; null where the server does not tell."""


class LoadProgress(Published):
    """How far the load of one database is."""

    attempt: str
    """The temporary name of the database: each attempt that begins anew has another one."""
    file_version: str
    """The file's etag."""
    at: str
    """When the server was asked; ISO, UTC."""
    step: LoadStep
    share: float
    """Of the whole load, from 0 to 1; rows count a little more than indexes."""
    bytes: int
    """Bytes of the file whose rows are there, as far as can be told from what the server has taken."""
    total_bytes: int | None
    """Bytes of the file that are rows; null where there are none."""
    rows: int
    """Rows that are there so far."""
    seconds_left: int | None
    """What this step still takes, at its pace so far; null while that is unknown, and for steps without a measure."""
    indexes: int
    """Indexes that are built."""
    total_indexes: int | None
    """Indexes that the file has; null where it does not tell."""
    building: tuple[BuildProgress, ...] = ()
    """Indexes that are being built, at most 10."""
    tables: int
    """Tables whose rows the file has; of plain SQL those that have been met."""
    tables_loaded: int
    by_table: tuple[TableProgress, ...] = ()
    """Tables one by one, those that are being loaded first, then the largest; at most 50."""
