"""Tell what a database file is by its first bytes, and what it says of itself without a server."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from shared.contracts.imports import ArchiveFormat, ArchiveSummary
from shared.errors import UnreadableFile
from shared.postgres import toc
from shared.postgres.notes import readable
from shared.postgres.source import FileSource
from shared.postgres.toc import Entry, Toc
from shared.postgres.tools import Toolbox

BLOCK = 1 << 20
_TAR_BLOCK = 512
_TAR_FIRST = b"toc.dat\0"
_TAR_END = bytes(2 * _TAR_BLOCK)

_PACKED = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"PK\x03\x04": "zip",
}
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class Archive:
    """A database file that was looked into."""

    source: FileSource
    toolbox: Toolbox
    """The tools that can read it."""
    summary: ArchiveSummary
    database: str
    """The name of the database that was dumped; empty for plain SQL."""
    encoding: str
    entries: tuple[Entry, ...]
    """The table of contents; empty for plain SQL."""
    head_size: int
    """Bytes up to the end of the table of contents."""
    int_size: int = 4
    """Bytes of an integer between the data, without its sign."""
    compression: str = ""
    """Of the data: `none`, `gzip`, `lz4`, `zstd`; empty for plain SQL."""

    @property
    def format(self) -> ArchiveFormat:
        """Custom, tar or plain."""
        return self.summary.format

    @property
    def rows_are_chunks(self) -> bool:
        """Whether each row is a chunk of its own, which a pg_restore that reads the file holds as a whole."""
        return self.format is ArchiveFormat.CUSTOM and self.compression == "none"

    @property
    def is_unpacked(self) -> bool:
        """Whether data behind a head are unpacked before pg_restore gets them."""
        return self.format is ArchiveFormat.CUSTOM and self.compression == "gzip"

    def write_head(self, path: Path) -> None:
        """Write an archive without the data, for passes of pg_restore that need only the table of contents.

        It stands before slices of the data too: where those are unpacked, it says so.
        """
        with path.open("wb") as file:
            for offset in range(0, self.head_size, BLOCK):
                piece = self.source.read(offset, min(BLOCK, self.head_size - offset))
                file.write(toc.not_packed(piece) if self.is_unpacked and not offset else piece)
            if self.format is ArchiveFormat.TAR:
                file.write(bytes(-self.head_size % _TAR_BLOCK) + _TAR_END)


def inspect(source: FileSource, toolbox: Toolbox) -> Archive:
    """What the file is, without a server and without reading more than its table of contents.

    Raises:
        UnreadableFile: it is no dump of a database, or a truncated or corrupt one.
        ToolTooOld: pg_restore cannot read it.
    """
    start = source.read(0, BLOCK)
    if start.startswith(toc.MAGIC):
        return _inspect_archive(source, toolbox, ArchiveFormat.CUSTOM, 0)
    if start.startswith(_TAR_FIRST) and start[257:262] == b"ustar":
        # pg_restore takes the end of the file for the end of a table's rows, without an error.
        if source.read(max(0, source.size - len(_TAR_END)), len(_TAR_END)) != _TAR_END:
            raise UnreadableFile(f"{source.name} is truncated: the end mark of a tar archive is missing")
        return _inspect_archive(source, toolbox, ArchiveFormat.TAR, _TAR_BLOCK)
    _check_plain(source.name, start)
    return Archive(
        source=source,
        toolbox=toolbox,
        summary=ArchiveSummary(
            format=ArchiveFormat.PLAIN,
            size=source.size,
            dumped_from=_said(start, "from database"),
            dumped_by=_said(start, "by pg_dump"),
        ),
        database="",
        encoding="",
        entries=(),
        head_size=0,
    )


def _inspect_archive(source: FileSource, toolbox: Toolbox, wanted: ArchiveFormat, offset: int) -> Archive:
    try:
        contents = toc.read_toc(toc.Bytes(_blocks(source, offset)))
    except UnreadableFile as error:
        raise UnreadableFile(f"{source.name}: {error.text}") from error
    if contents.format != wanted:
        raise UnreadableFile(
            f"{source.name} is the table of contents of a dump in {contents.format} format, without its data"
        )
    return Archive(
        source=source,
        toolbox=toolbox.require(contents.dumped_by),
        summary=_summary(source, contents, wanted),
        database=contents.database,
        encoding=contents.encoding,
        entries=contents.entries,
        head_size=offset + contents.end,
        int_size=contents.int_size,
        compression=contents.compression,
    )


def _summary(source: FileSource, contents: Toc, wanted: ArchiveFormat) -> ArchiveSummary:
    entries = contents.entries
    return ArchiveSummary(
        format=wanted,
        size=source.size,
        dumped_from=contents.dumped_from,
        dumped_by=contents.dumped_by,
        archive_version=f"{contents.version[0]}.{contents.version[1]}",
        entries=len(entries),
        extensions=tuple(readable(entry.name) for entry in entries if entry.desc == "EXTENSION"),
        roles=tuple(sorted({readable(entry.owner) for entry in entries if entry.owner})),
    )


def _blocks(source: FileSource, offset: int) -> Iterator[bytes]:
    while block := source.read(offset, BLOCK):
        yield block
        offset += len(block)


def _check_plain(name: str, start: bytes) -> None:
    if not start:
        raise UnreadableFile(f"{name} is empty")
    for magic, program in _PACKED.items():
        if start.startswith(magic):
            raise UnreadableFile(f"{name} is packed with {program}: unpack it and import the file that comes out")
    if start.startswith(_UTF16):
        raise UnreadableFile(f"{name} is UTF-16 text: save it as UTF-8")
    if b"\0" in start:
        raise UnreadableFile(f"{name} is neither an archive of pg_dump nor SQL: it holds binary data")


def _said(start: bytes, what: str) -> str:
    """A version that pg_dump wrote into the comments at the beginning of a script."""
    match = re.search(rb"^-- Dumped " + what.encode() + rb" version ([^\r\n]+)", start, re.MULTILINE)
    return match[1].decode("utf-8", "replace").strip() if match else ""
