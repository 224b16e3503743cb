"""How many jobs of a load fit into the memory that a worker is to have; the figures are measured."""

import re

from shared.postgres.archive import Archive

MB = 1_000_000
WORKER = 200 * MB
"""What a worker may hold, with the programs that it runs for one load."""
ALONE = 110 * MB
"""Of a worker with one reader of a file and all that is read ahead."""
JOB = 5 * MB
"""Of a pg_restore, and of what feeds it."""
ENTRIES = 6
"""Times the size of an archive's table of contents: what the worker makes of it."""
ENTRIES_OF_JOB = 3
"""Times that size: what each pg_restore makes of it."""

_LOOK = 1 << 20
"""Bytes of the data in which frames of zstd are looked for."""
_FRAME = re.compile(rb"\x28\xb5\x2f\xfd(.)(.)", re.DOTALL)
_SINGLE_SEGMENT = 0x20
"""In a frame's descriptor: it tells its size, and no window."""


def jobs_that_fit(archive: Archive) -> int:
    """How many jobs the archive may be loaded with; one in any case."""
    packed = archive.source.read(archive.head_size, _LOOK) if archive.compression == "zstd" else b""
    return most_jobs(archive.head_size, largest_window(packed))


def most_jobs(head_size: int, window: int = 0) -> int:
    """How many jobs fit, for a table of contents and a window of zstd of so many bytes; one in any case."""
    left = WORKER - ALONE - ENTRIES * head_size
    return max(1, left // (JOB + ENTRIES_OF_JOB * head_size + window))


def largest_window(data: bytes) -> int:
    """Bytes that must be held to unpack these, as the frames of zstd in them tell (RFC 8878); 0 where none does."""
    frames = ((found[1][0], found[2][0]) for found in _FRAME.finditer(data))
    return max((_size(window) for descriptor, window in frames if not descriptor & _SINGLE_SEGMENT), default=0)


def _size(window: int) -> int:
    """An exponent above three bits of a mantissa."""
    return (1 << (10 + (window >> 3))) // 8 * (8 + (window & 7))
