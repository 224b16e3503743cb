"""Orchestrations through the host: the SDK's client, the HTTP management API, the patterns."""

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
import requests


def client(site: Any, operation: str, instance_id: str) -> requests.Response:
    return requests.post(f"{site.url}/api/client/{operation}/{instance_id}", timeout=10)


def test_activities_one_after_the_other(site: Any) -> None:
    answer = requests.post(f"{site.url}/api/start/chain?id=chain-1", data="5", timeout=10)
    assert answer.status_code == 202
    assert answer.headers["Location"] == answer.json()["statusQueryGetUri"]
    status = site.ended("chain-1")
    assert (status["output"], status["customStatus"], status["input"]) == (8, {"value": 8}, "5")


def test_activities_side_by_side_in_more_than_one_worker(site: Any) -> None:
    site.begin("fan_out", "fan-1", {"items": 20, "seconds": 0.02})
    assert site.ended("fan-1")["output"] == sum(range(20))
    assert len({note.split()[1] for note in site.notes("work")}) == 2


def test_children_with_given_ids_retries_and_continue_as_new(site: Any) -> None:
    site.begin("parent", "parent-1")
    first, second, third, fourth = site.ended("parent-1")["output"]
    assert (first, second, third) == (13, "attempt 3", 3)
    assert fourth.startswith("Orchestrator function 'failing' failed: Activity function 'fail' failed: ValueError:")
    assert site.status("parent-1-child")["output"] == 13


def test_an_activity_with_a_durable_client_starts_another_orchestration(site: Any) -> None:
    site.begin("spawns", "spawner")
    assert site.ended("spawner")["output"] == "spawner-another"
    assert site.ended("spawner-another")["output"] == 8


def test_large_results(site: Any) -> None:
    site.begin("large", "large-1", 3_000_000)
    assert site.ended("large-1")["output"] == 3_000_000


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("failing", "Orchestrator function 'failing' failed: Activity function 'fail' failed: ValueError: failed: x"),
        ("talkative", "the custom status has 16388 bytes in UTF-16; Azure takes 16 KB, so show less"),
        ("unknown_activity", "The function 'nowhere' doesn't exist, is disabled, or is not an activity function"),
    ],
)
def test_failures_have_the_text_of_what_failed(site: Any, name: str, expected: str) -> None:
    site.begin(name, f"{name}-1", "x")
    status = site.ended(f"{name}-1")
    assert status["runtimeStatus"] == "Failed"
    assert expected in status["output"]


class TestEvents:
    def test_an_event_over_http_reaches_the_orchestrator_as_its_json(self, site: Any) -> None:
        site.begin("approval", "approval-http")
        url = f"{site.durable}/instances/approval-http/raiseEvent/Approval"
        assert requests.post(url, json={"by": "me"}, timeout=10).status_code == 202
        assert site.ended("approval-http")["output"] == {"by": "me"}

    def test_an_event_from_the_sdk_client_reaches_the_orchestrator_as_a_string(self, site: Any) -> None:
        site.begin("approval", "approval-sdk")
        assert client(site, "raise", "approval-sdk").status_code == 200
        assert json.loads(site.ended("approval-sdk")["output"]) == {"by": "client"}

    def test_a_timer_wins_when_no_event_comes(self, site: Any) -> None:
        site.begin("approval", "approval-late", {"seconds": 0.2})
        assert site.ended("approval-late")["output"] == "late"

    def test_events_that_come_early_are_kept(self, site: Any) -> None:
        site.begin("early_event", "early")
        for name in ("Second", "First"):
            requests.post(f"{site.durable}/instances/early/raiseEvent/{name}", json=name, timeout=10)
        assert site.ended("early")["output"] == ["First", "Second"]


class TestManagement:
    def test_the_life_of_an_instance_in_status_codes(self, site: Any, wait_for: Any) -> None:
        url = f"{site.durable}/instances/life"
        assert requests.get(url, timeout=10).status_code == 404
        assert requests.post(f"{url}/raiseEvent/Approval", json=1, timeout=10).status_code == 404
        assert requests.post(f"{url}/terminate", timeout=10).status_code == 404
        site.begin("approval", "life")
        wait_for(lambda: site.status("life")["runtimeStatus"] == "Running", "the instance to run")
        running = requests.get(url, timeout=10)
        assert running.status_code == 202
        assert running.headers["Location"].startswith(url)
        again = requests.post(f"{site.durable}/orchestrators/approval/life", timeout=10)
        assert (again.status_code, again.json()["Message"]) == (
            409,
            "An Orchestration instance with the status Running already exists.",
        )
        assert requests.delete(url, timeout=10).status_code == 412
        assert requests.post(f"{url}/terminate?reason=enough", timeout=10).status_code == 202
        assert site.ended("life")["output"] == "enough"
        assert requests.get(url, timeout=10).status_code == 200
        assert requests.post(f"{url}/raiseEvent/Approval", json=1, timeout=10).status_code == 410
        assert requests.post(f"{url}/suspend", timeout=10).status_code == 410
        site.begin("chain", "life", 1)
        assert site.ended("life")["output"] == 4
        purged = requests.delete(url, timeout=10)
        assert (purged.status_code, purged.json()) == (200, {"instancesDeleted": 1})
        assert requests.get(url, timeout=10).status_code == 404

    def test_a_start_can_wait_for_the_output(self, site: Any) -> None:
        url = f"{site.durable}/orchestrators/chain/waited-for?timeout=20&pollingInterval=0.05"
        answer = requests.post(url, json="5", timeout=30)
        assert (answer.status_code, answer.json()) == (200, 8)

    def test_a_suspended_instance_keeps_its_events_until_it_is_resumed(self, site: Any, wait_for: Any) -> None:
        site.begin("approval", "suspended")
        url = f"{site.durable}/instances/suspended"
        requests.post(f"{url}/suspend?reason=wait", timeout=10)
        wait_for(lambda: site.status("suspended")["runtimeStatus"] == "Suspended", "the suspension")
        requests.post(f"{url}/raiseEvent/Approval", json="kept", timeout=10)
        time.sleep(0.2)  # the event must not wake it; there is no condition for nothing happening
        assert site.status("suspended")["runtimeStatus"] == "Suspended"
        requests.post(f"{url}/resume", timeout=10)
        assert site.ended("suspended")["output"] == "kept"

    def test_listing_and_purging_by_filter(self, site: Any) -> None:
        now = datetime.now(UTC).isoformat()
        for i in range(3):
            site.begin("chain", f"listed-{i}", i)
        for i in range(3):
            site.ended(f"listed-{i}")
        url = f"{site.durable}/instances"
        query = {"instanceIdPrefix": "listed-", "runtimeStatus": "Completed,Failed"}
        found = requests.get(url, params=query, timeout=10).json()
        assert [item["instanceId"] for item in found] == ["listed-0", "listed-1", "listed-2"]
        later = requests.get(url, params={**query, "createdTimeFrom": "2999-01-01T00:00:00Z"}, timeout=10)
        assert later.json() == []
        query["createdTimeFrom"] = now  # the prefix is no filter for a purge
        assert requests.delete(url, params=query, timeout=10).json() == {"instancesDeleted": 3}


class TestSdkClient:
    def test_every_operation_of_the_client(self, site: Any, wait_for: Any) -> None:
        site.begin("approval", "by-client")
        status = client(site, "status", "by-client").json()
        assert (status["name"], status["instanceId"]) == ("approval", "by-client")
        assert client(site, "suspend", "by-client").status_code == 200
        wait_for(lambda: site.status("by-client")["runtimeStatus"] == "Suspended", "the suspension")
        assert client(site, "resume", "by-client").status_code == 200
        assert client(site, "terminate", "by-client").status_code == 200
        assert site.ended("by-client")["output"] == "enough"
        assert client(site, "terminate", "by-client").status_code == 200
        assert "gone" in client(site, "raise", "by-client").text
        assert "by-client" in client(site, "all", "any").json()
        assert client(site, "completed", "by-client").json() == []
        restarted = client(site, "restart", "by-client").json()["id"]  # the SDK hands on the whole answer
        assert site.status(restarted)["name"] == "approval"
        assert "can be rewound" in client(site, "rewind", "by-client").text
        assert client(site, "purge", "by-client").json() == 1
        assert client(site, "purge", "by-client").json() == 0
        assert client(site, "status", "by-client").json() is None

    def test_what_the_host_refuses_reaches_the_caller_in_words(self, site: Any) -> None:
        site.begin("failing", "rewound", "x")
        site.ended("rewound")
        assert client(site, "rewind", "rewound").text == "Rewind is not supported by this host: restart the instance."

    def test_starting_a_running_id_again_raises(self, site: Any) -> None:
        site.begin("approval", "taken")
        answer = requests.post(f"{site.url}/api/start/approval?id=taken", timeout=10)
        assert answer.status_code == 500
        assert "already exists" in site.log.read_text()
