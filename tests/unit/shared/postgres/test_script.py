"""Scripts from outside are split exactly as psql splits them."""

import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import example, given, reject
from hypothesis import strategies as st

from shared.errors import UnreadableFile
from shared.postgres.script import (
    Backslash,
    Blank,
    CopyData,
    CopyEnd,
    Event,
    Statement,
    Statements,
    Token,
    TokenKind,
    quote_identifier,
    reads_stdin,
    redact,
    split,
    tokens,
    whole,
)


def _events(script: str | bytes) -> list[Event]:
    return list(Statements([script.encode() if isinstance(script, str) else script]))


def _statements(script: str) -> list[str]:
    return [event.text.strip() for event in _events(script) if isinstance(event, Statement) and event.complete]


BEGUN, ENDED = "--\n-- PostgreSQL database dump\n--\n", "--\n-- PostgreSQL database dump complete\n--\n\n"
CLUSTER = [mark.replace("database", "database cluster") for mark in (BEGUN, ENDED)]


@pytest.mark.parametrize(
    "script",
    [
        "SELECT 1;",
        f"{BEGUN}SET a = b;\n{ENDED}\\unrestrict x\n",
        f"{BEGUN}SET a = b;\n{ENDED}SELECT 'added';",
        f"{CLUSTER[0]}SELECT 1;\n{BEGUN}SELECT 1;\n{ENDED}{CLUSTER[1]}",
        f"SELECT $$\n{BEGUN}$$;",
    ],
)
def test_a_script_with_all_its_ends_is_whole(script: str) -> None:
    assert list(whole(_events(script))) == _events(script)


@pytest.mark.parametrize(
    "script",
    [
        BEGUN,
        f"{BEGUN}SET a = b;\nCOPY a FROM stdin;\n{ENDED}\\.\n",
        f"{CLUSTER[0]}SELECT 1;\n{BEGUN}SELECT 1;\n{ENDED}",
        f"{CLUSTER[0]}\\connect a\n{BEGUN}SELECT 1;\n".replace("\n", "\r\n"),
    ],
)
def test_a_script_without_its_end_is_not_whole(script: str) -> None:
    with pytest.raises(UnreadableFile, match="not whole"):
        list(whole(_events(script)))


FRAGMENTS = [
    *"'\"$1/*-\\;()\n\r\t éx",
    *("E'", "e'", "U&'", "''", "$$", "$a$", "$a", "/*", "*/", "--", "\\.", "\r\n", "\\connect x"),
    *("begin", "end", "case", "create", "function", "procedure", "or", "replace", "atomic", "select"),
    *("copy", "t", "from", "stdin", "stdout", "\nCOPY t FROM stdin;\n", "\n\\.\n"),
]

scripts = st.one_of(
    st.lists(st.sampled_from(FRAGMENTS), max_size=40).map("".join),
    st.text(alphabet=st.characters(exclude_characters="\0", codec="utf-8"), max_size=60),
).map(str.encode)


def _merged(events: Iterator[Event]) -> list[object]:
    """The events with neighbouring COPY data as one: where data are cut depends on the chunks, and may."""
    merged: list[Event] = []
    for event in events:
        if isinstance(event, CopyData) and merged and isinstance(merged[-1], CopyData):
            merged[-1] = CopyData(merged[-1].source + event.source)
        else:
            merged.append(event)
    return list(merged)


def _outcome(chunks: list[bytes]) -> object:
    try:
        return _merged(iter(Statements(chunks)))
    except UnreadableFile as error:
        return error.text.split(":", 1)[1]


@given(scripts)
def test_the_pieces_in_a_row_are_the_script_again(script: bytes) -> None:
    try:
        events = list(Statements([script]))
    except UnreadableFile:
        reject()

    assert b"".join(event.source for event in events) == script


@given(scripts, st.lists(st.integers(1, 9), min_size=1, max_size=30))
@example(b"select E'a\\''; copy t from stdin;\n\\N\n\\.\nselect 1;", [1])
@example(b"copy t from stdin;\na\n\\.\r\nselect $ab$;$ab$;", [2, 1])
def test_where_chunks_end_does_not_matter(script: bytes, sizes: list[int]) -> None:
    chunks: list[bytes] = []
    rest = script
    while rest:
        size = sizes[len(chunks) % len(sizes)]
        chunks.append(rest[:size])
        rest = rest[size:]

    assert _outcome([script]) == _outcome(chunks)


@given(scripts.filter(lambda script: b"\r" not in script))
def test_a_complete_statement_ends_with_its_semicolon_and_holds_no_command_of_psql(script: bytes) -> None:
    """By the rules of the other scanner, the one for tokens, which does not know psql's rule for carriage returns."""
    events = _outcome([script])

    for event in events if isinstance(events, list) else []:
        if isinstance(event, Statement) and event.complete:
            values = [token.value for token in tokens(event.text) if token.kind is TokenKind.PUNCTUATION]
            assert values[-1] == ";"
            assert "\\" not in values


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("select 1;select 2;", ["select 1;", "select 2;"]),
        ("select ';';select 2;", ["select ';';", "select 2;"]),
        ("select 'it''s;';", ["select 'it''s;';"]),
        # A backslash is a letter in '' and U&'', and escapes in E''.
        (r"select '\';select 2;", [r"select '\';", "select 2;"]),
        (r"select U&'\0061\';select 2;", [r"select U&'\0061\';", "select 2;"]),
        (r"select E'\';';select 2;", [r"select E'\';';", "select 2;"]),
        (r"select e'\\';select 2;", [r"select e'\\';", "select 2;"]),
        # The E must be a token of its own.
        (r"select typE'\';select 2;", [r"select typE'\';", "select 2;"]),
        # '' in E'' does not end the escapes; neither does psql's continuation behind a carriage return.
        (r"select E'a''\';';", [r"select E'a''\';';"]),
        ("select E'a'\r'\\';';", ["select E'a'\r'\\';';"]),
        # psql reads line by line, so that a string behind a newline is one of its own.
        ("select E'a'\n'\\';select 2;", ["select E'a'\n'\\';", "select 2;"]),
        ('select "a;""b;" from t;', ['select "a;""b;" from t;']),
        ("select $$;$$;", ["select $$;$$;"]),
        ("select $a$ $b$;$$;$a$;", ["select $a$ $b$;$$;$a$;"]),
        # Dollars in names and behind numbers open nothing.
        ("select a$b$;select 1a$b$;", ["select a$b$;", "select 1a$b$;"]),
        ("select $1;$$;$$;", ["select $1;", "$$;$$;"]),
        ("select 1 -- no; 'end\n;", ["select 1 -- no; 'end\n;"]),
        ("select 1 -- a carriage return ends it;\r;", ["select 1 -- a carriage return ends it;\r;"]),
        ("select 1 /* ; /* ; */ ; */;", ["select 1 /* ; /* ; */ ; */;"]),
        ("select 1 +/* ; */ 2;", ["select 1 +/* ; */ 2;"]),
        ("create rule r as on insert to t do (select 1; select 2);", None),
        ("create function f() returns int begin atomic select 1; select case when true then 2 end; end;", None),
        ("create or replace procedure p() begin atomic insert into t values (1); end;", None),
        ("create table begin_atomic (a int); select 1;", ["create table begin_atomic (a int);", "select 1;"]),
        ("begin; end; select 1;", ["begin;", "end;", "select 1;"]),
        (";;", [";", ";"]),
    ],
)  # fmt: skip
def test_semicolons_end_statements_where_psql_ends_them(script: str, expected: list[str] | None) -> None:
    assert _statements(script) == (expected or [script])


@pytest.mark.parametrize(
    ("script", "commands"),
    [
        ("\\connect postgres\nselect 1;", [("\\connect", 1)]),
        ("select 1; \\! reboot \\\\ select 2;\n", [("\\!", 1)]),
        ("\n\nselect 1 \\gexec\n", [("\\gexec", 3)]),
        ("select 1\\; select 2;", [("\\;", 1)]),
        ("-- \\! no\n/* \\! no */ select '\\! no', \"\\! no\", $$\\! no$$, E'\\'\\! no';", []),
        ("copy t from stdin;\n\\! data\n\\.\n\\restrict abc\n", [("\\restrict", 4)]),
        ("-- comment\r\\! yes", [("\\!", 1)]),
    ],
)
def test_backslash_commands_are_found_wherever_psql_would_run_them(
    script: str, commands: list[tuple[str, int]]
) -> None:
    assert [(event.name, event.line) for event in _events(script) if isinstance(event, Backslash)] == commands


def test_a_backslash_command_cuts_off_the_statement_before_it() -> None:
    assert _events("select 1 \\gexec\nselect 2;") == [
        Statement(b"select 1 ", line=1, complete=False),
        Backslash(b"\\gexec", line=1),
        Statement(b"\nselect 2;", line=2),
    ]


def test_copy_data_pass_by_unread() -> None:
    script = "copy t (a) from stdin;\nselect 1;\n'\\.\n\\.x\n\\.\nselect 2; -- end\n"

    assert _events(script) == [
        Statement(b"copy t (a) from stdin;\n", line=1, takes_data=True),
        CopyData(b"select 1;\n'\\.\n\\.x\n"),
        CopyEnd(b"\\.\n"),
        Statement(b"select 2;", line=6),
        Blank(b" -- end\n"),
    ]


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ('COPY public."T" (a, b) FROM stdin;', True),
        ("/* x */ copy t from STDOUT;", True),
        ("COPY t TO stdout;", False),
        ("COPY (select * from stdin) TO stdout;", False),
        ("COPY t FROM 'stdin';", False),
        ('COPY t FROM "stdin";', False),
        ("INSERT INTO copy SELECT * FROM stdin;", False),
    ],
)
def test_data_follow_a_copy_that_the_server_reads_from_the_client(statement: str, expected: bool) -> None:
    assert reads_stdin(tokens(statement)) is expected


@pytest.mark.parametrize("rest", ["select 1;", " -- comment", "\\! reboot"])
def test_more_on_the_line_of_a_copy_is_refused(rest: str) -> None:
    """psql would run it behind the data."""
    with pytest.raises(UnreadableFile, match=r"line 2: .* follows COPY"):
        _events(f"\ncopy t from stdin;{rest}\n1\n\\.\n")


@pytest.mark.parametrize("script", ["select '\0';", "copy t from stdin;\n1\0\n\\.\n"])
def test_nul_bytes_are_refused(script: str) -> None:
    """psql drops the rest of a line behind one."""
    with pytest.raises(UnreadableFile, match="NUL"):
        _events(script)


def test_a_statement_without_end_is_refused_before_it_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.postgres.script.STATEMENT_LIMIT", 1 << 20)
    read = 0

    def endless() -> Iterator[bytes]:
        nonlocal read
        yield b"select '"
        while True:
            read += 1 << 16
            yield b"x" * (1 << 16)

    with pytest.raises(UnreadableFile, match="more than 1 MiB"):
        list(Statements(endless()))

    assert read <= 2 << 20


def test_copy_data_larger_than_the_memory_given_pass_in_chunks() -> None:
    chunk = b"x" * (1 << 16)

    def chunks() -> Iterator[bytes]:
        yield b"copy t from stdin;\n"
        for _ in range(64):
            yield chunk
        yield b"\n\\.\n"

    sizes = [len(event.source) for event in Statements(chunks())]

    assert max(sizes) <= len(chunk) + 8
    assert sum(sizes) == 64 * len(chunk) + 19 + 4


@pytest.mark.parametrize(
    ("script", "complete"),
    [
        ("select 1", False),
        ("select 'a;", False),
        ("/* never closed ; ", False),
        ("copy t from stdin;\n1\n", True),
        ("-- only a comment\n", None),
    ],
)
def test_a_script_that_breaks_off_is_told_from_one_that_ends(script: str, complete: bool | None) -> None:
    last = _events(script)[-1]

    if complete is None:
        assert isinstance(last, Blank)
    elif complete:
        assert isinstance(last, CopyData), "no CopyEnd follows"
    else:
        assert isinstance(last, Statement)
        assert not last.complete


def test_tokens_say_what_is_meant() -> None:
    statement = """GRANT "My ""Role" TO été, App /* x /* y */ */ -- z
    WITH 'a''b' E'\\'\\n\\x41\\u00e9' $x$ it's $x$ 1.5e3 = $1;"""
    word, name, string, number, mark = (
        TokenKind.WORD,
        TokenKind.NAME,
        TokenKind.STRING,
        TokenKind.NUMBER,
        TokenKind.PUNCTUATION,
    )

    found = tokens(statement)

    assert [(token.kind, token.value) for token in found] == [
        (word, "grant"), (name, 'My "Role'), (word, "to"), (word, "été"), (mark, ","), (word, "app"), (word, "with"),
        (string, "a'b"), (string, "'\nAé"), (string, " it's "), (number, "1.5e3"), (mark, "="), (mark, "$"),
        (number, "1"), (mark, ";"),
    ]  # fmt: skip
    assert statement[found[1].start : found[1].end] == '"My ""Role"'


@given(st.text(alphabet=st.characters(exclude_characters="\0", codec="utf-8"), min_size=1))
def test_a_quoted_name_is_one_token_that_means_the_name(name: str) -> None:
    quoted = quote_identifier(name)

    assert tokens(quoted) == [Token(TokenKind.NAME, name, 0, len(quoted))]


@pytest.mark.parametrize("name", ["", "a\0b"])
def test_what_cannot_be_a_name_is_not_quoted(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be a name"):
        quote_identifier(name)


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("ALTER ROLE a WITH LOGIN PASSWORD 'se''cret';\n", "ALTER ROLE a WITH LOGIN PASSWORD '…';"),
        ("ALTER ROLE a PASSWORD E'\\'cret' nonsense", "ALTER ROLE a PASSWORD '…' nonsense"),
        ("ALTER ROLE a PASSWORD 'cut off", "ALTER ROLE a PASSWORD '…'"),
        ("CREATE SERVER s OPTIONS (password $$x$$)", "CREATE SERVER s OPTIONS (password '…')"),
        ("CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p", "CREATE SUBSCRIPTION s CONNECTION '…' PUBLICATION p"),
        ("ALTER SUBSCRIPTION s connection /* */ U&'x'", "ALTER SUBSCRIPTION s connection /* */ U&'…'"),
        ("ALTER SUBSCRIPTION s CONNECTION $$cut off", "ALTER SUBSCRIPTION s CONNECTION '…'"),
        ("CREATE ROLE a CONNECTION LIMIT 3 VALID UNTIL 'b'", "CREATE ROLE a CONNECTION LIMIT 3 VALID UNTIL 'b'"),
        ("COMMENT ON ROLE a IS 'b'", "COMMENT ON ROLE a IS 'b'"),
    ],
)  # fmt: skip
def test_no_password_gets_into_a_report(statement: str, expected: str) -> None:
    assert redact(statement) == expected


def test_comments_do_not_hide_the_first_tokens() -> None:
    statement = "-- " + "long " * 1000 + "\n/* and /* nested */ */ CREATE /* here */ ROLE a PASSWORD 'b';"
    assert [token.value for token in tokens(statement, at_most=3)] == ["create", "role", "a"]


@pytest.mark.parametrize("literal", ["'{}'", "E'{}'", "$${}$$", '"{}"'])
def test_a_long_literal_takes_little_more_memory_than_it_is_long(literal: str) -> None:
    statement = "INSERT INTO t VALUES (" + literal.format("ab" * 500_000) + ")"
    tracemalloc.start()
    found = tokens(statement)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found) == 7
    assert peak < 8 * len(statement)


def test_a_literal_that_ends_in_its_escape_is_one_token() -> None:
    assert [token.kind for token in tokens("SELECT E'a''b\\")] == [TokenKind.WORD, TokenKind.STRING]


def test_an_acl_script_is_split_into_its_statements() -> None:
    assert [event.text.strip() for event in split('GRANT ALL ON t TO a;\nGRANT ALL ON t TO "b;";\n\n')] == [
        "GRANT ALL ON t TO a;",
        'GRANT ALL ON t TO "b;";',
    ]
