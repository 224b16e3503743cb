"""Settings of webhooks: which addresses events may go to, and what is said of one that they may not."""

import json
from collections.abc import Callable, Iterator

import pytest

from shared.errors import Misconfigured
from shared.settings import settings
from shared.webhook import hosts as webhook_hosts

KEY = "key-that-nobody-may-read"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
HOSTS = ["Tickets.example.org", "127.0.0.1"]
type Configure = Callable[..., None]


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Configure]:
    def configure(url: str, hosts: str = json.dumps(HOSTS), secrets: str = SECRET, webhooks: str = "{}") -> None:
        vault = "/subscriptions/s/resourceGroups/g/providers/Microsoft.DataProtection/backupVaults/v"
        monkeypatch.setenv("FLEX_RESTORE_VAULT", vault)
        monkeypatch.setenv("FLEX_RESTORE_LANDING_ACCOUNT", "/subscriptions/s/providers/x/storageAccounts/a")
        monkeypatch.setenv("FLEX_RESTORE_WEBHOOK_URL", url)
        monkeypatch.setenv("FLEX_RESTORE_WEBHOOKS", webhooks)
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
    configure(url, webhooks=json.dumps({"audit": url}))

    default, named = wrong()
    assert default.startswith("FLEX_RESTORE_WEBHOOK_URL: ")
    assert named.startswith("FLEX_RESTORE_WEBHOOKS: audit: ")
    assert finding in default
    assert finding in named


def test_every_webhook_that_is_wrong_is_told_by_its_name(configure: Configure) -> None:
    right, plain, strange = "https://127.0.0.1", "http://tickets.example.org", "https://strange.example"
    addresses = {name: f"{host}/{KEY}" for name, host in {"right": right, "plain": plain, "strange": strange}.items()}
    configure("", webhooks=json.dumps({**addresses, "empty": ""}))

    assert [line.split(": ")[:2] for line in wrong()] == [
        ["FLEX_RESTORE_WEBHOOKS", "plain"],
        ["FLEX_RESTORE_WEBHOOKS", "strange"],
        ["FLEX_RESTORE_WEBHOOKS", "empty"],
    ]


@pytest.mark.parametrize("name", ["", "a b", "a\n", "a" * 41])
def test_what_is_no_name_is_refused(configure: Configure, name: str) -> None:
    configure("", webhooks=json.dumps({name: "https://tickets.example.org"}))

    [line] = wrong()
    assert line.startswith("FLEX_RESTORE_WEBHOOKS: String should match pattern")


def test_an_address_in_a_names_place_is_refused_and_not_repeated(configure: Configure) -> None:
    configure("", webhooks=json.dumps({f"https://tickets.example.org/{KEY}": "audit"}))

    assert [line.split(": ", 1)[0] for line in wrong()] == ["FLEX_RESTORE_WEBHOOKS"] * 2


def test_a_part_of_any_setting_that_is_wrong_is_told_by_its_place(
    configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEX_RESTORE_TARGETS", '{"drill": {"host": "h"}}')
    configure("")

    assert wrong() == ["FLEX_RESTORE_TARGETS: drill: user: Field required"]


@pytest.mark.parametrize("webhooks", [KEY, f'["{KEY}"]', f'{{"audit": ["{KEY}"]}}'])
def test_webhooks_that_are_no_names_with_addresses_are_refused(configure: Configure, webhooks: str) -> None:
    configure("", webhooks=webhooks)

    [line] = wrong()
    assert "webhooks" in line.lower()


def test_webhooks_can_be_shown_by_name_and_host(configure: Configure) -> None:
    configure(
        f"https://TICKETS.example.org:8443/hook?code={KEY}", webhooks=json.dumps({"audit": f"http://127.0.0.1/{KEY}"})
    )

    assert webhook_hosts() == {"": "tickets.example.org", "audit": "127.0.0.1"}


def test_without_webhooks_there_is_none_to_show(configure: Configure) -> None:
    configure("")

    assert webhook_hosts() == {}


def test_webhooks_that_are_wrong_are_told_where_they_would_be_shown(configure: Configure) -> None:
    configure("", webhooks=json.dumps({"audit": f"http://tickets.example.org/{KEY}"}))

    with pytest.raises(Misconfigured):
        webhook_hosts()


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
    address = f"https://tickets.example.org/{KEY}"
    configure(address, webhooks=json.dumps({"audit": address}))

    assert KEY not in repr(settings())
    assert SECRET not in repr(settings())
