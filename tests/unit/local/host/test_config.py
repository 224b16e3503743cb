"""host.json, the settings that override it, and local.settings.json."""

import json
import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from local.host.config import ConfigError, HostConfig, read_host_config
from local.host.settings import Settings

CORES = os.cpu_count() or 1


def read_both(
    folder: Path, document: object, settings: Mapping[str, str] | None = None
) -> tuple[HostConfig, list[str]]:
    text = document if isinstance(document, str) else json.dumps(document)
    (folder / "host.json").write_text(text)
    return read_host_config(folder, Settings(settings or {}))


def read(folder: Path, document: object, settings: Mapping[str, str] | None = None) -> HostConfig:
    return read_both(folder, document, settings)[0]


class TestHostJson:
    def test_what_is_left_out_is_as_in_azure(self, tmp_path: Path) -> None:
        config = read(tmp_path, {"version": "2.0", "extensions": {"queues": None}})
        queues, durable = config.extensions.queues, config.extensions.durable_task
        assert (queues.batch_size, queues.refill_at, queues.max_dequeue_count) == (16, 8 * CORES, 5)
        assert (queues.message_encoding, queues.visibility_timeout) == ("base64", timedelta(0))
        assert queues.max_polling_interval == timedelta(seconds=2)  # a minute in Azure, this in development
        assert config.extensions.blobs.max_degree_of_parallelism == 8 * CORES
        assert (durable.hub_name, durable.overridable_existing_instance_states) == ("TestHubName", "NonRunningStates")
        assert durable.max_concurrent_activity_functions == durable.max_concurrent_orchestrator_functions == 10 * CORES
        assert config.extensions.http.route_prefix == "api"
        assert config.function_timeout == timedelta(minutes=30)
        assert config.logging.levels.of("Host.Startup") == 20

    def test_keys_and_names_are_compared_without_case(self, tmp_path: Path) -> None:
        queues = {"BATCHSIZE": 4, "newBatchThreshold": 0, "messageEncoding": "Base64"}
        document = {"Version": "2.0", "extensions": {"Queues": queues}, "functionTimeout": "1.02:03:04"}
        config = read(tmp_path, document)
        assert config.function_timeout == timedelta(days=1, hours=2, minutes=3, seconds=4)
        assert (config.extensions.queues.batch_size, config.extensions.queues.refill_at) == (4, 0)

    def test_comments_trailing_commas_and_a_byte_order_mark_are_read_over(self, tmp_path: Path) -> None:
        text = '\ufeff{ // a line\n "version": "2.0", /* "version": "1.0", */'
        text += '"extensions": {"http": {"routePrefix": "a//b,}"},}, }'
        assert read(tmp_path, text).extensions.http.route_prefix == "a//b,}"

    @pytest.mark.parametrize(
        ("text", "expected"),
        [("00:00:00.1", timedelta(milliseconds=100)), ("00:01", timedelta(minutes=1)), ("9.0:0:1", timedelta(9, 1))],
    )
    def test_time_spans_are_those_of_dotnet(self, tmp_path: Path, text: str, expected: timedelta) -> None:
        document = {"version": "2.0", "extensions": {"queues": {"maxPollingInterval": text}}}
        assert read(tmp_path, document).extensions.queues.max_polling_interval == expected

    @pytest.mark.parametrize(("value", "expected"), [("-1", None), (-1, None), (None, timedelta(minutes=30))])
    def test_minus_one_is_no_timeout(self, tmp_path: Path, value: object, expected: timedelta | None) -> None:
        assert read(tmp_path, {"version": "2.0", "functionTimeout": value}).function_timeout == expected

    @pytest.mark.parametrize(
        ("settings", "given", "expected"),
        [
            ({"HUB": "FromSetting"}, "%HUB%x", "FromSettingx"),
            ({"WEBSITE_SITE_NAME": "Site"}, "Given", "Given"),
            ({"WEBSITE_SITE_NAME": "Site"}, None, "Site"),
        ],
    )
    def test_the_hub_has_its_own_name_or_that_of_the_site(
        self, tmp_path: Path, settings: dict[str, str], given: str | None, expected: str
    ) -> None:
        document = {"version": "2.0", "extensions": {"durableTask": {"hubName": given}}}
        assert read(tmp_path, document, settings).extensions.durable_task.hub_name == expected

    def test_the_site_names_the_hub_when_no_key_of_durable_task_is_there(self, tmp_path: Path) -> None:
        config = read(tmp_path, {"version": "2.0"}, {"WEBSITE_SITE_NAME": "Site"})
        assert config.extensions.durable_task.hub_name == "Site"

    @pytest.mark.parametrize(
        ("document", "named"),
        [
            ("{", "host.json is not JSON"),
            ([], "must hold an object"),
            ({}, "version is missing"),
            ({"version": "1.0"}, "version: .*, not '1.0'"),
            ({"version": "2.0", "functionTimeout": "5 minutes"}, "functionTimeout: must be a time span such as 00"),
            ({"version": "2.0", "functionTimeout": []}, "functionTimeout: must be a time span"),
            ({"version": "2.0", "functionTimeout": "00:00:00"}, "functionTimeout: must be at least 00:00:01"),
            ({"version": "2.0", "functionTimeout": "24:00:00"}, "functionTimeout: must be a time span"),
            ({"version": "2.0", "extensions": []}, r"extensions: must be an object, not \[\]"),
            ({"version": "2.0", "logging": {"logLevel": "Debug"}}, "logging.logLevel: must be an object"),
            (
                {"version": "2.0", "logging": {"logLevel": {"Function": "Loud"}}},
                "logLevel.Function: must be one of Trace",
            ),
        ],
    )
    def test_a_wrong_value_is_named_by_its_key(self, tmp_path: Path, document: object, named: str) -> None:
        with pytest.raises(ConfigError, match=named):
            read(tmp_path, document)

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("queues.batchSize", 33),
            ("queues.batchSize", True),
            ("queues.batchSize", "1.5"),
            ("queues.newBatchThreshold", -1),
            ("queues.maxDequeueCount", 0),
            ("queues.visibilityTimeout", "-00:00:01"),
            ("queues.messageEncoding", "hex"),
            ("queues.maxPollingInterval", "00:00:00.05"),
            ("blobs.maxDegreeOfParallelism", 0),
            ("durableTask.hubName", ""),
            ("durableTask.hubName", "%ABSENT%"),
            ("durableTask.maxConcurrentActivityFunctions", "x"),
            ("durableTask.maxConcurrentOrchestratorFunctions", -2),
            ("durableTask.overridableExistingInstanceStates", "All"),
            ("http.routePrefix", 1),
        ],
    )
    def test_a_wrong_value_of_an_extension_is_named_by_its_key(self, tmp_path: Path, key: str, value: object) -> None:
        section, name = key.split(".")
        with pytest.raises(ConfigError, match=rf"host\.json: extensions\.{key}: .*, not {value!r}$"):
            read(tmp_path, {"version": "2.0", "extensions": {section: {name: value}}})

    def test_all_wrong_values_are_named_at_once(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"functionTimeout.*; .*extensions\.blobs"):
            read(tmp_path, {"version": "2.0", "functionTimeout": 1, "extensions": {"blobs": 1}})

    def test_a_folder_without_host_json_is_no_app(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"has no host\.json"):
            read_host_config(tmp_path, Settings({}))

    def test_keys_without_effect_are_told_but_not_those_that_nobody_expects_one_of(self, tmp_path: Path) -> None:
        durable = {"hubName": "Hub", "storageProvider": {"type": "mssql"}}
        document = {
            "version": "2.0",
            "extensionBundle": {"id": "any"},
            "managedDependency": {"enabled": True},
            "singleton": {"lockPeriod": "00:00:15"},
            "logging": {"applicationInsights": {}, "console": {"isEnabled": False}, "logLevel": {"Any": "None"}},
            "extensions": {"durableTask": durable, "serviceBus": {"prefetchCount": 1}},
        }
        _, unused = read_both(tmp_path, document)
        assert unused == [
            "extensions.durableTask.storageProvider",
            "extensions.serviceBus",
            "logging.console",
            "singleton",
        ]


class TestOverridingSettings:
    def test_a_setting_wins_over_host_json(self, tmp_path: Path) -> None:
        document = {"version": "2.0", "extensions": {"queues": {"batchSize": 4, "maxDequeueCount": 2}}}
        settings = {
            "AzureFunctionsJobHost__extensions__queues__batchSize": "8",
            "azurefunctionsjobhost:Extensions:DurableTask:HubName": "Hub",
            "AzureFunctionsJobHost__functionTimeout": "00:01:00",
            "AzureFunctionsJobHost__logging__logLevel__Function.x": "Error",
        }
        config = read(tmp_path, document, settings)
        assert (config.extensions.queues.batch_size, config.extensions.queues.max_dequeue_count) == (8, 2)
        assert config.extensions.durable_task.hub_name == "Hub"
        assert config.function_timeout == timedelta(minutes=1)
        assert config.logging.levels.of("Function.x") == 40

    def test_a_wrong_value_is_named_by_the_setting(self, tmp_path: Path) -> None:
        name = "AzureFunctionsJobHost__extensions__queues__batchSize"
        with pytest.raises(ConfigError, match=f"^the setting {name}: .*32, not 33"):
            read(tmp_path, {"version": "2.0"}, {name: "33"})

    def test_a_wrong_section_of_the_file_is_named_by_its_key(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"host\.json: extensions: must be an object"):
            read(tmp_path, {"version": "2.0", "extensions": 1}, {"AzureFunctionsJobHost__extensions__http__x": "1"})


class TestSettings:
    @staticmethod
    def read(folder: Path, document: object, environment: Mapping[str, str] | None = None) -> Settings:
        text = document if isinstance(document, str) else json.dumps(document)
        (folder / "local.settings.json").write_text(text)
        return Settings.read(folder, environment or {})

    def test_the_environment_wins_over_local_settings_json_unless_it_is_empty(self, tmp_path: Path) -> None:
        document = {"IsEncrypted": False, "Values": {"A": "file", "B": "file", "C": "file"}}
        environment = {"A": "environment", "B": "", "D": ""}
        values = self.read(tmp_path, document, environment).values
        assert values == {"A": "environment", "B": "file", "C": "file", "D": ""}

    def test_values_become_text_as_core_tools_make_them(self, tmp_path: Path) -> None:
        text = '\ufeff{"values": {"A": 1, "B": true, "C": 1.50, "D": null, "": "x", /* no */ "E": ""},}'
        assert self.read(tmp_path, text).values == {"A": "1", "B": "true", "C": "1.50", "E": ""}

    def test_connection_strings_come_before_values(self, tmp_path: Path) -> None:
        document = {
            "Values": {"Data": "from values"},
            "ConnectionStrings": {"Data": "a", "Other": {"ConnectionString": "b", "ProviderName": "any"}},
        }
        settings = self.read(tmp_path, document)
        assert (settings.connection_string("Data"), settings.connection_string("Other")) == ("a", "b")
        assert settings.values["ConnectionStrings:Other"] == "b"

    @pytest.mark.parametrize(
        ("given", "expected"), [({"LocalHttpPort": 7072}, 7072), ({"LocalHttpPort": 0}, None), ({}, None)]
    )
    def test_the_port_may_be_given(self, tmp_path: Path, given: dict[str, int], expected: int | None) -> None:
        assert self.read(tmp_path, {"Host": given}).local_port == expected

    @pytest.mark.parametrize(
        ("text", "named"),
        [
            ("{", "is not JSON"),
            ("[]", "must hold an object"),
            ('{"IsEncrypted": true}', "func settings decrypt"),
            ('{"Values": []}', "Values must be an object"),
            ('{"Values": {"A": {}}}', r"Values\.A must be"),
            ('{"ConnectionStrings": {"A": {}}}', r"ConnectionStrings\.A must be"),
            ('{"Host": {"LocalHttpPort": 65536}}', r"Host\.LocalHttpPort must be a port"),
        ],
    )
    def test_a_file_that_cannot_be_used_is_refused(self, tmp_path: Path, text: str, named: str) -> None:
        with pytest.raises(ConfigError, match=rf"local\.settings\.json.*{named}"):
            self.read(tmp_path, text)

    def test_expressions_are_replaced_by_settings_whose_names_differ_in_case_at_most(self) -> None:
        settings = Settings({"QUEUE": "q", "N": "1", "n": "2", "A__B": "3"})
        assert settings.expand("a-%queue%-%N%-%n%-%a:b%") == "a-q-1-2-3"

    def test_an_expression_without_a_setting_is_refused(self) -> None:
        with pytest.raises(ConfigError, match="%QUEUE% in 'a-%QUEUE%' names a setting that does not exist"):
            Settings({}).expand("a-%QUEUE%")

    @pytest.mark.parametrize("name", [None, "AzureWebJobsStorage", "Storage", "storage"])
    def test_connections_are_found_by_name_with_and_without_prefix(self, name: str | None) -> None:
        assert Settings({"AzureWebJobsStorage": "x", "Storage": "y"}).connection_string(name) == "x"

    @pytest.mark.parametrize(
        ("values", "reason"),
        [
            ({}, "the connection Data is not set"),
            ({"Data": ""}, "the connection Data is not set"),
            ({"Data__queueServiceUri": "u"}, "Data__queueServiceUri makes Data an identity-based connection"),
        ],
    )
    def test_a_connection_that_cannot_be_used_is_refused(self, values: dict[str, str], reason: str) -> None:
        with pytest.raises(ConfigError, match=reason):
            Settings(values).connection_string("Data")
