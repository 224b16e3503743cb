"""What a person can look up and ask for over HTTP, against everything real."""

from typing import Any

import jsonschema
import pytest
import requests

from local.environment import Environment
from shared.contracts.progress import Phase

BY = {"by": "lead@example.org", "reason": "a drill"}


def problem(response: requests.Response, status: int) -> dict[str, Any]:
    """The problem that an answer is, in the form of RFC 9457."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"].startswith("application/problem+json")
    content: dict[str, Any] = response.json()
    assert content["status"] == status
    assert content["title"]
    assert content["detail"]
    return content


def test_what_can_be_restored_and_whereto(environment: Environment, ticketing: Any) -> None:
    instances = ticketing.call("GET", "instances").json()["instances"]
    points = ticketing.call("GET", "instances/orders/recovery-points").json()
    targets = ticketing.call("GET", "targets").json()["targets"]

    assert [(one["server"], one["aliases"]) for one in instances] == [("orders-prod", ["orders"])]
    assert points["instance"] == environment.instance.name
    assert [point["obstacle"] for point in points["points"]] == [""]
    assert [(one["alias"], one["approval"]) for one in targets] == [("drill", "on-request")]


def test_recovery_points_of_a_time_range(ticketing: Any) -> None:
    def points(query: str) -> list[Any]:
        return list(ticketing.call("GET", f"instances/orders-prod/recovery-points?{query}").json()["points"])

    assert points("to=2020-01-01T00:00:00Z") == []
    assert len(points("from=2020-01-01T00:00:00Z")) == 1
    wrong = problem(ticketing.call("GET", "instances/orders/recovery-points?from=yesterday"), 400)
    assert wrong["errors"][0].startswith("from: ")
    problem(ticketing.call("GET", "instances/nowhere/recovery-points"), 404)


def test_a_plan_is_answered_at_once_and_starts_nothing(ticketing: Any) -> None:
    plan = ticketing.call("POST", "plans", ticketing.ticket("p1", approval="required")).json()

    assert plan["instance"]["server"] == "orders-prod"
    assert plan["needsApproval"]
    assert plan["tools"].keys() == {"psql", "pg_restore"}
    assert ticketing.status("p1") is None


def test_everything_that_stands_in_the_way_of_a_plan_is_told_at_once(ticketing: Any) -> None:
    request = ticketing.ticket("p2", source={"backupInstance": "nowhere"}, target="void")
    told = problem(ticketing.call("POST", "plans", request), 400)

    assert [error.partition(":")[0] for error in told["errors"]] == ["target", "source.backupInstance"]
    with ticketing.environment.target.connect(autocommit=True) as connection:
        connection.execute("CREATE DATABASE in_the_way")
    taken = ticketing.ticket("p3", databases=[{"name": "shop", "as": "in_the_way"}])
    told = problem(ticketing.call("POST", "plans", taken), 422)
    assert "'in_the_way' exists on the target server" in told["errors"][0]


def test_a_restore_is_started_followed_and_listed(ticketing: Any) -> None:
    request = ticketing.ticket("a1", requestedBy="dba@example.org", ticket="INC-1", reason="a drill")
    started = ticketing.call("POST", "restores", request)
    again = ticketing.call("POST", "restores", request)
    other = ticketing.call("POST", "restores", {**request, "target": "other"})

    assert started.status_code == again.status_code == 202
    assert (started.json()["duplicate"], again.json()["duplicate"]) == (False, True)
    assert started.headers["Location"].endswith("/api/restores/a1")
    assert problem(other, 409)["code"] == "Conflict"
    assert other.headers["Location"] == started.headers["Location"]

    ended = ticketing.ended("a1")
    assert (ended.target, ended.source, ended.requested_by, ended.reason) == (
        "drill", "orders", "dba@example.org", "a drill",
    )  # fmt: skip
    assert ended.progress == 1.0
    assert ended.actions == ()
    (row,) = ticketing.call("GET", "restores?requestedBy=dba@example.org&target=drill").json()["restores"][:1]
    assert (row["requestId"], row["phase"], row["ticket"]) == ("a1", ended.phase, "INC-1")
    assert ticketing.call("POST", "restores", request).status_code == 200


def test_an_unchanged_answer_is_not_sent_again(ticketing: Any) -> None:
    ticketing.restore("a2", dryRun=True)
    first = ticketing.call("GET", "restores/a2")
    second = ticketing.call("GET", "restores/a2", headers={"If-None-Match": first.headers["ETag"]})

    assert first.json()["plan"]["target"]["alias"] == "drill"
    assert (second.status_code, second.content) == (304, b"")


def test_lists_are_filtered_and_come_in_pages(ticketing: Any) -> None:
    for number in range(3):
        ticketing.call("POST", "restores", ticketing.ticket(f"page-{number}", dryRun=True, requestedBy="pager"))
        ticketing.ended(f"page-{number}")

    found: list[str] = []
    query = "restores?requestedBy=pager&phase=Completed,Failed&size=2"
    page = ticketing.call("GET", query).json()
    while True:
        found += [one["requestId"] for one in page["restores"]]
        if page["next"] is None:
            break
        page = ticketing.call("GET", f"{query}&after={page['next']}").json()

    assert found == ["page-2", "page-1", "page-0"]
    assert ticketing.call("GET", "restores?requestedBy=pager&phase=Failed").json() == {"restores": [], "next": None}
    told = problem(ticketing.call("GET", "restores?phase=Sleeping&size=0&colour=red"), 400)
    assert [error.partition(":")[0] for error in told["errors"]] == ["phase[0]", "size", "colour"]


def test_a_rejected_request_may_be_sent_again_corrected(ticketing: Any) -> None:
    rejected = ticketing.restore("a3", source={"backupInstance": "nowhere"}, dryRun=True)
    corrected = ticketing.call("POST", "restores", ticketing.ticket("a3", dryRun=True))

    assert rejected.phase is Phase.REJECTED
    assert corrected.json()["duplicate"] is False
    ticketing.wait_for("a3", lambda status: status.phase is Phase.COMPLETED, "its second end")
    rows = [one for one in ticketing.call("GET", "restores").json()["restores"] if one["requestId"] == "a3"]
    assert [row["phase"] for row in rows] == ["Completed"]


def test_the_report_is_served_in_both_forms(ticketing: Any) -> None:
    ticketing.restore("a4", dryRun=True)
    page = ticketing.call("GET", "restores/a4/report.html")

    assert ticketing.call("GET", "restores/a4/report").json()["requestId"] == "a4"
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "a4" in page.text
    problem(ticketing.call("GET", "restores/nowhere/report"), 404)


def test_health_says_that_restores_are_possible(ticketing: Any) -> None:
    health = ticketing.call("GET", "health")

    assert health.status_code == 200, health.text
    names = {check["name"] for check in health.json()["checks"]}
    assert names >= {"client tools", "backup vault", "landing account", "app storage", "target drill"}


def test_health_names_what_is_wrong(environment: Environment, ticketing: Any) -> None:
    with environment.target.connect(as_superuser=True, autocommit=True) as connection:
        connection.execute("ALTER ROLE drilladmin NOLOGIN")
        try:
            told = problem(ticketing.call("GET", "health"), 503)
        finally:
            connection.execute("ALTER ROLE drilladmin LOGIN")

    assert [check["name"] for check in told["checks"] if not check["ok"]] == ["target drill"]
    assert "not permitted to log in" in told["errors"][0]


def test_without_a_key_there_is_nothing_to_see_but_the_api_itself(environment: Environment) -> None:
    def status(path: str) -> int:
        return requests.get(f"{environment.url}/api/{path}", timeout=30).status_code

    assert status("openapi.json") == 200
    assert {status(path) for path in ("restores", "restores/a1", "targets", "instances", "health")} == {401}


def test_answers_are_as_the_openapi_document_says(ticketing: Any) -> None:
    document = ticketing.call("GET", "openapi.json").json()
    for path in ("instances", "targets", "restores", "health"):
        schema = document["paths"][f"/{path}"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        jsonschema.validate(ticketing.call("GET", path).json(), {**schema, "components": document["components"]})


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "restores", {"requestId": "x"}, 400),
        ("POST", "restores/nowhere/approve", BY, 404),
        ("POST", "restores/nowhere/cancel", BY, 404),
        ("POST", "restores/nowhere/cancel", {"by": ""}, 400),
        ("POST", "restores/nowhere/retry", {}, 404),
        ("GET", "restores/no%20where", None, 404),
        ("GET", "restores/a:import", None, 404),
    ],
)
def test_what_cannot_be_answered_is_a_problem(ticketing: Any, method: str, path: str, body: Any, status: int) -> None:
    problem(ticketing.call(method, path, body), status)
