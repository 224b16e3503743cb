r"""Split scripts for psql into statements, COPY data and backslash commands, and statements into tokens.

The rules are those of psql's own scanner (`psqlscan.l` of PostgreSQL 18, with standard_conforming_strings on), because
psql decides what is a statement and what it would take for one of its commands: quotes, dollar quotes, nested comments,
parentheses, and `BEGIN ATOMIC … END` bodies of SQL-standard functions. Scripts come from outside, so what psql and this
scanner could understand differently is refused rather than guessed.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise

from shared.errors import UnreadableFile
from shared.postgres.notes import readable
from shared.redaction import hidden

STATEMENT_LIMIT = 1 << 28
"""Bytes of one statement; psql and the server hold it in memory as a whole, and so does this scanner."""


@dataclass(frozen=True)
class Piece:
    """A part of a script; all pieces in a row are the script again."""

    source: bytes

    @property
    def text(self) -> str:
        """The piece as text; bytes that are not UTF-8 survive as lone surrogates."""
        return self.source.decode("utf-8", "surrogateescape")


@dataclass(frozen=True)
class Statement(Piece):
    """One SQL statement with the blanks and comments before it and the semicolon after it."""

    line: int
    """Where its first token is, counted from 1."""
    complete: bool = True
    """Whether it ends with its semicolon; the script's end or a backslash command cut it off otherwise."""
    takes_data: bool = False
    """Whether COPY data follow; the newline after the semicolon then belongs to the statement."""


@dataclass(frozen=True)
class Blank(Piece):
    """Blanks and comments that belong to no statement."""


@dataclass(frozen=True)
class Backslash(Piece):
    """A command of psql, from the backslash to the end of the line, without the newline."""

    line: int

    @property
    def name(self) -> str:
        r"""The command without its arguments: `\connect`."""
        return self.text.split(maxsplit=1)[0]


@dataclass(frozen=True)
class CopyData(Piece):
    """Some of the data lines after a COPY statement; cut anywhere."""


@dataclass(frozen=True)
class CopyEnd(Piece):
    r"""The line `\.` behind COPY data."""


type Event = Statement | Blank | Backslash | CopyData | CopyEnd

DUMP_FENCE = frozenset({"\\restrict", "\\unrestrict"})
"""Commands of psql with which pg_dump fences its own scripts; ours stands already, so that nobody needs them."""

_WORD = rb"[A-Za-z_\x80-\xff][A-Za-z0-9_$\x80-\xff]*"
_TAG = rb"[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*"
_TOKEN = re.compile(
    rb"(?P<space>[ \t\n\r\f\v]+)"
    rb"|(?P<line_comment>--)"
    rb"|(?P<block_comment>/\*)"
    rb"|(?P<escape_quote>[eE]')"
    rb"|(?P<word>" + _WORD + rb")"
    rb"|(?P<number>[0-9]+(?:" + _WORD + rb")?)"  # psql takes 1a$b$ for one token of junk, not for a dollar quote
    rb"|(?P<quote>')"
    rb'|(?P<name_quote>")'
    rb"|(?P<dollar_quote>\$(?:" + _TAG + rb")?\$)"
    rb"|(?P<open>\()"
    rb"|(?P<close>\))"
    rb"|(?P<semicolon>;)"
    rb"|(?P<backslash>\\)"
    rb"|(?P<maybe>\$(?:" + _TAG + rb")?|-|/)"  # the start of a longer token when more input comes
    rb"|(?P<other>[^ \t\n\r\f\vA-Za-z0-9_\x80-\xff'\"$();\\/-]+)"
)
_UNREMARKABLE = re.compile(
    rb"(?:[ \t\n\r\f\v]++|(?![eE]')"
    + _WORD
    + rb"|[0-9]++(?:"
    + _WORD
    + rb")?|[^ \t\n\r\f\vA-Za-z0-9_\x80-\xff'\"$();\\/-]++)++"
)
"""A run of tokens that change nothing; reading them one by one takes twice as long."""
_NEEDS_MORE = frozenset({"word", "number", "maybe"})
_BLANK = frozenset({"space", "line_comment", "block_comment"})
_COMMENTS = re.compile(rb"(?:[ \t\n\r\f\v]++|--[^\n]*+)++")
_DUMP_MARK = re.compile(rb"^-- PostgreSQL database (?:cluster )?dump(?P<end> complete)?\r?$", re.MULTILINE)
_QUOTE = re.compile(rb"'")
_NAME_QUOTE = re.compile(rb'"')
_ESCAPED = re.compile(rb"'|\\.", re.DOTALL)
_COMMENT_EDGE = re.compile(rb"/\*|\*/")
_LINE_END = re.compile(rb"[\n\r]")
_NEWLINE = re.compile(rb"\n")
_COPY_END = re.compile(rb"^\\\.\r?\n", re.MULTILINE)
_TELLING_WORDS = 4
"""Words after which a statement that creates no routine so far will create none."""
_CREATES_ROUTINE = re.compile(rb"create (or replace )?(function|procedure) ")


class Statements:
    """The events of a script that comes in chunks; iterate once.

    Holds one statement or one chunk in memory, whatever the script's size.

    Raises:
        UnreadableFile: a NUL byte (psql drops what follows it on the line), more SQL on the line of a
            `COPY … FROM stdin` (psql runs it after the data), or a statement above the limit.
    """

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._ended = False
        self._buffer = bytearray()
        self._start = 0
        """Where the piece begins that is being read."""
        self._position = 0
        self._line = 1
        """The line of `_start`."""
        self._begin_piece()

    def __iter__(self) -> Iterator[Event]:
        while True:
            kind = self._token()
            if kind == "end":
                break
            if kind == "semicolon" and not self._parentheses and not self._blocks:
                statement = self._statement()
                yield statement
                if statement.takes_data:
                    yield from self._copy_data()
            elif kind == "backslash":
                self._position -= 1
                yield from self._cut_off()
                self._to_line_end()
                line = self._line
                yield Backslash(self._take(), line)
        yield from self._cut_off()

    def _begin_piece(self) -> None:
        self._first: int | None = None
        """Where the statement's first token is."""
        self._parentheses = 0
        self._blocks = 0
        self._words = b""
        """The statement's first words, folded, as far as they can open a routine or a COPY."""
        self._word_count = 0
        self._routine = False
        self._escape_tail = ""
        """What followed a closed E'' string so far: it goes on, still with escapes, behind blanks with a `\\r`."""

    def _take(self) -> bytes:
        """What was read since the last piece."""
        source = bytes(self._buffer[self._start : self._position])
        self._line += source.count(b"\n")
        self._start = self._position
        self._begin_piece()
        return source

    def _statement(self, *, complete: bool = True) -> Statement:
        takes_data = complete and self._words.startswith(b"copy ") and self._copies_from_stdin()
        if takes_data:
            self._to_data()
        line = self._line + self._buffer.count(b"\n", self._start, self._first)
        return Statement(self._take(), line, complete, takes_data)

    def _cut_off(self) -> Iterator[Statement | Blank]:
        """What was read and will not be completed."""
        if self._first is not None:
            yield self._statement(complete=False)
        elif self._position > self._start:
            yield Blank(self._take())

    def _copies_from_stdin(self) -> bool:
        source = bytes(self._buffer[self._start : self._position])
        return reads_stdin(tokens(source.decode("utf-8", "surrogateescape")))

    def _to_data(self) -> None:
        """Move behind the rest of a COPY statement's line."""
        semicolon = self._position
        self._seek(_NEWLINE)
        if rest := bytes(self._buffer[semicolon : self._position]).strip():
            line = self._line + self._buffer.count(b"\n", self._start, semicolon)
            shown = rest[:80].decode("utf-8", "replace")
            raise UnreadableFile(f"line {line}: {shown!r} follows COPY … FROM stdin on the same line")

    def _to_line_end(self) -> None:
        if self._seek(_NEWLINE):
            self._position -= 1

    def _fetch(self) -> bool:
        """Append a chunk to the buffer, whose used part is dropped; False at the end of the input."""
        chunk = next(self._chunks, None)
        if chunk is None:
            self._ended = True
            return False
        if b"\0" in chunk:
            raise UnreadableFile("the script holds a NUL byte: it is no plain SQL")
        del self._buffer[: self._start]
        self._position -= self._start
        self._first = None if self._first is None else self._first - self._start
        self._start = 0
        self._buffer += chunk
        if len(self._buffer) > STATEMENT_LIMIT + len(chunk):
            raise UnreadableFile(f"line {self._line}: a statement has more than {STATEMENT_LIMIT >> 20} MiB")
        return True

    def _seek(self, pattern: re.Pattern[bytes], overlap: int = 0) -> bytes:
        """Move behind the next match and return it; to the end of the input, and nothing, when there is none."""
        while True:
            if found := pattern.search(self._buffer, self._position):
                self._position = found.end()
                return bytes(found[0])
            self._position = max(self._position, len(self._buffer) - overlap)
            if not self._fetch():
                self._position = len(self._buffer)
                return b""

    def _token(self) -> str:
        """Move behind the next token, with all of its quoted text, and return its kind; `end` at the end of input."""
        if self._word_count >= _TELLING_WORDS and not self._routine and not self._escape_tail:
            run = _UNREMARKABLE.match(self._buffer, self._position)
            self._position = run.end() if run and run.end() < len(self._buffer) else self._position
        while not (found := _TOKEN.match(self._buffer, self._position)) or self._may_grow(found):
            if not self._fetch() and not found:
                return "end"
        kind = found.lastgroup or ""
        if self._first is None and kind not in _BLANK and kind != "backslash":
            self._first = self._position
        # Of `$tag` only the dollar is a token: the tag is a word, and may be one of those that count.
        self._position = self._position + 1 if kind == "maybe" else found.end()
        self._follow(kind, bytes(found[0]))
        return kind

    def _may_grow(self, token: re.Match[bytes]) -> bool:
        return token.lastgroup in _NEEDS_MORE and token.end() == len(self._buffer) and not self._ended

    def _follow(self, kind: str, text: bytes) -> None:
        """Read what the token opens, and keep the account of what the statement is in."""
        tail, self._escape_tail = self._escape_tail, ""
        match kind:
            case "space":
                self._escape_tail = _tail_after(tail, text)
            case "line_comment":
                self._escape_tail = _tail_after(tail, self._seek(_LINE_END) or b" ")
            case "block_comment":
                self._to_comment_end()
            case "quote" | "escape_quote" | "name_quote" | "dollar_quote":
                self._to_close(kind, text, goes_on=tail in {"closed", "continued"})
            case "open":
                self._parentheses += 1
            case "close":
                self._parentheses = max(0, self._parentheses - 1)
            case "word":
                self._count_word(text.lower())

    def _to_close(self, kind: str, text: bytes, *, goes_on: bool) -> None:
        """Move behind the quote that closes; `goes_on` when an E'' string is continued."""
        if kind == "escape_quote" or (kind == "quote" and goes_on):
            while self._seek(_ESCAPED, overlap=1).startswith(b"\\"):
                pass
            self._escape_tail = "closed"
        elif kind == "dollar_quote":
            self._seek(re.compile(re.escape(text)), overlap=len(text) - 1)
        else:
            self._seek(_QUOTE if kind == "quote" else _NAME_QUOTE)

    def _to_comment_end(self) -> None:
        depth = 1
        while depth:
            edge = self._seek(_COMMENT_EDGE, overlap=1)
            if not edge:
                self._first = self._start if self._first is None else self._first
                return
            depth += 1 if edge == b"/*" else -1

    def _count_word(self, word: bytes) -> None:
        """Follow psql's rule for `CREATE [OR REPLACE] {FUNCTION|PROCEDURE}`: BEGIN and CASE open, END closes."""
        if self._word_count < _TELLING_WORDS:
            self._words += word + b" "
            self._routine = _CREATES_ROUTINE.match(self._words) is not None
        self._word_count += 1
        if self._parentheses or not self._routine:
            return
        if word == b"begin" or (word == b"case" and self._blocks):
            self._blocks += 1
        elif word == b"end":
            self._blocks = max(0, self._blocks - 1)

    def _copy_data(self) -> Iterator[CopyData | CopyEnd]:
        r"""The lines up to `\.`, in pieces of about a chunk."""
        at_line_start = True
        while True:
            end = _COPY_END.search(self._buffer, self._start)
            if end and end.start() == self._start and not at_line_start:
                end = _COPY_END.search(self._buffer, self._start + 1)
            self._position = end.start() if end else self._safe_data_end(at_line_start=at_line_start)
            if self._position > self._start:
                data = CopyData(self._take())
                at_line_start = data.source.endswith(b"\n")
                yield data
            if end:
                self._position = end.end()
                yield CopyEnd(self._take())
                return
            if not self._fetch():
                self._position = len(self._buffer)
                if self._position > self._start:
                    yield CopyData(self._take())
                return

    def _safe_data_end(self, *, at_line_start: bool) -> int:
        r"""Up to where the buffer is data whatever comes: all but a last line that may become `\.`."""
        last_line = self._buffer.rfind(b"\n", self._start) + 1
        if not last_line and at_line_start:
            last_line = self._start
        tail = bytes(self._buffer[last_line : last_line + 4]) if last_line or at_line_start else b""
        return last_line if tail and b"\\.\r\n".startswith(tail) else len(self._buffer)


def _tail_after(tail: str, blanks: bytes) -> str:
    """What the blanks behind an E'' string make of it; psql reads by line, so that a newline ends it."""
    if not tail or b"\n" in blanks:
        return ""
    return "continued" if tail == "continued" or b"\r" in blanks else "blank"


def whole(events: Iterable[Event]) -> Iterator[Event]:
    """The events of a script; one that pg_dump or pg_dumpall began ends with the line that they write last.

    Raises:
        UnreadableFile: at the script's end, when that line is missing: a script may be cut off between two statements.
    """
    open_dumps = 0
    for event in events:
        if isinstance(event, Blank | Statement) and (comments := _COMMENTS.match(event.source)):
            for mark in _DUMP_MARK.finditer(comments[0]):
                open_dumps += -1 if mark["end"] else 1
        yield event
    if open_dumps > 0:
        raise UnreadableFile("the script is not whole: the line with which pg_dump ends what it writes is missing")


def without_data(events: Iterable[Event]) -> Iterator[Event]:
    """The events without COPY and its data; their lines stay, and a COPY whose data do not end is still one cut off."""
    for event in events:
        lines = b"\n" * event.source.count(b"\n")
        match event:
            case Statement(takes_data=True):
                yield replace(event, source=lines, complete=False, takes_data=False)
            case CopyData() | CopyEnd():
                yield replace(event, source=lines)
            case _:
                yield event


class TokenKind(StrEnum):
    """What a token of a statement is."""

    WORD = "word"  #: keyword or unquoted identifier; its value is folded to lower case
    NAME = "name"  #: quoted identifier; its value is what is meant
    STRING = "string"  #: literal, also E'' and dollar-quoted; its value is what is meant
    NUMBER = "number"
    PUNCTUATION = "punctuation"  #: one character


@dataclass(frozen=True)
class Token:
    """A token of a statement; blanks and comments are none."""

    kind: TokenKind
    value: str
    start: int
    end: int

    @property
    def is_identifier(self) -> bool:
        """Whether it can name an object; whether a word is reserved is not known here."""
        return self.kind in {TokenKind.WORD, TokenKind.NAME}

    def is_word(self, *words: str) -> bool:
        """Whether it is one of these keywords."""
        return self.kind is TokenKind.WORD and self.value in words


_STATEMENT_TOKEN = re.compile(
    r"""
      (?P<blank>[ \t\n\r\f\v]+|--[^\n\r]*)
    | (?P<comment>/\*)
    | (?P<escaped>[eE]'(?:[^'\\]++|\\(?:.|\Z)|'')*+(?:'|\Z))
    | (?P<string>'(?:[^']++|'')*+(?:'|\Z))
    | (?P<dollar>(?P<tag>\$(?:[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_\x80-\U0010ffff]*)?\$).*?(?:(?P=tag)|\Z))
    | (?P<name>"(?:[^"]++|"")*+(?:"|\Z))
    | (?P<word>[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_$\x80-\U0010ffff]*)
    | (?P<number>[0-9]+(?:\.[0-9]+)?(?:[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_$\x80-\U0010ffff]*)?)
    | (?P<punctuation>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE_TEXT = re.compile(r"/\*|\*/")
_FOLD = str.maketrans({chr(upper): chr(upper + 32) for upper in range(ord("A"), ord("Z") + 1)})
_ESCAPE = re.compile(r"\\([0-7]{1,3}|x[0-9A-Fa-f]{1,2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)", re.DOTALL)
_LETTERS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def tokens(statement: str, at_most: int | None = None) -> list[Token]:
    """The tokens of one statement, or the first ones; an unterminated literal reaches to the end."""
    found: list[Token] = []
    position = 0
    while len(found) != at_most and (match := _STATEMENT_TOKEN.match(statement, position)):
        kind, text, start, position = match.lastgroup or "", match[0], match.start(), match.end()
        if match["comment"]:
            position = _comment_end(statement, position)
        elif not match["blank"]:
            found.append(Token(*_meaning(kind, text, match["tag"]), start, position))
    return found


def reads_stdin(statement: list[Token]) -> bool:
    """Whether it is a `COPY … FROM STDIN`, which the server also hears in `COPY … FROM STDOUT`."""
    if not (statement and statement[0].is_word("copy")):
        return False
    depth = 0
    for before, token in pairwise(statement):
        depth += {"(": 1, ")": -1}.get(token.value, 0) if token.kind is TokenKind.PUNCTUATION else 0
        if depth == 0 and before.is_word("from") and token.is_word("stdin", "stdout"):
            return True
    return False


def split(script: str) -> list[Statement]:
    """The statements of a short script without data and backslash commands."""
    return [event for event in Statements([script.encode("utf-8", "surrogateescape")]) if isinstance(event, Statement)]


def quote_identifier(name: str) -> str:
    """The name as SQL, always quoted.

    Raises:
        ValueError: no PostgreSQL name is empty or holds a NUL.
    """
    if not name or "\0" in name:
        raise ValueError(f"{name!r} cannot be a name")
    return '"' + name.replace('"', '""') + '"'


def redact(statement: str) -> str:
    """The statement without its literals when it speaks of a password or of a connection; trimmed, and readable."""
    found = tokens(statement)
    connects = any(first.is_word("connection") and not then.is_word("limit") for first, then in pairwise(found))
    if connects or any(token.is_word("password", "options") for token in found):
        for token in reversed(found):
            if token.kind is TokenKind.STRING:
                statement = f"{statement[: token.start]}'…'{statement[token.end :]}"
    return hidden(readable(statement.strip()))


def _comment_end(text: str, position: int) -> int:
    depth = 1
    while depth:
        edge = _COMMENT_EDGE_TEXT.search(text, position)
        if not edge:
            return len(text)
        depth += 1 if edge[0] == "/*" else -1
        position = edge.end()
    return position


def _meaning(kind: str, text: str, tag: str | None) -> tuple[TokenKind, str]:
    """Kind and value of a token's source."""
    if tag:
        return TokenKind.STRING, text.removeprefix(tag).removesuffix(tag)
    if kind == "escaped":
        return TokenKind.STRING, _unescape(text[2:].removesuffix("'").replace("''", "'"))
    if kind in {"string", "name"}:
        quote = text[0]
        return TokenKind(kind), text[1:].removesuffix(quote).replace(quote * 2, quote)
    return TokenKind(kind), text.translate(_FOLD) if kind == "word" else text


def _unescape(body: str) -> str:
    def character(match: re.Match[str]) -> str:
        code = match[1]
        if code[0] in "01234567":
            return chr(int(code, 8) & 0xFF)
        if len(code) > 1:
            return chr(int(code[1:], 16))
        return _LETTERS.get(code, code)

    return _ESCAPE.sub(character, body)
