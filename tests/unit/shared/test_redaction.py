"""What looks like a secret is not kept; what does not, stays; and no text takes long."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contracts.decisions import Remark
from shared.postgres.diagnostics import Diagnostic, Severity
from shared.postgres.discretion import discreet
from shared.redaction import HIDDEN, hidden, without_secrets

SECRET = "pl4nted+S3cret/1"


@pytest.mark.parametrize(
    "text",
    [
        f"password={SECRET}",
        f"host=db password='{SECRET} more' user=x",
        f"PGPASSWORD={SECRET} psql",
        f"the Password = {SECRET}; thanks",
        f"ALTER ROLE a WITH PASSWORD '{SECRET}';",
        f"OPTIONS (user 'a', password '{SECRET}')",
        f"OPTIONS (user 'a', \"password\" '{SECRET}''{SECRET}')",
        f"ALTER DATABASE shop SET app.api_key TO '{SECRET}'",
        f"ALTER DATABASE shop SET app.api_key = '{SECRET}'",
        f"ALTER DATABASE shop SET \"app.api_key\" TO E'a\\\\b {SECRET}'",
        f"ALTER ROLE a PASSWORD U&'{SECRET}'",
        f"ALTER ROLE a PASSWORD $secret$a $ {SECRET}$secret$;",
        f"SELECT connect(password => 'a {SECRET}')",
        f"password := E'a {SECRET}';",
        f'{{"password": "{SECRET}", "a": 1}}',
        f'{{"password": "{SECRET}',
        f'{{"webhookSecret":"x\\"{SECRET}"}}',
        f"postgres://shop:{SECRET.replace('/', '')}@host/db {SECRET[:0]}",
        f"postgres://shop:one@two:{SECRET.replace('/', '')}@host/db",
        f"https://x.blob.core.windows.net/c?sv=2024&sig={SECRET}&se=1",
        f"https://x/api/f?code={SECRET}",
        f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={SECRET};EndpointSuffix=core.windows.net",
        f"SCRAM-SHA-256$4096:{SECRET}$x:y",
        f"whsec_{SECRET}",
        f"eyJhbGciOiJSUzI1NiJ9.{'A' * 20}.{SECRET[:6]}",
    ],
)
def test_what_looks_like_a_secret_is_hidden(text: str) -> None:
    shown = hidden(text)

    assert SECRET[:6] not in shown
    assert HIDDEN in shown
    assert hidden(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        'password authentication failed for user "drilladmin"',
        "password: is not a field of this contract",
        "FLEX_RESTORE_WEBHOOK_SECRETS: a secret is whsec_ and base64",
        "https://tickets.example.org:8443/hook",
        "a drill; see https://wiki/passwords",
        "https://user@host:8443/hook?to=anna@example.org",
        "restore of 2026-04-01T02:30:00Z by anna@example.org",
        'relation "token" already exists',
    ],
)
def test_what_is_none_stays(text: str) -> None:
    assert hidden(text) == text


def test_who_decides_may_paste_one_too() -> None:
    remark = Remark.model_validate({"by": f"lead, password={SECRET}", "reason": f"token={SECRET}"})

    assert (remark.by, remark.reason) == (f"lead, password={HIDDEN}", f"token={HIDDEN}")


def test_of_what_is_no_field_only_the_name_is_kept() -> None:
    request = {
        "requestId": "r",
        "password": SECRET,
        "comment": SECRET,
        "source": {"backupInstance": f"postgres://a:{SECRET.replace('/', '')}@h", "token": SECRET},
        "reason": f"pwd={SECRET}",
        "databases": ["token=x", {"name": "sig=1", "as": "b"}],
    }
    known = frozenset({"requestId", "source", "reason", "databases"})

    assert without_secrets(request, known) == {
        "requestId": "r",
        "password": HIDDEN,
        "comment": HIDDEN,
        "source": {"backupInstance": f"postgres://a:{HIDDEN}@h", "token": HIDDEN},
        "reason": f"pwd={HIDDEN}",
        "databases": ["token=x", {"name": "sig=1", "as": "b"}],
    }


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (
            f"CREATE SUBSCRIPTION s CONNECTION 'host=db {SECRET} user=a' PUBLICATION p;",
            f'invalid connection string syntax: missing "=" after "{SECRET}" in connection info string',
        ),
        (f"CREATE USER MAPPING FOR a SERVER s OPTIONS (pasword '{SECRET}');", f'invalid option "{SECRET}"'),
        (f"SELECT dblink_connect('password={SECRET}');", f'could not connect with "password={SECRET}"'),
    ],
)
def test_what_the_server_quotes_of_such_a_statement_is_hidden_too(statement: str, message: str) -> None:
    said = discreet(Diagnostic(Severity.ERROR, message, detail=message, hint=message, statement=statement))

    assert SECRET not in str(said)


def test_a_statement_without_secrets_is_told_whole() -> None:
    said = Diagnostic(Severity.ERROR, 'relation "a" does not exist', statement="SELECT 'literal' FROM a;")

    assert discreet(said) == said


PARTS = st.sampled_from(
    ["password", "token", "=", ":", "'", '"', "\\", " ", "TO ", "://", "@", "a:", "…", "x", "\n", "sig", "?code=", "''"]
)


@settings(max_examples=300, derandomize=True, deadline=None, database=None)
@given(st.lists(PARTS | st.sampled_from(["$$", "E'"]) | st.text(max_size=3), max_size=14).map("".join))
def test_what_was_hidden_once_stays_as_it_is(text: str) -> None:
    """A request that is read again is the same request."""
    assert hidden(hidden(text)) == hidden(text)


@pytest.mark.parametrize(
    "sign",
    ["a", "secret", "password ", "password=", "a.", "://", "eyJ", "'", 'token"', "x://a:", "token $$", "x://a:b@"],
)
def test_no_text_takes_long(sign: str) -> None:
    """As long as a message of the queue may be, and made to be slow."""
    text = sign * (65_536 // len(sign))
    began = time.process_time()
    hidden(text)

    assert time.process_time() - began < 5
