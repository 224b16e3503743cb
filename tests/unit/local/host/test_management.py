"""The HTTP management API against a real store: routes, status codes and bodies of the durable extension."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from local.host.management import CONTINUATION, PREFIX, Management, ManagementLinks
from local.host.store import Instance

INSTANCES = "/instances"
Ask = Callable[..., Awaitable[tuple[int, Any]]]


def chain(context: Any) -> Any:
    first = yield context.call_activity("work", context.get_input())
    context.set_custom_status("half")
    second = yield context.call_activity("work", first)
    return second


def waiting(context: Any) -> Any:
    return (yield context.wait_for_external_event("Go"))


def failing(context: Any) -> Any:
    yield context.call_activity("work", context.get_input())
    raise ValueError("on purpose")


class Api:
    """The API over one bench, asked in the way of a plain function."""

    def __init__(self, bench: Any) -> None:
        self.bench = bench
        self.headers: Any = {}

    def ask(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        """The status code, and the JSON document or None of the answer."""

        async def run() -> tuple[int, Any]:
            async with self.client() as client, client.request(method, PREFIX + path, **options) as answer:
                self.headers = answer.headers
                text = await answer.text()
                return answer.status, json.loads(text) if text else None

        return asyncio.run(run())

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Any]:
        application = web.Application()
        application.add_routes(Management(self.bench.instances, ManagementLinks("http://base", "Hub")).routes())
        async with TestClient(TestServer(application)) as client:
            yield client

    def run(self, name: str, instance_id: str, document: object = None) -> None:
        """Start an instance and let it go as far as it can."""
        self.bench.start(name, document, instance_id)
        self.bench.complete_all(lambda value: value)


@pytest.fixture
def api(new_bench: Any) -> Api:
    return Api(new_bench(chain=chain, waiting=waiting, failing=failing))


class TestStart:
    def test_the_answer_is_202_with_the_links_of_the_instance(self, api: Api) -> None:
        status, links = api.ask("POST", "/orchestrators/chain/an id", data="5")
        assert status == 202
        assert set(links) == {
            "id", "statusQueryGetUri", "sendEventPostUri", "terminatePostUri", "purgeHistoryDeleteUri",
            "restartPostUri", "suspendPostUri", "resumePostUri",
        }  # fmt: skip
        assert links["id"] == "an id"
        assert api.headers["Location"] == links["statusQueryGetUri"]
        assert links["statusQueryGetUri"].startswith(f"http://base{PREFIX}/instances/an%20id?taskHub=Hub&")
        assert api.headers["Retry-After"] == "10"
        assert api.bench.instance("an id").input == "5"

    def test_without_an_id_one_is_made(self, api: Api) -> None:
        _, links = api.ask("POST", "/orchestrators/CHAIN")
        assert len(links["id"]) == 32
        assert api.bench.instance(links["id"]).input is None

    @pytest.mark.parametrize(
        ("path", "body", "message"),
        [
            ("nobody", "", "The function 'nobody' doesn't exist"),
            ("chain/@x", "", "must not start with @"),
            ("chain/a%23b", "", "must not contain /"),
            ("chain/a%00b", "", "must not contain /"),
            ("chain/" + "x" * 257, "", "must not exceed 256"),
            ("chain", "{", "Expecting property name"),
            ("chain?timeout=1&pollingInterval=2", "", "Total timeout 1 should be bigger than retry timeout 2"),
        ],
    )
    def test_a_start_that_cannot_be_is_a_400_in_words(self, api: Api, path: str, body: str, message: str) -> None:
        status, answer = api.ask("POST", f"/orchestrators/{path}", data=body)
        assert status == 400
        assert message in answer["ExceptionMessage"]

    def test_an_id_that_is_taken_is_a_409_in_words(self, api: Api) -> None:
        api.run("waiting", "one")
        status, answer = api.ask("POST", "/orchestrators/chain/one")
        assert (status, answer["Message"]) == (
            409,
            "An Orchestration instance with the status Running already exists.",
        )

    def test_with_a_timeout_and_an_interval_the_answer_is_the_output(self, api: Api) -> None:
        async def run() -> tuple[int, Any]:
            async with api.client() as client:
                path = f"{PREFIX}/orchestrators/chain/one?timeout=10&pollingInterval=0.01"
                asking = asyncio.ensure_future(client.post(path, json='"in"'))
                while not api.bench.woken:  # noqa: ASYNC110 - the bench has no event
                    await asyncio.sleep(0)
                api.bench.complete_all(lambda value: f"{value}!")
                answer = await asking
                return answer.status, await answer.json()

        assert asyncio.run(run()) == (200, "in!!")

    def test_a_start_that_is_not_over_in_time_is_answered_with_links(self, api: Api) -> None:
        status, links = api.ask("POST", "/orchestrators/waiting/one?timeout=0.02&pollingInterval=0.01")
        assert (status, links["id"]) == (202, "one")

    @pytest.mark.parametrize("interval", ["0", "-1"])
    def test_waiting_without_an_interval_does_not_keep_the_host_busy(
        self, api: Api, interval: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        looks: list[str] = []
        get: Callable[[str], Instance] = api.bench.instances.get

        def look(instance_id: str) -> Instance:
            looks.append(instance_id)
            return get(instance_id)

        monkeypatch.setattr(api.bench.instances, "get", look)
        assert api.ask("POST", f"/orchestrators/waiting/one?timeout=0.15&pollingInterval={interval}")[0] == 202
        assert 2 <= len(looks) <= 3

    def test_waiting_needs_both_a_timeout_and_an_interval(self, api: Api) -> None:
        assert api.ask("POST", "/orchestrators/waiting/one?timeout=60")[0] == 202


class TestStatus:
    def test_a_running_instance_is_a_202_that_points_at_itself(self, api: Api) -> None:
        api.run("waiting", "one")
        status, body = api.ask("GET", f"{INSTANCES}/one?showInput=true")
        assert (status, body["runtimeStatus"]) == (202, "Running")
        assert api.headers["Location"].endswith(f"{PREFIX}/instances/one?showInput=true")
        assert api.headers["Retry-After"] == "5"

    def test_a_completed_instance_shows_what_came_of_it(self, api: Api) -> None:
        api.run("chain", "one", 5)
        status, body = api.ask("GET", f"{INSTANCES}/one")
        assert status == 200
        assert body == {
            "name": "chain",
            "instanceId": "one",
            "runtimeStatus": "Completed",
            "input": "5",
            "customStatus": "half",
            "output": 5,
            "createdTime": "2023-11-14T22:13:20Z",
            "lastUpdatedTime": "2023-11-14T22:13:20Z",
        }

    def test_an_input_can_be_left_out(self, api: Api) -> None:
        api.run("chain", "one", 5)
        assert api.ask("GET", f"{INSTANCES}/one?showInput=False")[1]["input"] is None

    @pytest.mark.parametrize(("query", "code"), [("", 200), ("?returnInternalServerErrorOnFailure=true", 500)])
    def test_a_failed_instance_is_a_500_on_request(self, api: Api, query: str, code: int) -> None:
        api.run("failing", "one")
        status, body = api.ask("GET", f"{INSTANCES}/one{query}")
        assert (status, body["runtimeStatus"]) == (code, "Failed")

    def test_a_history_shows_tasks_once_with_the_times_of_both_ends(self, api: Api) -> None:
        api.run("chain", "one", 5)
        _, body = api.ask("GET", f"{INSTANCES}/one?showHistory=true&showHistoryOutput=true")
        started, first, second, ended = body["historyEvents"]
        at = {"Timestamp": "2023-11-14T22:13:20.000000Z"}
        assert started == {"EventType": "ExecutionStarted", "FunctionName": "chain", "Input": '"5"', **at}
        task = {"EventType": "TaskCompleted", "FunctionName": "work", "ScheduledTime": at["Timestamp"], **at}
        assert first == {**task, "Input": "5", "Result": 5}
        assert second == {**task, "Input": "5", "Result": 5}
        assert ended == {"EventType": "ExecutionCompleted", "OrchestrationStatus": "Completed", "Result": 5, **at}

    def test_a_history_without_inputs_and_results(self, api: Api) -> None:
        api.run("chain", "one", 5)
        _, body = api.ask("GET", f"{INSTANCES}/one?showHistory=true&showInput=false")
        assert not any("Result" in event or "Input" in event for event in body["historyEvents"])

    def test_a_failure_is_an_end_in_the_history(self, api: Api) -> None:
        api.run("failing", "one")
        _, body = api.ask("GET", f"{INSTANCES}/one?showHistory=true&showHistoryOutput=true")
        end = body["historyEvents"][-1]
        assert (end["EventType"], end["OrchestrationStatus"]) == ("ExecutionCompleted", "Failed")
        assert "on purpose" in end["Result"]


class TestList:
    @pytest.fixture
    def many(self, api: Api) -> Api:
        for i in range(5):
            api.run("chain" if i % 2 else "waiting", f"{i}")
            api.bench.now += 10
        return api

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("", "01234"),
            ("?runtimeStatus=Completed", "13"),
            ("?runtimeStatus=Completed,Running", "01234"),
            ("?runtimeStatus=Completed&runtimeStatus=Running", "01234"),
            ("?runtimeStatus=Canceled", ""),
            ("?runtimeStatus=ContinuedAsNew,Completed", "13"),
            ("?runtimeStatus=Nonsense", "01234"),  # the real one leaves out what it cannot read
            ("?instanceIdPrefix=3", "3"),
            ("?createdTimeFrom=2023-11-14T22:13:40Z", "234"),
            ("?createdTimeFrom=2023-11-14T22:13:30Z&createdTimeTo=2023-11-14T22:13:50Z", "123"),
            ("?createdTimeFrom=yesterday", "01234"),
        ],
    )
    def test_filters(self, many: Api, query: str, expected: str) -> None:
        status, found = many.ask("GET", f"{INSTANCES}/{query}")
        assert (status, "".join(item["instanceId"] for item in found)) == (200, expected)

    def test_pages_lead_from_one_to_the_next(self, many: Api) -> None:
        pages: list[list[str]] = []
        token = ""
        while not pages or token:
            headers = {CONTINUATION: token} if token else {}
            _, found = many.ask("GET", f"{INSTANCES}?top=2", headers=headers)
            pages.append([item["instanceId"] for item in found])
            token = many.headers.get(CONTINUATION, "")
        assert pages == [["0", "1"], ["2", "3"], ["4"]]

    def test_a_page_has_100_instances_unless_told(self, api: Api) -> None:
        for i in range(101):
            api.bench.start("waiting", None, f"ü {i:03}")
        first = api.ask("GET", INSTANCES)[1]
        assert len(first) == 100
        (last,) = api.ask("GET", INSTANCES, headers={CONTINUATION: api.headers[CONTINUATION]})[1]
        assert last["instanceId"] == "ü 100"


class TestControl:
    def test_an_event_reaches_the_instance(self, api: Api) -> None:
        api.run("waiting", "one")
        assert api.ask("POST", f"{INSTANCES}/one/RaiseEvent/Go", json={"a": 1}) == (202, None)
        api.bench.settle()
        assert api.bench.output("one") == {"a": 1}

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"data": "text"}, "Only application/json request content is supported"),
            ({"data": "{", "headers": {"Content-Type": "application/json"}}, "Invalid JSON content"),
            ({"data": "", "headers": {"Content-Type": "application/json"}}, "Invalid JSON content"),
        ],
    )
    def test_an_event_that_is_no_json_is_a_400(self, api: Api, options: Any, message: str) -> None:
        api.run("waiting", "one")
        status, answer = api.ask("POST", f"{INSTANCES}/one/raiseEvent/Go", **options)
        assert (status, answer["Message"]) == (400, message)

    @pytest.mark.parametrize("operation", ["raiseEvent/Go", "terminate?reason=x", "suspend", "resume"])
    def test_an_unknown_instance_is_a_404_and_one_that_has_ended_a_410(self, api: Api, operation: str) -> None:
        assert api.ask("POST", f"{INSTANCES}/one/{operation}", json=1)[0] == 404
        api.run("chain", "one")
        assert api.ask("POST", f"{INSTANCES}/one/{operation}", json=1)[0] == 410

    def test_suspend_resume_and_terminate(self, api: Api) -> None:
        api.run("waiting", "one")
        for operation, status in [("suspend", "Suspended"), ("resume", "Running"), ("terminate", "Terminated")]:
            assert api.ask("POST", f"{INSTANCES}/one/{operation}?reason=so%20what") == (202, None)
            api.bench.settle()
            assert api.bench.instance("one").status == status
        assert api.bench.output("one") == "so what"

    def test_a_running_instance_cannot_be_resumed(self, api: Api) -> None:
        api.run("waiting", "one")
        status, answer = api.ask("POST", f"{INSTANCES}/one/resume")
        assert status == 500
        assert "because instance is in the Running state" in answer["ExceptionMessage"]

    def test_restart_with_a_new_id(self, api: Api) -> None:
        api.run("chain", "one", 5)
        status, links = api.ask("POST", f"{INSTANCES}/one/restart")
        assert status == 202
        assert links["id"] != "one"
        assert api.bench.instance(links["id"]).input == '"5"'

    def test_restart_with_the_same_id(self, api: Api) -> None:
        path = f"{INSTANCES}/one/restart?restartWithNewInstanceId=false"
        api.run("chain", "one", 5)
        assert api.ask("POST", path)[1]["id"] == "one"
        status, answer = api.ask("POST", path)
        assert (status, answer["Message"]) == (
            409,
            "A non-terminal instance with this instance ID already exists.",
        )

    def test_restart_of_an_unknown_instance_is_a_400(self, api: Api) -> None:
        status, answer = api.ask("POST", f"{INSTANCES}/one/restart")
        assert (status, answer["Message"]) == (400, "InstanceId does not match a valid orchestration instance.")

    def test_rewind_is_refused_in_words(self, api: Api) -> None:
        path = f"{INSTANCES}/one/rewind?reason=x"
        assert api.ask("POST", path)[0] == 404
        api.run("failing", "one")
        assert api.ask("POST", path) == (501, "Rewind is not supported by this host: restart the instance.")
        api.run("chain", "one")
        status, answer = api.ask("POST", path)
        assert status == 412
        assert "has status Completed" in answer


class TestPurge:
    def test_one_instance(self, api: Api) -> None:
        assert api.ask("DELETE", f"{INSTANCES}/one") == (404, None)
        api.run("waiting", "one")
        status, answer = api.ask("DELETE", f"{INSTANCES}/one")
        assert status == 412
        assert "has status Running" in answer
        api.bench.instances.terminate("one", "")
        api.bench.settle()
        assert api.ask("DELETE", f"{INSTANCES}/one") == (200, {"instancesDeleted": 1})

    def test_many_by_filter_which_knows_no_prefix(self, api: Api) -> None:
        for i in range(3):
            api.run("chain", f"{i}")
        api.run("waiting", "w")
        query = "?createdTimeFrom=2020-01-01T00:00:00Z&runtimeStatus=Completed&instanceIdPrefix=1"
        assert api.ask("DELETE", INSTANCES + query) == (200, {"instancesDeleted": 3})
        assert api.ask("DELETE", INSTANCES + query) == (404, None)

    def test_a_filter_needs_a_beginning(self, api: Api) -> None:
        assert api.ask("DELETE", INSTANCES) == (400, "Please provide value for 'createdTimeFrom' parameter.")


class TestRoutes:
    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", "/orchestrators/chain"),
            ("PUT", "/instances/one"),
            ("POST", "/instances/one"),
            ("POST", "/instances"),
            ("GET", "/instances/one/terminate"),
            ("POST", "/instances/one/dance"),
            ("GET", "/instances/a%2Fb"),
            ("GET", "/"),
        ],
    )
    def test_everything_else_is_a_404(self, api: Api, method: str, path: str) -> None:
        assert api.ask(method, path) == (404, None)

    @pytest.mark.parametrize("instance_id", ["ä ö", "a@b", "a%25b", "a:b;c,d", "☃"])
    def test_ids_of_all_kinds(self, api: Api, instance_id: str) -> None:
        _, links = api.ask("POST", f"/orchestrators/waiting/{instance_id}")
        path = links["statusQueryGetUri"].partition(PREFIX)[2]
        assert api.ask("GET", path)[1]["instanceId"] == instance_id.replace("%25", "%")

    @pytest.mark.parametrize(
        ("method", "path"), [("GET", "/entities/counter/1"), ("POST", "/entities/counter/1?op=add")]
    )
    def test_entities_are_refused_in_words(self, api: Api, method: str, path: str) -> None:
        assert api.ask(method, path) == (501, "Durable entities are not supported by this host.")

    def test_another_task_hub_is_refused_by_name(self, api: Api) -> None:
        assert api.ask("GET", f"{INSTANCES}?taskHub=hub")[0] == 200
        status, answer = api.ask("GET", f"{INSTANCES}?taskHub=Other")
        assert (status, answer) == (501, "This host has the task hub Hub only, not Other.")
