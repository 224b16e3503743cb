"""Read the head and the table of contents of a pg_dump archive, custom or tar, without pg_restore.

`pg_restore --list` prints the same entries for people: schema, name and owner with spaces between them, and newlines in
names as spaces. Names that need quoting cannot be told apart there, but they can in the archive.

The layout is that of `pg_backup_archiver.c`, `ReadHead` and `ReadToc`, of archive versions 1.12 (PostgreSQL 9.0)
to 1.16 (PostgreSQL 18). Integers are a sign byte and then little-endian bytes; strings are a length and then bytes,
with a negative length for NULL.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from shared.errors import ToolTooOld, UnreadableFile
from shared.postgres.notes import readable

MAGIC = b"PGDMP"
NEWEST = (1, 16)
OLDEST = (1, 12)

_FORMATS = {1: "custom", 3: "tar", 5: "directory"}
_NAMES_ALGORITHM = bytes((1, 15))
"""The version since which a head does; before there was gzip only, and it tells the level."""
_COMPRESSIONS = {0: "none", 1: "gzip", 2: "lz4", 3: "zstd"}
_SECTIONS = {2: "pre-data", 3: "data", 4: "post-data"}
_NO_PLACE, _PLACE, _NO_DATA = 1, 2, 3
"""What the byte before an offset says: it was not known, it is this one, there is nothing to find."""
_LONGEST = 1 << 30
"""Bytes; PostgreSQL has no longer strings."""

_CODECS = {
    "SQL_ASCII": "utf-8",
    "UTF8": "utf-8",
    "WIN866": "cp866",
    "WIN874": "cp874",
    "UHC": "cp949",
    "JOHAB": "johab",
    "EUC_CN": "gb2312",
    "EUC_JP": "euc_jp",
    "EUC_JIS_2004": "euc_jis_2004",
    "SHIFT_JIS_2004": "shift_jis_2004",
    "SJIS": "cp932",
    "KOI8R": "koi8-r",
    "KOI8U": "koi8-u",
    "ISO_8859_5": "iso8859-5",
    "ISO_8859_6": "iso8859-6",
    "ISO_8859_7": "iso8859-7",
    "ISO_8859_8": "iso8859-8",
    "LATIN1": "iso8859-1",
    "LATIN2": "iso8859-2",
    "LATIN3": "iso8859-3",
    "LATIN4": "iso8859-4",
    "LATIN5": "iso8859-9",
    "LATIN6": "iso8859-10",
    "LATIN7": "iso8859-13",
    "LATIN8": "iso8859-14",
    "LATIN9": "iso8859-15",
    "LATIN10": "iso8859-16",
}
"""Python's name for PostgreSQL's encodings, where a rule does not give it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the table of contents. Absent names are empty."""

    dump_id: int
    desc: str
    schema: str
    name: str
    owner: str
    definition: str
    """The SQL that makes it; empty for entries that only hold data."""
    dependencies: tuple[int, ...]
    section: str = ""
    """`pre-data`, `data`, `post-data`; empty where it is that of what stands before."""
    copy_statement: str = ""
    """What the rows of a table's data belong to; empty where they come as INSERT, and for everything else."""
    place: int | None = None
    """Offset of its block of data in a custom archive; 0 where the archive does not tell, None where it has no data."""

    def __str__(self) -> str:
        return readable(" ".join(part for part in (self.desc, self.schema, self.name) if part))


@dataclass(frozen=True)
class Toc:
    """What stands in front of the data of an archive."""

    format: str
    """`custom`, `tar` or `directory`."""
    version: tuple[int, int]
    database: str
    dumped_from: str
    dumped_by: str
    encoding: str
    """Of the strings in it, PostgreSQL's name: `UTF8`."""
    entries: tuple[Entry, ...]
    end: int
    """Offset of the first byte behind it."""
    int_size: int
    """Bytes of an integer, without its sign."""
    compression: str
    """Of its data: `none`, `gzip`, `lz4`, `zstd`."""


class Bytes:
    """Sequential reading of an archive's bytes from chunks."""

    def __init__(self, chunks: Iterator[bytes], what: str = "its table of contents", int_size: int = 4) -> None:
        self._chunks = chunks
        self._what = what
        self._buffer = b""
        self._at = 0
        self.offset = 0
        self.int_size = int_size

    def take(self, length: int) -> bytes:
        """The next bytes.

        Raises:
            UnreadableFile: the file ends before.
        """
        while len(self._buffer) - self._at < length:
            chunk = next(self._chunks, b"")
            if not chunk:
                raise UnreadableFile(f"the archive ends in the middle of {self._what}: the file is truncated")
            self._buffer = self._buffer[self._at :] + chunk
            self._at = 0
        taken = self._buffer[self._at : self._at + length]
        self._at += length
        self.offset += length
        return taken

    def byte(self) -> int:
        """The next byte."""
        return self.take(1)[0]

    def integer(self) -> int:
        """The next integer."""
        sign = self.byte()
        value = int.from_bytes(self.take(self.int_size), "little")
        return -value if sign else value

    def string(self) -> bytes | None:
        """The next string."""
        length = self.integer()
        if length < 0:
            return None
        if length > _LONGEST:
            raise UnreadableFile(f"the archive is corrupt: it announces a string of {length} bytes")
        return self.take(length)

    def text(self) -> str:
        """The next string, of the head, where only a database's name may be more than ASCII."""
        return (self.string() or b"").decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class _RawEntry:
    """An entry before the encoding of its strings is known."""

    dump_id: int
    name: bytes
    desc: bytes
    definition: bytes
    schema: bytes
    owner: bytes
    dependencies: tuple[int, ...]
    section: str
    copy_statement: bytes
    place: int | None


@dataclass(frozen=True)
class _Head:
    version: tuple[int, int]
    format: str
    compression: str
    offset_size: int
    database: str
    dumped_from: str
    dumped_by: str


def read_toc(data: Bytes) -> Toc:
    """The head and the table of contents.

    Raises:
        UnreadableFile: the archive is truncated, corrupt, or of a time before PostgreSQL 9.
        ToolTooOld: the archive's version is newer than what is known here.
    """
    head = _read_head(data)
    count = data.integer()
    if count < 0:
        raise UnreadableFile(f"the archive is corrupt: its table of contents has {count} entries")
    raw = [_read_entry(data, head) for _ in range(count)]
    encoding = next((_encoding(entry.definition) for entry in raw if entry.desc == b"ENCODING"), "UTF8")
    return Toc(
        format=head.format,
        version=head.version,
        database=head.database,
        dumped_from=head.dumped_from,
        dumped_by=head.dumped_by,
        encoding=encoding,
        entries=tuple(_decoded(entry, python_codec(encoding)) for entry in raw),
        end=data.offset,
        int_size=data.int_size,
        compression=head.compression,
    )


def python_codec(encoding: str) -> str:
    """Python's codec for an encoding of PostgreSQL."""
    return _CODECS.get(encoding) or re.sub(r"^WIN(?=\d)", "cp", encoding).lower()


def integer(value: int, size: int) -> bytes:
    """An integer that is not negative, as an archive has it."""
    return b"\0" + value.to_bytes(size, "little")


def not_packed(start: bytes) -> bytes:
    """The first bytes of a head, saying that the data are not packed."""
    sizes = len(MAGIC) + 3
    at = sizes + 3
    packed = b"\0" if start[len(MAGIC) : sizes - 1] >= _NAMES_ALGORITHM else integer(0, start[sizes])
    return start[:at] + packed + start[at + len(packed) :]


def _read_head(data: Bytes) -> _Head:
    if data.take(len(MAGIC)) != MAGIC:
        raise UnreadableFile("this is no pg_dump archive")
    major, minor, _revision = data.byte(), data.byte(), data.byte()
    version = (major, minor)
    if version > NEWEST:
        raise ToolTooOld(f"the archive has version {major}.{minor}, this app reads {NEWEST[0]}.{NEWEST[1]} and older")
    if version < OLDEST:
        raise UnreadableFile(f"the archive has version {major}.{minor}, from before PostgreSQL 9.0")
    data.int_size = data.byte()
    offset_size = data.byte()
    if data.int_size not in (4, 8) or offset_size not in (4, 8):
        raise UnreadableFile("the archive is corrupt: impossible sizes of integers in its head")
    format_name = _FORMATS.get(data.byte(), "unknown")
    algorithm = data.byte() if bytes(version) >= _NAMES_ALGORITHM else int(data.integer() != 0)
    compression = _COMPRESSIONS.get(algorithm, "unknown")
    for _ in range(7):
        data.integer()  # time of the dump
    database, dumped_from, dumped_by = data.text(), data.text(), data.text()
    return _Head(version, format_name, compression, offset_size, database, dumped_from, dumped_by)


def _read_entry(data: Bytes, head: _Head) -> _RawEntry:
    dump_id = data.integer()
    data.integer()  # whether it has data
    data.string()  # oid of its catalog
    data.string()  # its oid there
    name, desc = data.string(), data.string()
    section = _SECTIONS.get(data.integer(), "")
    definition = data.string()
    data.string()  # statement that drops it
    copy_statement = data.string()
    schema = data.string()
    data.string()  # tablespace
    if head.version >= (1, 14):
        data.string()  # table access method
    if head.version >= (1, 16):
        data.integer()  # kind of relation
    owner = data.string()
    data.string()  # with oids
    dependencies: list[int] = []
    while (dependency := data.string()) is not None:
        dependencies.append(_number(dependency))
    place = None
    if head.format == "custom":
        place = _read_place(data, head.offset_size)
    else:
        data.string()  # the file of its data
    return _RawEntry(
        dump_id=dump_id,
        name=name or b"",
        desc=desc or b"",
        definition=definition or b"",
        schema=schema or b"",
        owner=owner or b"",
        dependencies=tuple(dependencies),
        section=section,
        copy_statement=copy_statement or b"",
        place=place,
    )


def _read_place(data: Bytes, size: int) -> int | None:
    """Where an entry's block of data lies."""
    known = data.byte()
    offset = int.from_bytes(data.take(size), "little")
    if known not in {_NO_PLACE, _PLACE, _NO_DATA}:
        raise UnreadableFile(f"the archive is corrupt: {known} does not tell whether an entry has data")
    return None if known == _NO_DATA else offset if known == _PLACE else 0


def _number(text: bytes) -> int:
    if not text.isdigit():
        raise UnreadableFile(f"the archive is corrupt: {text[:40]!r} is no number of an entry")
    return int(text)


def _encoding(definition: bytes) -> str:
    """`UTF8` of `SET client_encoding = 'UTF8';`."""
    match = re.search(rb"'([^']+)'", definition)
    return match[1].decode("ascii", "replace") if match else "UTF8"


def _decoded(raw: _RawEntry, codec: str) -> Entry:
    texts = (raw.desc, raw.schema, raw.name, raw.owner, raw.definition, raw.copy_statement)
    desc, schema, name, owner, definition, copy = (text.decode(codec, "surrogateescape") for text in texts)
    return Entry(raw.dump_id, desc, schema, name, owner, definition, raw.dependencies, raw.section, copy, raw.place)
