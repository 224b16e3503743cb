"""Who may call what: nobody without the platform's word, nobody beyond their app roles, no page of another site."""

import asyncio
import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import azure.functions as func
import pytest
from hypothesis import example, given
from hypothesis import settings as fuzz
from hypothesis import strategies as st

from shared.contracts.access import Caller, Right
from shared.contracts.api import TargetList
from shared.errors import Misconfigured, NotAllowed, NotSignedIn, WrongMediaType
from shared.settings import access
from triggers.http.access import PRINCIPAL, admit, read_principal
from triggers.http.answers import Answer, answering
from triggers.http.endpoints import ENDPOINTS, Endpoint

TENANT = "11111111-2222-3333-4444-555555555555"
ENTRA = {
    "WEBSITE_AUTH_ENABLED": "True",
    "FLEX_RESTORE_AUTHENTICATION": "entra",
    "FLEX_RESTORE_TENANT": TENANT.upper(),
}
OTHER_SITES = [
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site", "origin": "https://app.example.org"},
    {"sec-fetch-site": "none"},
    {"origin": "https://evil.example.org"},
    {"origin": "https://app.example.org.evil.example"},
    {"origin": "null"},
    {"origin": "https://[app.example.org"},
    {"origin": ""},
]
pytestmark = pytest.mark.usefixtures("configure")
type Configure = Callable[..., None]


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Configure]:
    def configure(**names: str) -> None:
        for name, value in names.items():
            monkeypatch.setenv(name, value)
        access.cache_clear()

    configure()
    yield configure
    access.cache_clear()


def claims(*rights: str, **more: str) -> list[dict[str, str]]:
    said = {"oid": "0b1d", "tid": TENANT, "preferred_username": "anna@example.org", **more}
    return [{"typ": kind, "val": value} for kind, value in said.items() if value] + [
        {"typ": "roles", "val": right} for right in rights
    ]


def principal(given: Any, provider: str = "aad") -> str:
    return base64.b64encode(json.dumps({"auth_typ": provider, "claims": given}).encode()).decode()


def request(method: str = "GET", header: str | None = None, body: bytes = b"", **headers: str) -> func.HttpRequest:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    named |= {} if header is None else {PRINCIPAL: header}
    return func.HttpRequest(method, "https://app.example.org/api/x", headers=named, body=body)


def test_with_keys_nobody_is_believed_to_be_who_the_header_says() -> None:
    """Without the platform in front anybody can send the header: it changes nothing, be it forged or broken."""
    for header in (None, "rubbish", principal(claims("Restores.Approve"))):
        assert admit(request(header=header), Right.APPROVE) == Caller(frozenset(Right))


def test_a_sign_in_gives_the_rights_of_its_app_roles_and_no_others(configure: Configure) -> None:
    configure(**ENTRA)
    caller = admit(request(header=principal(claims("Restores.Read", "Restores.Owner"))), Right.READ)

    assert caller.rights == {Right.READ}
    assert caller.identity is not None
    assert (caller.identity.object_id, caller.identity.name) == ("0b1d", "anna@example.org")
    with pytest.raises(NotAllowed, match=r"app role Restores\.Start, which anna@example\.org does not have"):
        admit(request("POST", principal(claims("Restores.Read", "Restores.Approve"))), Right.START)


def test_claims_under_their_long_names_are_the_same() -> None:
    long = "http://schemas.microsoft.com"
    given = [
        {"typ": f"{long}/identity/claims/objectidentifier", "val": "0b1d"},
        {"typ": f"{long}/identity/claims/tenantid", "val": TENANT},
        {"typ": f"{long}/ws/2008/06/identity/claims/role", "val": "Restores.Start"},
        {"typ": "name", "val": "Anna"},
    ]
    caller = read_principal(principal(given), TENANT)

    assert caller.rights == {Right.START}
    assert caller.identity is not None
    assert caller.identity.name == "Anna"


def test_a_program_is_called_by_its_application_id() -> None:
    caller = read_principal(principal(claims("Restores.Start", preferred_username="", appid="ab-cd")), TENANT)

    assert caller.identity is not None
    assert caller.identity.name == "ab-cd"


def test_a_name_that_cannot_be_shown_is_not_used() -> None:
    caller = read_principal(principal(claims(preferred_username="a\x1b[2Jb\r\nX: y")), TENANT)

    assert caller.identity is not None
    assert caller.identity.name == "0b1d"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "rubbish",
        "e30=",
        principal(None),
        principal("claims"),
        principal({"typ": "oid"}),
        principal(claims("Restores.Read"), provider="google"),
        principal(claims("Restores.Read", tid="")),
        principal(claims("Restores.Read", tid="99999999-2222-3333-4444-555555555555")),
        principal([*claims("Restores.Read"), {"typ": "tid", "val": "99999999-2222-3333-4444-555555555555"}]),
        principal(claims("Restores.Read", oid="")),
        principal(claims("Restores.Read", oid="\ud800")),
        principal(claims("Restores.Read", oid="a\r\nX: y")),
        principal([*claims("Restores.Read"), {"typ": "oid", "val": "another"}]),
        f"{principal(claims('Restores.Read'))},{principal(claims('Restores.Approve'))}",
        base64.b64encode(b"[" * 100_000).decode(),
        base64.b64encode(b"\xff\xfe").decode(),
    ],
)
def test_whom_the_platform_does_not_vouch_for_is_nobody(configure: Configure, header: str) -> None:
    """No header, no JSON, another provider, another tenant, no one identity, the header sent twice."""
    configure(**ENTRA)
    with pytest.raises(NotSignedIn):
        admit(request(header=header), Right.READ)


def test_without_the_header_nobody_is_signed_in(configure: Configure) -> None:
    configure(**ENTRA)
    with pytest.raises(NotSignedIn):
        admit(request(), Right.READ)


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ({"WEBSITE_AUTH_ENABLED": ""}, "FLEX_RESTORE_AUTHENTICATION: is entra, but App Service authentication is off"),
        ({"WEBSITE_AUTH_ENABLED": "False"}, "FLEX_RESTORE_AUTHENTICATION: is entra"),
        ({"FLEX_RESTORE_TENANT": ""}, "FLEX_RESTORE_TENANT: must be the id"),
        ({"FLEX_RESTORE_TENANT": "common"}, "FLEX_RESTORE_TENANT: must be the id"),
        ({"FLEX_RESTORE_AUTHENTICATION": "none"}, "FLEX_RESTORE_AUTHENTICATION: "),
        ({"FLEX_RESTORE_AUTHENTICATION": "keys", "FLEX_RESTORE_FOUR_EYES": "true"}, "FLEX_RESTORE_FOUR_EYES: needs"),
    ],
)
def test_what_is_half_configured_lets_nobody_in(configure: Configure, change: dict[str, str], finding: str) -> None:
    configure(**{**ENTRA, **change})
    with pytest.raises(Misconfigured) as caught:
        admit(request(header=principal(claims("Restores.Read"))), Right.READ)

    assert caught.value.details[0].startswith(finding)


def test_four_eyes_are_asked_for_where_names_are_proven_unless_the_operator_says_otherwise(
    configure: Configure,
) -> None:
    assert not access().needs_other_approver
    configure(**ENTRA)
    assert access().needs_other_approver
    configure(FLEX_RESTORE_FOUR_EYES="false")
    assert not access().needs_other_approver


@pytest.mark.parametrize("headers", OTHER_SITES)
@pytest.mark.parametrize("mode", [{}, ENTRA])
def test_what_a_page_of_another_site_sends_is_refused(
    configure: Configure, mode: dict[str, str], headers: dict[str, str]
) -> None:
    configure(**mode)
    sent = {**headers, "content-type": "application/json"}
    with pytest.raises(NotAllowed, match="another site"):
        admit(request("POST", principal(claims("Restores.Start")), b"{}", **sent), Right.START)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec-fetch-site": "same-origin", "origin": "https://front.example.org"},
        {"origin": "https://app.example.org"},
    ],
)
def test_programs_and_the_console_may_send(headers: dict[str, str]) -> None:
    admit(request("POST", None, b"{}", **headers, **{"content-type": "application/json; charset=utf-8"}), Right.START)
    admit(request("POST", None, b"", **headers), Right.START)


@pytest.mark.parametrize(
    "kind",
    [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/json", "json"],
)
def test_what_a_form_can_send_is_no_request(kind: str | None) -> None:
    with pytest.raises(WrongMediaType):
        admit(request("POST", None, b"{}", **({} if kind is None else {"content-type": kind})), Right.START)


def test_a_form_without_a_body_is_none_either() -> None:
    with pytest.raises(WrongMediaType):
        admit(request("POST", None, b"", **{"content-type": "application/x-www-form-urlencoded"}), Right.START)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_each_call_of_the_table_wants_its_own_right(configure: Configure, endpoint: Endpoint) -> None:
    """With all the other rights it is 403, without a sign-in 401, and the handler is not reached."""
    configure(**ENTRA)

    def status(header: str | None) -> int:
        called = answering(endpoint.handler, endpoint.needs)(request(endpoint.method, header), None)
        return int(asyncio.run(called).status_code)

    assert status(principal(claims(*(set(Right) - {endpoint.needs})))) == 403
    assert status(None) == 401


def test_looking_needs_read_asking_needs_start_and_deciding_needs_approve() -> None:
    needed = {(one.method, one.route.rpartition("/")[2]): one.needs for one in ENDPOINTS}

    assert {right for (method, _), right in needed.items() if method == "GET"} == {Right.READ}
    assert {name: right for (method, name), right in needed.items() if method == "POST"} == {
        "plans": Right.START,
        "restores": Right.START,
        "cancel": Right.START,
        "retry": Right.START,
        "approve": Right.APPROVE,
        "reject": Right.APPROVE,
    }


async def get_something(_req: Any, _client: Any) -> Answer:
    return Answer(TargetList(targets=()))


def test_every_answer_is_protected_and_says_who_is_signed_in(configure: Configure) -> None:
    configure(**ENTRA)
    signed = request(header=principal(claims("Restores.Read", preferred_username="jörg@example.org")))
    answer = asyncio.run(answering(get_something, Right.READ)(signed, None))
    refused = asyncio.run(answering(get_something, Right.READ)(request(), None))

    assert answer.headers["Signed-In-As"] == "j%C3%B6rg%40example.org"
    assert "Signed-In-As" not in refused.headers
    for one in (answer, refused):
        assert one.headers["X-Content-Type-Options"] == "nosniff"
        assert one.headers["Referrer-Policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in one.headers["Content-Security-Policy"]
        assert "default-src 'none'" in one.headers["Content-Security-Policy"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["aad", TENANT]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["auth_typ", "claims", "typ", "val", "oid", "tid", "roles"]), inner)
    ),
    max_leaves=12,
)
CLAIM = st.fixed_dictionaries(
    {"typ": st.sampled_from(["oid", "tid", "roles", "name", "x"]), "val": st.sampled_from([*Right, TENANT, "a"]) | JSON}
)
HEADERS = (
    st.text(max_size=40)
    | st.binary(max_size=40).map(lambda raw: base64.b64encode(raw).decode())
    | JSON.map(lambda value: base64.b64encode(json.dumps(value).encode()).decode())
    | st.lists(CLAIM | JSON, max_size=8).map(principal)
    | st.lists(CLAIM, max_size=6).map(lambda more: principal([*claims(), *more]))
)


@fuzz(max_examples=300, derandomize=True, deadline=None, database=None)
@given(HEADERS)
@example("\ud800")
@example("=" * 9)
def test_a_principal_that_nobody_thought_of_is_one_of_this_tenant_or_nobody(header: str) -> None:
    try:
        caller = read_principal(header, TENANT)
    except NotSignedIn:
        return
    decoded = json.loads(base64.b64decode(header))
    given = [(one["typ"], one["val"]) for one in decoded["claims"] if isinstance(one, dict) and len(one) > 1]
    assert caller.identity is not None
    assert caller.identity.name.isprintable()
    assert ("oid", caller.identity.object_id) in given
    assert ("tid", TENANT) in given
    assert all(("roles", right) in given for right in caller.rights)
