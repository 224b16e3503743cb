"""Roles files that nobody wrote: random bytes, and real files that were changed at random."""

import contextlib
import re
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import UnreadableFile
from shared.postgres.role_plan import RolePlan, RoleTarget, plan_roles
from shared.postgres.script import Statements, split, tokens
from shared.postgres.server import Capabilities

REAL = rb"""--
-- PostgreSQL database cluster dump
--
\restrict abc
SET default_transaction_read_only = off;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
CREATE ROLE app;
ALTER ROLE app WITH NOSUPERUSER INHERIT NOCREATEROLE NOCREATEDB LOGIN NOREPLICATION NOBYPASSRLS CONNECTION LIMIT 7
 PASSWORD 'SCRAM-SHA-256$4096:abc=' VALID UNTIL '2031-01-01 00:00:00+00';
COMMENT ON ROLE app IS 'it''s; \! nothing';
CREATE ROLE "Re""port; x";
ALTER ROLE "Re""port; x" WITH SUPERUSER NOINHERIT CREATEROLE CREATEDB NOLOGIN REPLICATION BYPASSRLS;
ALTER ROLE app SET search_path TO 'a', 'B;';
ALTER ROLE app IN DATABASE shop SET work_mem TO '9MB';
GRANT app TO "Re""port; x" WITH ADMIN OPTION, INHERIT FALSE, SET FALSE GRANTED BY azuresu;
GRANT SET ON PARAMETER log_min_messages TO app;
SECURITY LABEL FOR pgaadauth ON ROLE app IS 'aadauth,oid=1,type=user';
\unrestrict abc
"""
SPLICES = (
    *(b"'", b'"', b";", b"$$", b"/*", b"*/", b"--", b"\n", b"\\", b"\\! id\n", b"\0", b"\xff", b"E'", b"(", b")"),
    *(b"DROP ROLE app", b"; DROP DATABASE shop; ", b"SUPERUSER ", b"BEGIN ATOMIC ", b"COPY a FROM stdin;\n"),
    *(b"GRANT app TO admin", b"U&'\\0061'", b" app, ", b"CURRENT_USER"),
)
TARGET = RoleTarget(
    capabilities=Capabilities(
        version=180_000,
        user="admin",
        superuser=False,
        createdb=True,
        createrole=True,
        replication=False,
        bypassrls=True,
        extensions_available=frozenset(),
        extensions_allowed=None,
        max_connections=100,
    ),
    roles=frozenset({"admin", "old", "azure_pg_admin", "azuresu"}),
    memberships=frozenset(),
    grantable=frozenset({"old"}),
)
ALLOWED = re.compile(r"create role |alter role |comment on role |grant |set createrole_self_grant = ")


@st.composite
def changed(draw: st.DrawFn) -> bytes:
    """The real file with parts cut out, doubled, moved, and others put in."""
    chance = Random(draw(st.integers(0, 2**32)))  # noqa: S311 -- repeatable
    text = bytearray(REAL)
    for _ in range(chance.randint(1, 6)):
        start = chance.randrange(len(text))
        end = min(len(text), start + chance.choice((0, 1, 5, 80)))
        text[start:end] = chance.choice((b"", bytes(text[start:end]) * 2, chance.choice(SPLICES)))
    return bytes(text)


def _plan(script: bytes, *, update: bool) -> RolePlan | None:
    chunks = (script[at : at + 100] for at in range(0, len(script), 100))
    with contextlib.suppress(UnreadableFile):
        return plan_roles(Statements(chunks), TARGET, TARGET.roles, update=update)
    return None


def _check(plan: RolePlan) -> None:
    for planned in plan.statements:
        # Whatever was in the file, what is run is one statement of a kind that a roles file holds.
        assert len(split(planned.sql)) == 1
        words = tokens(planned.sql)
        assert ALLOWED.match(" ".join(token.value for token in words[:4]) + " "), planned.sql
        assert not any(word.is_word("superuser", "replication") for word in words), planned.sql
    for note in plan.notes:
        note.model_dump_json()


@settings(max_examples=800, derandomize=True, deadline=None, database=None)
@given(st.binary(max_size=200) | st.lists(st.sampled_from(SPLICES), max_size=20).map(b" ".join), st.booleans())
def test_random_bytes_are_refused_or_ask_for_nothing_else_than_roles(script: bytes, update: bool) -> None:
    if plan := _plan(script, update=update):
        _check(plan)


@settings(max_examples=1200, derandomize=True, deadline=None, database=None)
@given(changed(), st.booleans())
def test_a_changed_file_is_refused_or_asks_for_nothing_else_than_roles(script: bytes, update: bool) -> None:
    if plan := _plan(script, update=update):
        _check(plan)


@pytest.mark.parametrize("update", [True, False])
def test_the_real_file_is_read_whole(update: bool) -> None:
    plan = _plan(REAL, update=update)
    assert plan is not None
    assert plan.created == ("app", 'Re"port; x')
    _check(plan)
