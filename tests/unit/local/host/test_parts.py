"""The small parts: frames, routes, keys, patterns, schedules, outputs, message encoding."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from local.host.config import ConfigError
from local.host.encoding import decode_message, encode_message
from local.host.functions import Binding, Function
from local.host.keys import Keys
from local.host.outputs import OutputError, Outputs, fill
from local.host.protocol import HEADER, Value, decode, encode
from local.host.routes import Route
from local.host.settings import Settings
from local.host.storage import Storage
from local.host.triggers.blob import BlobPattern
from local.host.triggers.timer import Schedule
from local.host.workers import InvocationResult


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"text": "ä\0", "numbers": [1, 2.5, None, True]},
        {"body": b""},
        {"body": bytes(range(256)), "deep": [{"more": b"x"}, b"yz"]},
        {"$bytes": "a key of the app", "other": {"$bytes": [0, 1], "and": "more"}},
    ],
)
def test_a_message_crosses_whole(message: dict[str, Any]) -> None:
    frame = encode(message)
    json_size, attachments_size = HEADER.unpack(frame[: HEADER.size])
    assert len(frame) == HEADER.size + json_size + attachments_size
    text = frame[HEADER.size : HEADER.size + json_size]
    assert decode(text, frame[HEADER.size + json_size :]) == message


def test_what_is_no_plain_data_does_not_cross() -> None:
    with pytest.raises(TypeError, match="datetime cannot cross"):
        encode({"when": datetime.now(UTC)})


@pytest.mark.parametrize(
    ("template", "path", "expected"),
    [
        ("api/orders", "/api/orders", {}),
        ("api/orders", "/API/Orders/", {}),
        ("api/orders", "/api/orders/1", None),
        ("api/orders/{id}", "/api/orders/a%20b", {"id": "a%20b"}),
        ("api/orders/{id}", "/api/orders/1/2", None),
        ("api/orders/{id:int}", "/api/orders/17", {"id": "17"}),
        ("api/orders/{id:int}", "/api/orders/x", None),
        ("api/{a}/{b?}", "/api/1", {"a": "1"}),
        ("api/{a}/{b:int?}", "/api/1/2", {"a": "1", "b": "2"}),
        ("api/files/{*rest}", "/api/files/a/b.c", {"rest": "a/b.c"}),
        ("api/files/{*rest}", "/api/files", {}),
        ("api/a.b", "/api/axb", None),
    ],
)
def test_routes(template: str, path: str, expected: dict[str, str] | None) -> None:
    assert Route.compile(template).match(path) == expected


def test_literal_routes_come_before_parameters() -> None:
    templates = ["a/{*rest}", "a/{x}", "a/{x:int}", "a/b"]
    ranked = sorted((Route.compile(template) for template in templates), key=lambda route: route.rank)
    assert [route.template for route in ranked] == ["a/b", "a/{x:int}", "a/{x}", "a/{*rest}"]


@pytest.mark.parametrize("template", ["a/{x:range(1,2)}", "a/b{x}"])
def test_routes_that_are_not_understood_are_refused(template: str) -> None:
    with pytest.raises(ConfigError):
        Route.compile(template)


@pytest.mark.parametrize(
    ("level", "given", "opens"),
    [
        ("anonymous", None, True),
        ("function", None, False),
        ("function", "wrong", False),
        ("function", "default", True),
        ("function", "master", True),
        ("admin", "default", False),
        ("admin", "master", True),
        ("admin", "é", False),
    ],
)
def test_keys(level: str, given: str | None, opens: bool) -> None:
    assert Keys("default", "master", "file").open(level, given) is opens


def test_keys_are_made_once_and_kept_private(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    keys = Keys.read(path, {})
    assert Keys.read(path, {}) == keys
    assert keys.default != keys.master
    assert path.stat().st_mode & 0o077 == 0


def test_keys_are_shown_with_their_file_but_one_of_the_settings_is_not(tmp_path: Path) -> None:
    keys = Keys.read(tmp_path / "keys.json", {})
    shown = "\n".join(keys.describe())
    assert all(text in shown for text in (keys.default, keys.master, str(tmp_path / "keys.json")))
    overridden = Keys.read(tmp_path / "keys.json", {"LOCAL_HOST_KEY": "hush"})
    assert overridden.open("admin", "hush")
    assert not overridden.open("function", keys.default)
    assert overridden.describe() == ["Key: the value of LOCAL_HOST_KEY opens every function."]


@pytest.mark.parametrize("text", ["", "[]", '{"default": "x"}', '{"default": "x", "master": ""}'])
def test_a_file_without_keys_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "keys.json").write_text(text)
    with pytest.raises(ConfigError, match=r"keys\.json must hold .*delete it"):
        Keys.read(tmp_path / "keys.json", {})


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("c/{name}", "a/b.sql", {"name": "a/b.sql"}),
        ("c", "anything", {"name": "anything"}),
        ("c/in/{name}.csv", "in/x.csv", {"name": "x"}),
        ("c/in/{name}.csv", "in/x.txt", None),
        ("c/{folder}/{name}", "a/b/c", {"folder": "a/b", "name": "c"}),
        ("c/exact.txt", "exact.txt", {}),
        ("c/exact.txt", "exactxtxt", None),
    ],
)
def test_blob_patterns(pattern: str, name: str, expected: dict[str, str] | None) -> None:
    assert BlobPattern.compile(pattern).match(name) == expected


def test_a_blob_pattern_knows_where_to_list() -> None:
    assert BlobPattern.compile("c/in/{name}.csv").prefix == "in/"


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        ("*/5 * * * * *", "2024-01-01T00:00:01", "2024-01-01T00:00:05"),
        ("0 30 9 * * 1-5", "2024-01-05T10:00:00", "2024-01-08T09:30:00"),
        ("0 0 0 1 1 *", "2024-01-01T00:00:00", "2025-01-01T00:00:00"),
        ("30 9 * * *", "2024-01-01T00:00:00", "2024-01-01T09:30:00"),
        ("00:05:00", "2024-01-01T00:00:01", "2024-01-01T00:05:01"),
        ("1.00:00:00", "2024-01-01T00:00:01", "2024-01-02T00:00:01"),
    ],
)
def test_schedules(expression: str, after: str, expected: str) -> None:
    following = Schedule(expression).next(datetime.fromisoformat(after).replace(tzinfo=UTC))
    assert following == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@pytest.mark.parametrize("expression", ["", "now", "61 * * * * *", "* * * * * * * *"])
def test_a_schedule_that_is_none_is_refused(expression: str) -> None:
    with pytest.raises(ConfigError, match="no NCRONTAB expression"):
        Schedule(expression)


def test_output_paths_are_filled() -> None:
    assert fill("c/{name}-{id}.txt", {"name": "a/b", "id": "1"}) == "c/a/b-1.txt"
    assert fill("c/{rand-guid}", {}) != fill("c/{rand-guid}", {})


def test_an_output_path_without_a_value_is_an_error() -> None:
    with pytest.raises(OutputError, match=r"\{absent\} in 'c/\{absent\}' has no value"):
        fill("c/{absent}", {"present": "x"})


@pytest.mark.parametrize("encoding", ["base64", "none"])
def test_messages_are_decoded_as_they_were_encoded(encoding: str) -> None:
    content = json.dumps({"a": "ä"}).encode()
    assert decode_message(encode_message(content, encoding), encoding) == content


def test_a_message_that_is_not_base64_says_so() -> None:
    with pytest.raises(ValueError, match="messageEncoding is base64"):
        decode_message("{}", "base64")


def test_an_output_that_storage_refuses_fails_the_invocation_in_words() -> None:
    binding = Binding("out", "queue", {"queueName": "q", "direction": "OUT"})
    function = Function("id", "f", Binding("x", "timerTrigger", {}), (), (binding,))
    nowhere = "http://127.0.0.1:9/devstoreaccount1"
    connection = f"AccountName=devstoreaccount1;AccountKey=eA==;QueueEndpoint={nowhere};BlobEndpoint={nowhere}"

    async def write() -> None:
        storage = Storage(Settings({"AzureWebJobsStorage": connection}))
        try:
            result = InvocationResult(None, {"out": Value("string", "x")})
            await Outputs(storage, "none").write(function, result, {})
        finally:
            await storage.close()

    with pytest.raises(OutputError, match="output out could not be written"):
        asyncio.run(write())
