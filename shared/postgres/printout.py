"""The rows of one table as a pg_restore prints them: it unpacks what is not unpacked here."""

from collections.abc import Callable

from shared.errors import LoadInterrupted, UnreadableFile
from shared.postgres import process
from shared.postgres.chunks import for_pg_restore
from shared.postgres.pg_restore import Restorer
from shared.postgres.slices import Slice
from shared.postgres.source import read_ahead
from shared.postgres.toc import python_codec
from shared.postgres.tools import base_environment

PIECE = 1 << 20
"""Bytes of one read of the archive."""


def print_rows(
    restorer: Restorer, one: Slice, take: Callable[[bytes], object], still_wanted: Callable[[], None]
) -> None:
    """Have the slice's only table printed: some settings, its COPY statement, and its rows up to their end.

    `take` gets the text in pieces, in a thread of its own.

    Raises:
        UnreadableFile: pg_restore could not read it to the end.
        LoadInterrupted: pg_restore was killed.
        DeadlinePassed: it took too long.
        Exception: whatever `take` or `still_wanted` raised.
    """
    archive, destination = restorer.archive, restorer.destination
    folder = destination.folder / f"slice-{one.number}"
    folder.mkdir(exist_ok=True)
    wanted = folder / "printed"
    wanted.write_text("".join(f"{entry.dump_id}\n" for entry in one.entries))
    pieces = read_ahead(archive.source, [(0, archive.head_size), *one.ranges], PIECE)
    exit_code = process.run(
        [archive.toolbox.pg_restore.path, f"--format={archive.format}", f"--use-list={wanted}", "--file=-"],
        environment=base_environment(),
        feed=for_pg_restore(archive, pieces, len(one.entries), behind_head=False),
        on_stderr=destination.write,
        on_stdout=take,
        timeout_seconds=destination.deadline.left(),
        still_wanted=still_wanted,
        codec=python_codec(archive.encoding),
    )
    if exit_code < 0:
        raise LoadInterrupted(f"pg_restore was ended by signal {-exit_code}")
    if exit_code:
        raise UnreadableFile(f"pg_restore could not print the rows of {one.entries[0]}")
