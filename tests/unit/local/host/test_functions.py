"""The functions of an app, from the SDK's own decorators, and what is refused."""

# mypy: disable-error-code="untyped-decorator"
# The durable SDK ships no types.

from collections.abc import Callable
from typing import Any

import azure.durable_functions as df
import azure.functions as func
import pytest

from local.host.config import ConfigError
from local.host.functions import FunctionCatalog, read_functions
from local.host.settings import Settings


def read(app: df.DFApp, **settings: str) -> FunctionCatalog:
    metadata = [
        {
            "id": function.get_function_name(),
            "name": function.get_function_name(),
            "raw_bindings": function.get_raw_bindings(),
            "has_retry_policy": bool(function.get_settings_dict("retry_policy")),
        }
        for function in app.get_functions()
    ]
    return read_functions(metadata, Settings(settings))


def body(*_: Any) -> None:
    """A function's body."""


Decorate = Callable[[df.DFApp], Any]


@pytest.mark.filterwarnings("ignore")  # the SDK remarks on the auth level of functions without HTTP
class TestReading:
    def test_trigger_inputs_and_outputs_are_told_apart(self) -> None:
        app = df.DFApp()

        @app.queue_output("out", "other", "Storage")
        @app.durable_client_input("client")
        @app.queue_trigger("msg", "%QUEUE%", "Storage")
        async def handle(msg: func.QueueMessage, client: Any, out: func.Out[str]) -> None:
            body(msg, client, out)

        (function,) = read(app, QUEUE="q", Storage="UseDevelopmentStorage=true").all
        assert (function.name, function.trigger.type, function.trigger.options["queueName"]) == (
            "handle",
            "queueTrigger",
            "q",
        )
        assert [binding.type for binding in function.inputs] == ["durableClient"]
        assert [binding.name for binding in function.outputs] == ["out"]

    def test_functions_are_found_by_trigger_and_name_without_case(self) -> None:
        app = df.DFApp()
        app.activity_trigger("x")(body)
        catalog = read(app)
        assert catalog.find("activityTrigger", "BODY") is catalog.all[0]
        assert catalog.find("orchestrationTrigger", "body") is None

    def test_a_function_can_be_switched_off_by_a_setting(self) -> None:
        app = df.DFApp()
        app.activity_trigger("x")(body)
        assert read(app, **{"AzureWebJobs.body.Disabled": "true"}).all == ()

    @pytest.mark.parametrize(
        ("decorate", "feature"),
        [
            (lambda app: app.entity_trigger("context")(body), "durable entities"),
            (lambda app: app.service_bus_queue_trigger("m", "C", "q")(body), "the input binding serviceBusTrigger"),
            (lambda app: app.timer_trigger("* * * * * *", "t")(app.blob_input("b", "c/x", "S")(body)), "binding blob,"),
            (
                lambda app: app.timer_trigger("* * * * * *", "t")(app.table_output("o", "C", "t")(body)),
                "output binding",
            ),
            (
                lambda app: app.timer_trigger("* * * * * *", "t")(
                    app.retry("fixed_delay", "3", delay_interval="00:00:01")(body)
                ),
                "a function-level retry policy",
            ),
            (lambda app: app.blob_trigger("b", "{container}/x", "S")(body), "a pattern in the container's name"),
            (
                lambda app: app.activity_trigger("x")(app.durable_client_input("c", connection_name="Other")(body)),
                "a durable client of another storage account",
            ),
        ],
    )
    def test_what_is_not_supported_is_refused_by_function_and_feature(self, decorate: Decorate, feature: str) -> None:
        app = df.DFApp()
        decorate(app)
        with pytest.raises(ConfigError, match=rf"function \w+ uses .*{feature}.*which this host does not support"):
            read(app)

    @pytest.mark.parametrize(
        ("queue", "connection", "reason"),
        [
            ("%ABSENT%", "Storage", "'%ABSENT%' names a setting that does not exist"),
            ("q", "Absent", "the connection Absent is not set"),
            ("q", "Managed", "Managed__queueServiceUri makes Managed an identity-based connection"),
        ],
    )
    def test_settings_that_are_missing_are_named_with_the_function(
        self, queue: str, connection: str, reason: str
    ) -> None:
        app = df.DFApp()
        app.queue_trigger("m", queue, connection)(body)
        with pytest.raises(ConfigError, match=f"function body: .*{reason}"):
            read(app, Storage="x", Managed__queueServiceUri="https://x.queue.core.windows.net")
