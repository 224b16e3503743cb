"""The small parts: frames, routes, keys, patterns, schedules, outputs, message encoding."""

import asyncio
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from local.host.config import ConfigError
from local.host.encoding import decode_message, encode_message
from local.host.functions import Binding, Function
from local.host.keys import Keys
from local.host.outputs import OutputError, Outputs
from local.host.parameters import MissingParameterError, fill, members
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
        ("api/files/{**rest}", "/api/files/a/b", {"rest": "a/b"}),
        ("/{*rest}", "/a/b", {"rest": "a/b"}),
        ("/{*rest}", "/", {}),
        ("~/a", "/a", {}),
        ("/", "/", {}),
        ("api/a.b", "/api/axb", None),
        ("api/{n:int}", "/api/2147483648", None),
        ("api/{n:long}", "/api/2147483648", {"n": "2147483648"}),
        ("api/{n:int:min(2):max(4)}", "/api/4", {"n": "4"}),
        ("api/{n:int:min(2):max(4)}", "/api/5", None),
        ("api/{n:range(2, 4)?}", "/api", {}),
        ("api/{n:range(2,4)?}", "/api/1", None),
        ("api/{n:minlength(2):maxlength(3)}", "/api/abc", {"n": "abc"}),
        ("api/{n:minlength(2)}", "/api/a", None),
        ("api/{n:length(3)}", "/api/ab", None),
        ("api/{n:length(1,2)}", "/api/ab", {"n": "ab"}),
        ("api/{n:decimal}", "/api/-1.5", {"n": "-1.5"}),
        ("api/{n:decimal}", "/api/1e5", None),
        ("api/{n:double}", "/api/1e5", {"n": "1e5"}),
        ("api/{n:float}", "/api/x", None),
        ("api/{n:alpha}", "/api/a1", None),
        ("api/{n:bool}", "/api/True", {"n": "True"}),
        ("api/{n:guid}", "/api/0F8FAD5B-D9CB-469F-A165-70867728950E", {"n": "0F8FAD5B-D9CB-469F-A165-70867728950E"}),
        ("api/{n:datetime}", "/api/2016-12-31", {"n": "2016-12-31"}),
        ("api/{n:datetime}", "/api/tomorrow", None),
        (r"api/{n:regex(^\d{{3}}-\d+$)}", "/api/123-4", {"n": "123-4"}),
        (r"api/{n:regex(^\d{{3}}-\d+$)}", "/api/12-4", None),
        ("api/{n:regex(^(a|b)/?$)?}", "/api/B", {"n": "B"}),
        ("api/{{braces}}", "/api/{braces}", {}),
    ],
)
def test_routes(template: str, path: str, expected: dict[str, str] | None) -> None:
    assert Route.compile(template).match(path) == expected


def test_literal_routes_come_before_parameters() -> None:
    templates = ["a", "a/{*rest}", "a/{x}", "a/{x?}/{y?}", "a/{x:int}", "a/{x:int:min(1)}", "a/b"]
    ranked = sorted((Route.compile(template) for template in templates), key=lambda route: route.rank)
    expected = ["a/b", "a/{x:int:min(1)}", "a/{x:int}", "a/{x?}/{y?}", "a/{x}", "a/{*rest}", "a"]
    assert [route.template for route in ranked] == expected


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("a/{x:file}", "the constraint 'file', which is not supported"),
        ("a/{x:min(a)}", r"the constraint 'min\(a\)'"),
        ("a/{x:regex(()}", "a regular expression that cannot be read"),
        ("a/{x:regex(a):b)}", "which cannot be read"),
        ("a/b{x}", "the segment 'b{x}', which is not supported"),
        ("a/{x=5}", "the segment '{x=5}', which is not supported"),
        ("a/{***x}", r"the segment '{\*\*\*x}', which is not supported"),
        ("//a", "has two slashes in a row"),
        ("api//a", "let the function's route begin without one, or set extensions.http.routePrefix"),
    ],
)
def test_routes_that_are_not_understood_are_refused(template: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
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
        ("c", "anything", {}),
        ("c/in/{name}.csv", "in/x.csv", {"name": "x"}),
        ("c/in/{name}.csv", "in/x.txt", None),
        ("c/{folder}/{name}", "a/b/c", {"folder": "a/b", "name": "c"}),
        ("c/exact.txt", "exact.txt", {}),
        ("c/exact.txt", "exactxtxt", None),
        ("c/{a}-{b}.{ext}", "x-y-z.tar.gz", {"a": "x-y", "b": "z.tar", "ext": "gz"}),
        ("c/in/{name}.csv", "in/.csv", {"name": ""}),
        ("c/{{x}}-{name}", "{x}-a b%+#ü", {"name": "a b%+#ü"}),
    ],
)
def test_blob_patterns(pattern: str, name: str, expected: dict[str, str] | None) -> None:
    assert BlobPattern.compile(pattern).match(name) == expected


def test_a_blob_pattern_knows_where_to_list() -> None:
    assert BlobPattern.compile("c/in/{name}.csv").prefix == "in/"
    assert BlobPattern.compile("c/{{a}}/{name}/{x}").prefix == "{a}/"
    assert BlobPattern.compile("c/exact.txt").prefix == "exact.txt"
    assert BlobPattern.compile("c").prefix == ""


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        ("*/5 * * * * *", "2024-01-01T00:00:01", "2024-01-01T00:00:05"),
        ("0 30 9 * * 1-5", "2024-01-05T10:00:00", "2024-01-08T09:30:00"),
        ("0 0 0 1 1 *", "2024-01-01T00:00:00", "2025-01-01T00:00:00"),
        ("30 9 * * *", "2024-01-01T00:00:00", "2024-01-01T09:30:00"),
        ("00:05:00", "2024-01-01T00:00:01", "2024-01-01T00:05:01"),
        ("1.00:00:00", "2024-01-01T00:00:01", "2024-01-02T00:00:01"),
        ("24:00:00", "2024-01-01T00:00:00", "2024-01-25T00:00:00"),  # .NET reads days here
        ("0 0 12 * JAN,mar Mon", "2024-02-01T00:00:00", "2024-03-04T12:00:00"),
        ("0 0 9-17/4 * * *", "2024-01-01T13:00:00", "2024-01-01T17:00:00"),
        ("0 5/20 * * * *", "2024-01-01T00:26:00", "2024-01-01T00:45:00"),
        ("0 0 0 * * FRI-MON", "2024-01-05T00:00:00", "2024-01-08T00:00:00"),  # turned into MON-FRI
        ("0 0 0 13 * FRI", "2024-01-01T00:00:00", "2024-09-13T00:00:00"),  # both fields, where cron takes either
        ("0 0 0 29 2 *", "2025-01-01T00:00:00", "2028-02-29T00:00:00"),
        ("59 59 23 31 12 *", "2024-12-31T23:59:58.5", "2024-12-31T23:59:59"),
        ("59 59 23 31 12 *", "2024-12-31T23:59:59", "2025-12-31T23:59:59"),
    ],
)
def test_schedules(expression: str, after: str, expected: str) -> None:
    following = Schedule(expression).next(datetime.fromisoformat(after).replace(tzinfo=UTC))
    assert following == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("", "it has 0 fields"),
        ("now", "it has 1 fields"),
        ("* * * * * * * *", "it has 8 fields"),
        ("@daily", "it has 1 fields"),
        ("61 * * * * *", "61 is not from 0 to 59, as a second is"),
        ("0 0 0 * * 7", "7 is not from 0 to 6, as a weekday is"),
        ("0 0 0 L * *", "'L' is no day"),
        ("0 0 0 * * ?", r"'\?' is no weekday"),
        ("0 0 0 * FOO *", "'FOO' is no month"),
        ("0 */x * * * *", "has no number of steps"),
        ("0 1,,2 * * * *", "'' is no minute"),
        ("0 0 0 30 2 *", "it names a day that never comes"),
        ("00:00:00", "is no time at all"),
    ],
)
def test_a_schedule_that_is_none_is_refused(expression: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        Schedule(expression)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("*/10 * * * * *", True),
        ("0 * * * * *", False),
        ("* * * * *", False),
        ("0,30 0 * * * *", False),
        ("00:00:30", True),
        ("00:01:00", False),
    ],
)
def test_schedules_below_a_minute_are_known(expression: str, expected: bool) -> None:
    assert Schedule(expression).is_below_a_minute is expected


def test_output_paths_are_filled() -> None:
    assert fill("c/{name}-{id}.txt", {"name": "a/b", "id": "1"}) == "c/a/b-1.txt"
    assert fill("c/{rand-guid}", {}) != fill("c/{rand-guid}", {})
    assert re.fullmatch(r"c/\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ", fill("c/{DateTime}", {}))
    assert fill("c/{NAME}", {"name": "x"}) == "c/x"


def test_an_output_path_without_a_value_is_an_error() -> None:
    with pytest.raises(MissingParameterError, match=r"\{absent\} in 'c/\{absent\}' has no value"):
        fill("c/{absent}", {"present": "x"})


def test_members_of_json_can_be_named_in_paths() -> None:
    content = json.dumps({"id": 7, "who": {"name": "ü", "deep": {"er": 1.5}}, "list": [1], "none": None})
    assert members(content) == {"id": "7", "who.name": "ü", "who.deep.er": "1.5"}
    assert members(b"\xff") == members("[1]") == members("text") == {}


@pytest.mark.parametrize("encoding", ["base64", "none"])
def test_messages_are_decoded_as_they_were_encoded(encoding: str) -> None:
    content = json.dumps({"a": "ä"}).encode()
    assert decode_message(encode_message(content, encoding), encoding) == content


def test_a_message_that_is_not_base64_says_so() -> None:
    with pytest.raises(ValueError, match="messageEncoding is base64"):
        decode_message("{}", "base64")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("x", "output out could not be written: .*(refused|connect)"),
        ("x" * 65_537, "output out could not be written: the message has 65537 bytes as it is encoded, .* 64 KB"),
    ],
)
def test_an_output_that_storage_refuses_fails_the_invocation_in_words(value: str, reason: str) -> None:
    binding = Binding("out", "queue", {"queueName": "queue", "direction": "OUT"})
    function = Function("id", "f", Binding("x", "timerTrigger", {}), (), (binding,))
    nowhere = "http://127.0.0.1:9/devstoreaccount1"
    connection = f"AccountName=devstoreaccount1;AccountKey=eA==;QueueEndpoint={nowhere};BlobEndpoint={nowhere}"

    async def write() -> None:
        storage = Storage(Settings({"AzureWebJobsStorage": connection}))
        try:
            result = InvocationResult(None, {"out": Value("string", value)})
            await Outputs(storage, "none").write(function, result, {})
        finally:
            await storage.close()

    with pytest.raises(OutputError, match=reason):
        asyncio.run(write())


@pytest.mark.parametrize(
    ("trigger", "connection", "reason"),
    [
        ("queueTrigger", "s3cret", "Connection string is either blank or malformed"),
        ("blobTrigger", "s3cret=x", "Connection string missing required connection details"),
        ("blobTrigger", "BlobEndpoint=http://s3cret", "Connection string missing required connection details"),
        ("blob", "QueueEndpoint=http://s3cret", "Connection string missing required connection details"),
    ],
)
def test_what_is_no_connection_string_is_refused_by_name_and_not_shown(
    trigger: str, connection: str, reason: str
) -> None:
    storage = Storage(Settings({"Store": connection}))
    with pytest.raises(ConfigError, match=f"the connection Store is no storage connection string: {reason}") as refused:
        storage.check(Binding("b", trigger, {"connection": "Store"}))
    assert "s3cret" not in str(refused.value)
