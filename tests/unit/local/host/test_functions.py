"""The functions of an app, from the SDK's own decorators, and what is refused."""

# mypy: disable-error-code="untyped-decorator"
# The durable SDK ships no types.

import re
from collections.abc import Callable
from contextlib import nullcontext
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

        (function,) = read(app, QUEUE="Queue", Storage="UseDevelopmentStorage=true").all
        assert (function.name, function.trigger.type, function.trigger.options["queueName"]) == (
            "handle",
            "queueTrigger",
            "queue",
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
            (lambda app: app.service_bus_queue_trigger("m", "C", "q")(body), "the trigger serviceBusTrigger"),
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
            (
                lambda app: app.activity_trigger("x")(app.durable_client_input("c", task_hub="Other")(body)),
                "a durable client of a task hub by name",
            ),
            (lambda app: app.queue_trigger("m", "queue", "S", poison="no")(body), "the option poison of the binding"),
            (
                lambda app: app.activity_trigger("x")(app.queue_output("o", "queue", "S", ttl=5)(body)),
                "the option ttl of the binding queue",
            ),
            (
                lambda app: app.route("x")(app.blob_output("o", "box/{DateTime:yyyy}", "S")(body)),
                "a format in {DateTime:yyyy}",
            ),
        ],
    )
    def test_what_is_not_supported_is_refused_by_function_and_feature(self, decorate: Decorate, feature: str) -> None:
        app = df.DFApp()
        decorate(app)
        with pytest.raises(ConfigError) as refused:
            read(app, S="UseDevelopmentStorage=true")
        assert re.match(
            rf"function \w+ uses .*{re.escape(feature)}.*which this host does not support", str(refused.value)
        )

    @pytest.mark.parametrize(
        ("decorate", "reason"),
        [
            (lambda app: app.queue_trigger("m", "a--b", "S")(body), "'a--b' is no name for a queue"),
            (lambda app: app.queue_trigger("m", "{name}", "S")(body), "'{name}' is no name for a queue"),
            (lambda app: app.route("x")(app.queue_output("m", "q", "S")(body)), "'q' is no name for a queue"),
            (lambda app: app.blob_trigger("b", "box/", "S")(body), "'box/' is no path for a blob trigger"),
            (lambda app: app.blob_trigger("b", "Box/{name}", "S")(body), "'Box/{name}' is no path for a blob trigger"),
            (lambda app: app.blob_trigger("b", "box/x", "S", source="Pigeon")(body), "'Pigeon' is no source"),
            (lambda app: app.route("x")(app.blob_output("o", "box", "S")(body)), "'box' is no path for a blob"),
            (
                lambda app: app.blob_trigger("b", "box/{name}.csv", "S")(app.blob_output("o", "out/{nam}", "S")(body)),
                "{nam} in 'out/{nam}' never has a value; the trigger gives ['blobtrigger', 'datetime', 'name',",
            ),
            (
                lambda app: app.timer_trigger("t", "0 * * * * *")(
                    app.queue_output("o", "to-{queueTrigger}", "S")(body)
                ),
                "{queuetrigger} in 'to-{queuetrigger}' never has a value",
            ),
        ],
    )
    def test_what_azure_would_not_take_is_explained(self, decorate: Decorate, reason: str) -> None:
        app = df.DFApp()
        decorate(app)
        with pytest.raises(ConfigError) as refused:
            read(app, S="UseDevelopmentStorage=true")
        assert str(refused.value).startswith(f"function body: {reason}")

    def test_outputs_may_name_what_the_trigger_gives(self) -> None:
        app = df.DFApp()
        app.blob_trigger("b", "box/{folder}/{name}", "S")(
            app.blob_output("o", "out/{NAME}-{rand-guid}", "S")(app.queue_output("p", "for-{folder}", "S")(body))
        )
        (function,) = read(app, S="UseDevelopmentStorage=true").all
        assert {binding.type for binding in function.outputs} == {"blob", "queue"}

    @pytest.mark.parametrize("zone", ["UTC", "CET"])
    def test_a_timer_in_another_time_zone_is_refused(self, zone: str) -> None:
        app = df.DFApp()
        app.timer_trigger("t", "0 * * * * *")(body)
        reason = r"body uses a timer in the time zone CET \(the setting WEBSITE_TIME_ZONE"
        with nullcontext() if zone == "UTC" else pytest.raises(ConfigError, match=reason):
            assert read(app, WEBSITE_TIME_ZONE=zone).all

    def test_an_orchestrator_and_an_activity_may_be_known_by_another_name(self) -> None:
        app = df.DFApp()
        app.activity_trigger("x", activity="Step")(body)
        catalog = read(app)
        assert catalog.find("activityTrigger", "step") is catalog.all[0]
        assert catalog.find("activityTrigger", "body") is None

    @pytest.mark.parametrize(
        ("queue", "connection", "reason"),
        [
            ("%ABSENT%", "Storage", "'%ABSENT%' names a setting that does not exist"),
            ("queue", "Absent", "the connection Absent is not set"),
            ("queue", "Managed", "Managed__queueServiceUri makes Managed an identity-based connection"),
        ],
    )
    def test_settings_that_are_missing_are_named_with_the_function(
        self, queue: str, connection: str, reason: str
    ) -> None:
        app = df.DFApp()
        app.queue_trigger("m", queue, connection)(body)
        with pytest.raises(ConfigError, match=f"function body: .*{reason}"):
            read(app, Storage="x", Managed__queueServiceUri="https://x.queue.core.windows.net")
