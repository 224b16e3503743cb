"""Names in Bicep that the code, host.json and azure.yaml know too."""

import inspect
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from local.bicep.document import Document, string_of, text_of
from shared import topology
from shared.housekeeping import stuck
from shared.telemetry import metrics

type Triggers = Callable[[str], dict[str, dict[str, Any]]]

ROOT = Path(__file__).parents[3]


def strings(document: Document, variable: str) -> list[str]:
    return document.strings(document.named("var")[variable].value)


def test_queues(bicep: Callable[[str], Document], triggers: Triggers) -> None:
    """Every queue that the code reads or writes is made, with the poison queues of those that a trigger reads."""
    read = {binding["queueName"] for binding in triggers("queueTrigger").values()}
    needed = {topology.REQUEST_QUEUE, topology.EVENT_QUEUE, topology.WEBHOOK_QUEUE, *read}

    assert set(strings(bicep("app/storage"), "queueNames")) == needed | {
        f"{name}-poison" for name in read if not name.endswith("-poison")
    }


def test_containers(bicep: Callable[[str], Document]) -> None:
    """The containers of the code are made, in the account where the code looks for them."""
    made = set(strings(bicep("app/storage"), "containerNames"))

    assert {topology.CONTROL_CONTAINER, topology.REPORT_CONTAINER} <= made
    assert tuple(strings(bicep("app/landing"), "containerNames")) == topology.LANDING_CONTAINERS


def test_each_blob_trigger_is_subscribed(bicep: Callable[[str], Document], triggers: Triggers) -> None:
    """Event Grid tells each function of the files in its container, by the function's name."""
    document = bicep("app/subscriptions")
    [subscription] = document.resources("Microsoft.EventGrid/systemTopics/eventSubscriptions")
    [url] = document.values(subscription.value, "properties", "destination", "properties", "endpointUrl")
    [filtered] = document.values(subscription.value, "properties", "filter", "subjectBeginsWith")
    prefix = string_of(url).split("functionName=Host.Functions.")[1].split("$")[0]
    containers = strings(document, "containerNames")

    assert {f"{prefix}{name.replace('-', '_')}": f"{name}/{{name}}" for name in containers} == {
        name: binding["path"] for name, binding in triggers("blobTrigger").items()
    }
    assert string_of(filtered) == "/blobServices/default/containers/${containerName}/"


def test_what_cannot_be_delivered_is_kept(bicep: Callable[[str], Document]) -> None:
    """The container of dead letters is one that is made."""
    document = bicep("app/subscriptions")
    [subscription] = document.resources("Microsoft.EventGrid/systemTopics/eventSubscriptions")
    path = ("properties", "deadLetterWithResourceIdentity", "deadLetterDestination", "properties", "blobContainerName")
    [container] = document.values(subscription.value, *path)

    assert string_of(container) in strings(bicep("app/storage"), "containerNames")


def test_the_task_hub_has_the_name_of_host_json(bicep: Callable[[str], Document]) -> None:
    """With the Durable Task Scheduler, the hub that is made is the one that the app asks for."""
    hub = json.loads((ROOT / "host.json").read_text())["extensions"]["durableTask"]["hubName"]

    assert strings(bicep("app/scheduler"), "taskHubName") == [hub]


def test_azd_finds_the_app_by_its_tag(bicep: Callable[[str], Document]) -> None:
    """`azd deploy` looks for a resource with the tag azd-service-name, which is the service's name in azure.yaml."""
    document = bicep("app/function")
    [app] = document.resources("Microsoft.Web/sites")
    [name] = document.values(app.value, "tags", "azd-service-name")

    assert list(yaml.safe_load((ROOT / "azure.yaml").read_text())["services"]) == [string_of(name)]


def test_the_python_of_the_app_is_ours(bicep: Callable[[str], Document]) -> None:
    """Both plans and the image run the version that everything here was tested with."""
    version = (ROOT / ".python-version").read_text().strip()
    document = bicep("app/function")
    [app] = document.resources("Microsoft.Web/sites")
    [flex] = document.values(app.value, "properties", "functionAppConfig", "runtime", "version")
    [premium] = document.values(app.value, "properties", "siteConfig", "linuxFxVersion")

    assert string_of(flex) == version
    assert f"'PYTHON|{version}'" in text_of(premium)
    assert f"python{version}" in (ROOT / "Dockerfile").read_text()


def test_queries_ask_for_metrics_that_exist(infra: Path) -> None:
    """Alerts and the workbook look at what the app measures, by the names and attributes that it gives."""
    queries = {path.name: path.read_text() for path in (infra / "queries").glob("*.kql")}
    asked = {name: set(re.findall(r'"(flexrestore\.[\w.]+)"', text)) for name, text in queries.items()}
    measured = {instrument.name for instrument in metrics.INSTRUMENTS}
    attributes = {"flexrestore.phase", "flexrestore.target", "flexrestore.dry_run"}

    assert {name: found - measured - attributes for name, found in asked.items()} == {name: set() for name in queries}
    assert all(f"{name.removeprefix('flexrestore.')}=" in inspect.getsource(metrics) for name in attributes)


def test_each_row_that_an_alert_finds_is_told(bicep: Callable[[str], Document]) -> None:
    """No alert stands until it is resolved and keeps quiet about what fails meanwhile."""
    document = bicep("app/alerts")
    [rule] = document.resources("Microsoft.Insights/scheduledQueryRules")

    def told(name: str) -> list[str]:
        return [text_of(node) for node in document.values(rule.value, "properties", name)]

    assert told("autoMitigate") == ["false"]
    assert told("windowSize") == told("evaluationFrequency")


def test_nothing_that_an_alert_looks_for_is_left_out_as_a_sample(infra: Path, bicep: Callable[[str], Document]) -> None:
    """The Functions host drops lines and requests of a busy second, unless it is told not to; metrics are ours."""
    tables = {"AppTraces": "Trace", "AppRequests": "Request", "AppMetrics": ""}
    alerting = re.findall(r"queries/([\w-]+\.kql)", bicep("app/alerts").text)
    needed = {tables[(infra / "queries" / name).read_text().split()[0]] for name in alerting} - {""}
    host = json.loads((ROOT / "host.json").read_text())
    sampling = host["logging"]["applicationInsights"]["samplingSettings"]

    assert needed == {"Trace", "Request"}
    assert needed <= set(sampling["excludedTypes"].split(";"))


def test_the_query_for_stuck_restores_looks_for_the_words_of_the_log(infra: Path) -> None:
    """Housekeeping's line on a restore that does not go on is what the alert finds."""
    query = (infra / "queries" / "stuck-restores.kql").read_text()
    begin, words = re.findall(r'"([^"]+)"', query)

    assert f'"{begin}%s {words}: %s"' in inspect.getsource(stuck)


def test_queries_ask_for_functions_that_exist(infra: Path, triggers: Triggers) -> None:
    """The alert on poison messages looks at executions of the function that handles them."""
    poison = (infra / "queries" / "poison-messages.kql").read_text()
    handled = [name for name, one in triggers("queueTrigger").items() if one["queueName"].endswith("-poison")]

    assert handled
    assert all(f'"{name}"' in poison for name in handled)
