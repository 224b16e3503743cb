"""Settings of the webhook: which address events may go to, and what is said of one that they may not."""

import json
from collections.abc import Callable, Iterator

import pytest

from shared.errors import Misconfigured
from shared.settings import settings

KEY = "key-that-nobody-may-read"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
HOSTS = ["Tickets.example.org", "127.0.0.1"]
type Configure = Callable[..., None]


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Configure]:
    def configure(url: str, hosts: str = json.dumps(HOSTS), secrets: str = SECRET) -> None:
        vault = "/subscriptions/s/resourceGroups/g/providers/Microsoft.DataProtection/backupVaults/v"
        monkeypatch.setenv("FLEX_RESTORE_VAULT", vault)
        monkeypatch.setenv("FLEX_RESTORE_LANDING_ACCOUNT", "/subscriptions/s/providers/x/storageAccounts/a")
        monkeypatch.setenv("FLEX_RESTORE_WEBHOOK_URL", url)
        monkeypatch.setenv("FLEX_RESTORE_WEBHOOK_HOSTS", hosts)
        monkeypatch.setenv("FLEX_RESTORE_WEBHOOK_SECRETS", secrets)
        settings.cache_clear()

    yield configure
    settings.cache_clear()


def wrong() -> list[str]:
    with pytest.raises(Misconfigured) as caught:
        settings()
    assert KEY not in str(caught.value.details)
    assert SECRET not in str(caught.value.details)
    return caught.value.details


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://tickets.example.org",
        "https://TICKETS.example.org:8443/hook?code=a%2Fb",
        "http://127.0.0.1:7071/hook",
    ],
)
def test_an_allowed_address(configure: Configure, url: str) -> None:
    configure(url, secrets=f"{SECRET} {SECRET}")

    assert settings().webhook_url.get_secret_value() == url
    assert settings().signing_secrets == [SECRET, SECRET]


@pytest.mark.parametrize(
    ("url", "finding"),
    [
        (f"https://hooks.example.org/{KEY}", "its host hooks.example.org is not among FLEX_RESTORE_WEBHOOK_HOSTS"),
        (f"https://tickets.example.org.evil.example/{KEY}", "is not among"),
        (f"http://tickets.example.org/{KEY}", "events would reach tickets.example.org unencrypted; use https"),
        (f"http://localhost/{KEY}", "is not among"),
        # what some parsers take for another host
        (f"https://evil.example\\@tickets.example.org/{KEY}", "is no address"),
        (f"https://tickets.example.org@evil.example/{KEY}", "is no address"),
        (f"https://{KEY}:x@tickets.example.org/", "is no address"),
        (f"https://evil.example#@tickets.example.org/{KEY}", "is no address"),
        (f"https://tickets.example.org/\n{KEY}", "is no address"),
        (f"file:///{KEY}", "is no address"),
    ],
)
def test_any_other_address_is_refused_in_words_that_hold_no_key(configure: Configure, url: str, finding: str) -> None:
    configure(url)

    [line] = wrong()
    assert line.startswith("FLEX_RESTORE_WEBHOOK_URL: ")
    assert finding in line


def test_without_a_secret_no_event_is_sent_anywhere(configure: Configure) -> None:
    configure("https://tickets.example.org", secrets=" ")

    assert wrong() == ["FLEX_RESTORE_WEBHOOK_URL: events would be unsigned; set FLEX_RESTORE_WEBHOOK_SECRETS"]


def test_what_is_no_secret_is_refused(configure: Configure) -> None:
    configure("https://tickets.example.org", secrets=f"{SECRET} {KEY}")

    [line] = wrong()
    assert line.startswith("FLEX_RESTORE_WEBHOOK_SECRETS: a secret is whsec_ and base64")


def test_hosts_that_are_no_json_are_refused_by_name(configure: Configure) -> None:
    configure("https://tickets.example.org", hosts=KEY)

    [line] = wrong()
    assert "webhook_hosts" in line


def test_nobody_who_prints_the_settings_prints_a_key(configure: Configure) -> None:
    configure(f"https://tickets.example.org/{KEY}")

    assert KEY not in repr(settings())
    assert SECRET not in repr(settings())
