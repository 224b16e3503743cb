"""Calls: what is repeated and what is not, who signs them, what is never shown."""

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError

REFUSED = httpx.ConnectError("refused")
START = ("restore", "orders", "--target", "drill", "--yes", "--request-id", "INC-1")
LOST = httpx.ReadTimeout("no answer")


def busy(api: Any, seconds: str) -> httpx.Response:
    answer: httpx.Response = api.problem(503, "The vault is busy.", retry_after=seconds)
    return answer


@pytest.mark.parametrize("passing", [REFUSED, LOST, httpx.Response(429), httpx.Response(502), httpx.Response(503)])
def test_a_look_that_fails_in_passing_is_repeated(api: Any, run: Any, passing: Any) -> None:
    api.on("GET targets", passing, passing, httpx.Response(200, json={"targets": []}))
    ended = run("targets", "--json")

    assert (ended.code, len(api.calls), api.slept) == (0, 3, [1, 2])
    assert ended.err.count("Trying again") == 2


def test_a_look_is_not_repeated_for_ever(api: Any, run: Any) -> None:
    api.on("GET targets", REFUSED)

    assert run("targets").code == 9
    assert (len(api.calls), api.slept) == (4, [1, 2, 4])


def test_a_service_that_is_busy_says_when_to_come_back(api: Any, run: Any) -> None:
    api.on("GET targets", busy(api, "20"), httpx.Response(200, json={"targets": []}))

    assert run("targets").code == 0
    assert api.slept == [20]


def test_nobody_waits_for_minutes_without_being_asked(api: Any, run: Any) -> None:
    api.on("GET targets", busy(api, "600"))

    assert run("targets").code == 9
    assert api.slept == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 500])
def test_what_will_not_change_is_not_asked_again(api: Any, run: Any, status: int) -> None:
    api.on("GET targets", api.problem(status))
    run("targets")

    assert len(api.calls) == 1


@pytest.mark.parametrize("passing", [LOST, httpx.Response(503)])
def test_a_start_is_repeated_for_its_id_makes_it_one(api: Any, run: Any, passing: Any) -> None:
    api.on("POST restores", passing, api.started(duplicate=True))

    assert run(*START).code == 0
    assert api.calls[0].content == api.calls[1].content


@pytest.mark.parametrize(
    ("words", "call"),
    [
        ("approve INC-1 --reason r", "POST restores/INC-1/approve"),
        ("reject INC-1 --reason r", "POST restores/INC-1/reject"),
        ("cancel INC-1 --reason r", "POST restores/INC-1/cancel"),
        ("retry INC-1", "POST restores/INC-1/retry"),
    ],
)
def test_what_an_id_does_not_make_one_is_asked_for_once(api: Any, run: Any, words: str, call: str) -> None:
    api.on(call, LOST)

    assert run(*words.split()).code == 9
    assert api.paths == [call]


def test_a_retry_with_an_id_is_repeated(api: Any, run: Any) -> None:
    api.on("POST restores/INC-1/retry", LOST, api.started())

    assert run("retry", "INC-1", "--request-id", "INC-2").code == 0


@pytest.mark.parametrize(
    ("url", "called"),
    [
        ("https://app.example.net", "https://app.example.net/api/targets"),
        ("https://app.example.net/", "https://app.example.net/api/targets"),
        (" https://app.example.net/api/ ", "https://app.example.net/api/targets"),
        ("http://127.0.0.1:7071", "http://127.0.0.1:7071/api/targets"),
        ("https://gate.example.net/restores", "https://gate.example.net/restores/api/targets"),
    ],
)
def test_the_address_may_be_written_in_several_ways(api: Any, run: Any, url: str, called: str) -> None:
    run("targets", "--url", url)

    assert str(api.calls[0].url) == called


@pytest.mark.parametrize("url", [None, "", "app.example.net", "ftp://a", "https://", "https://a:b", "https://a?code=1"])
def test_what_is_no_address_is_a_wrong_command_line(api: Any, run: Any, url: str | None) -> None:
    ended = run("targets", env={"FLEXRESTORE_URL": url})

    assert (ended.code, api.calls) == (2, [])


def test_an_option_behind_the_command_wins_over_one_before_it_and_that_over_the_variable(api: Any, run: Any) -> None:
    run("--url", "https://before", "targets")
    run("--url", "https://before", "targets", "--url", "https://behind")

    assert [call.url.host for call in api.calls] == ["before", "behind"]


def test_the_key_is_sent_in_its_header_and_shown_nowhere(api: Any, run: Any) -> None:
    api.on("GET targets", httpx.ConnectError("refused"))
    run("targets", "--json")
    run("--help")

    assert api.calls[0].headers["x-functions-key"] == "k3y-that-nobody-may-see"
    assert "authorization" not in api.calls[0].headers


@pytest.mark.parametrize("key", ["k3y\nHost: evil", "schlüssel", "a\x00b"])
def test_what_is_no_key_is_refused_without_being_shown(api: Any, run: Any, key: str) -> None:
    ended = run("targets", "--key", key)

    assert (ended.code, api.calls) == (2, [])
    assert "evil" not in ended.err
    assert "schl" not in ended.err


@pytest.mark.parametrize(
    ("url", "warned"),
    [("http://app.example.net", True), ("https://app.example.net", False), ("http://[::1]:7071", False)],
)
def test_a_key_that_others_can_read_on_the_way_is_warned_of(api: Any, run: Any, url: str, warned: bool) -> None:
    api.on("GET targets", httpx.Response(200, json={}))

    assert ("Use https" in run("targets", "--url", url).err) is warned


def test_a_password_in_the_address_is_not_shown(api: Any, run: Any) -> None:
    for answer in (REFUSED, httpx.Response(404), httpx.Response(500)):
        api.on("GET targets", answer)
        ended = run("targets", "--json", "--url", "https://me:secret@app.example.net")
        assert "app.example.net" in ended.err
        assert "secret" not in ended.out + ended.err


def test_there_is_no_proxy_on_the_way_to_this_machine(python: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    code = (
        "import sys, httpx\n"
        "from flexrestore.service import Repeating, connect\n"
        "from flexrestore.settings import Settings\n"
        "service = connect(Settings(url=sys.argv[1]), Repeating(print, print), transport=None, credential=None)\n"
        "print(service._http._transport_for_url(httpx.URL(sys.argv[1]))._pool.__class__.__name__)\n"
    )

    assert python(code, "http://127.0.0.1:7071").stdout == "ConnectionPool\n"
    assert python(code, "http://[::1]:7071").stdout == "ConnectionPool\n"
    assert python(code, "http://app.example.net").stdout == "HTTPProxy\n"


def test_no_key_is_no_header(api: Any, run: Any) -> None:
    run("targets", env={"FLEXRESTORE_KEY": ""})

    assert "x-functions-key" not in api.calls[0].headers


@dataclass(frozen=True)
class Token:
    token: str
    expires_on: int


class Entra:
    """A credential whose tokens live for so long."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.asked: list[str] = []

    def get_token(self, *scopes: str) -> Token:
        self.asked += scopes
        return Token(f"t{len(self.asked)}", int(time.time() + self.seconds))


@pytest.mark.parametrize(("seconds", "tokens"), [(3600, ["Bearer t1", "Bearer t1"]), (60, ["Bearer t1", "Bearer t2"])])
def test_a_token_is_fetched_once_and_anew_before_it_ends(api: Any, run: Any, seconds: float, tokens: list[str]) -> None:
    entra = Entra(seconds)
    api.on("GET restores", httpx.Response(200, json={"restores": [], "next": "n"}), httpx.Response(200, json={}))
    run("list", "--all", "--scope", "api://x/.default", credential=lambda: entra)

    assert [call.headers["authorization"] for call in api.calls] == tokens
    assert set(entra.asked) == {"api://x/.default"}


def test_an_app_may_ask_for_both_a_token_and_a_key(api: Any, run: Any) -> None:
    run("targets", env={"FLEXRESTORE_SCOPE": "s"}, credential=lambda: Entra(3600))

    assert api.calls[0].headers["authorization"] == "Bearer t1"
    assert "x-functions-key" in api.calls[0].headers


@pytest.mark.parametrize(
    ("error", "code"),
    [(ClientAuthenticationError("az login"), 8), (ValueError("az login"), 8), (ServiceRequestError("az login"), 9)],
)
def test_who_cannot_sign_in_hears_why(api: Any, run: Any, error: Exception, code: int) -> None:
    class Stranger:
        def get_token(self, *_: str) -> Token:
            raise error

    ended = run("targets", "--scope", "s", credential=Stranger)

    assert (ended.code, api.calls) == (code, [])
    assert "az login" in ended.err


@pytest.fixture
def python() -> Callable[..., subprocess.CompletedProcess[str]]:
    """A fresh process that finds what this one finds."""

    def call(code: str, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{code}", *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    return call


def test_a_key_needs_nothing_of_azure(python: Any) -> None:
    code = "import flexrestore.app; print(sorted(name for name in sys.modules if name.startswith(('azure', 'msal'))))"

    assert python(code).stdout == "[]\n"


def test_the_program_runs_as_a_module(python: Any) -> None:
    code = "import runpy; sys.argv = ['flexrestore', '--version']; runpy.run_module('flexrestore', run_name='__main__')"

    assert python(code).stdout.startswith("flexrestore 0.")


def test_who_you_are_is_your_name_on_this_machine_unless_you_say_otherwise(
    api: Any, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "osuser")
    api.on("POST restores", api.started())
    run(*START, env={"FLEXRESTORE_USER": None})

    assert api.body["requestedBy"] == "osuser"


def test_who_has_no_name_is_asked_for_one(api: Any, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise OSError

    monkeypatch.setattr("getpass.getuser", nobody)
    ended = run(*START, env={"FLEXRESTORE_USER": None})

    assert (ended.code, api.calls) == (2, [])
    assert "--as" in ended.err
