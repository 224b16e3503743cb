"""host.json and settings."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from local.host.config import ConfigError, read_host_config
from local.host.settings import Settings


def read(folder: Path, document: Any) -> Any:
    (folder / "host.json").write_text(document if isinstance(document, str) else json.dumps(document))
    return read_host_config(folder)


def test_what_is_left_out_is_as_in_azure(tmp_path: Path) -> None:
    config = read(tmp_path, {"version": "2.0"})
    queues = config.extensions.queues
    assert (queues.batch_size, queues.refill_at, queues.max_dequeue_count) == (16, 8, 5)
    assert (queues.message_encoding, queues.visibility_timeout) == ("base64", timedelta(0))
    assert config.extensions.http.route_prefix == "api"
    assert config.function_timeout == timedelta(minutes=30)
    assert config.logging.default_level == "INFO"


def test_what_is_given_is_honoured_and_what_is_unknown_is_left_alone(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        {
            "version": "2.0",
            "extensionBundle": {"id": "any"},
            "functionTimeout": "1.02:03:04",
            "logging": {"logLevel": {"default": "Warning"}},
            "extensions": {
                "queues": {"batchSize": 4, "newBatchThreshold": 0, "messageEncoding": "none"},
                "durableTask": {"hubName": "Hub", "maxConcurrentActivityFunctions": 3, "storageProvider": {}},
                "http": {"routePrefix": ""},
            },
        },
    )
    assert config.function_timeout == timedelta(days=1, hours=2, minutes=3, seconds=4)
    assert (config.extensions.queues.batch_size, config.extensions.queues.refill_at) == (4, 0)
    assert config.extensions.durable_task.hub_name == "Hub"
    assert config.extensions.durable_task.max_concurrent_activity_functions == 3
    assert config.extensions.http.route_prefix == ""
    assert config.logging.default_level == "WARNING"


def test_minus_one_is_no_timeout(tmp_path: Path) -> None:
    assert read(tmp_path, {"version": "2.0", "functionTimeout": "-1"}).function_timeout is None


@pytest.mark.parametrize(
    ("document", "named"),
    [
        ("{", "host.json is not JSON"),
        ([], "the document"),
        ({}, "version"),
        ({"version": "1.0"}, "version"),
        (
            {"version": "2.0", "functionTimeout": "5 minutes"},
            "functionTimeout: .* must be a time span such as 00",
        ),
        ({"version": "2.0", "extensions": {"queues": {"batchSize": 33}}}, "extensions.queues.batchSize"),
        ({"version": "2.0", "extensions": {"queues": {"messageEncoding": "hex"}}}, "extensions.queues.messageEncoding"),
        ({"version": "2.0", "extensions": {"durableTask": {"maxConcurrentActivityFunctions": "x"}}}, "durableTask.max"),
    ],
)
def test_a_wrong_value_is_named_by_its_key(tmp_path: Path, document: Any, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        read(tmp_path, document)


def test_a_folder_without_host_json_is_no_app(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"has no host\.json"):
        read_host_config(tmp_path)


class TestSettings:
    def test_the_environment_wins_over_local_settings_json(self, tmp_path: Path) -> None:
        values = {"IsEncrypted": False, "Values": {"A": "file", "B": "file"}}
        (tmp_path / "local.settings.json").write_text(json.dumps(values))
        assert Settings.read(tmp_path, {"A": "environment"}).values == {"A": "environment", "B": "file"}

    @pytest.mark.parametrize("text", ["{", "[]", '{"IsEncrypted": true}', '{"Values": {"A": 1}}'])
    def test_a_file_that_cannot_be_used_is_refused(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "local.settings.json").write_text(text)
        with pytest.raises(ConfigError, match=r"local\.settings\.json"):
            Settings.read(tmp_path, {})

    def test_expressions_are_replaced(self) -> None:
        assert Settings({"QUEUE": "q", "N": "1"}).expand("a-%QUEUE%-%N%") == "a-q-1"

    def test_an_expression_without_a_setting_is_refused(self) -> None:
        with pytest.raises(ConfigError, match="%QUEUE% in 'a-%QUEUE%' names a setting that does not exist"):
            Settings({}).expand("a-%QUEUE%")

    @pytest.mark.parametrize("name", [None, "AzureWebJobsStorage", "Storage"])
    def test_connections_are_found_by_name_with_and_without_prefix(self, name: str | None) -> None:
        assert Settings({"AzureWebJobsStorage": "x"}).connection_string(name) == "x"

    @pytest.mark.parametrize(
        ("values", "reason"),
        [
            ({}, "the connection Data is not set"),
            ({"Data__queueServiceUri": "u"}, "Data__queueServiceUri makes Data an identity-based connection"),
        ],
    )
    def test_a_connection_that_cannot_be_used_is_refused(self, values: dict[str, str], reason: str) -> None:
        with pytest.raises(ConfigError, match=reason):
            Settings(values).connection_string("Data")
