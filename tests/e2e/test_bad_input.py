"""What bad input gets: Rejected, with all errors at once and their paths; no retry, and nothing is touched."""

from typing import Any

import pytest

from local.environment import Environment
from local.vault.faults import JobFault
from shared.contracts.progress import Phase
from shared.topology import LANDING_CONTAINERS


def names(environment: Environment) -> set[str]:
    with environment.target.connect(as_superuser=True) as connection:
        found = connection.execute("SELECT datname FROM pg_database UNION SELECT rolname FROM pg_roles").fetchall()
    return {name for (name,) in found}


@pytest.mark.parametrize(
    ("message", "finding"),
    [
        ("restore orders please", "is no JSON object, nor base64 of one"),
        ("[]", "is no JSON object, nor base64 of one"),
        ('{"requestId": "../../etc"}', "requestId: String should match pattern"),
        ('{"target": "drill"}', "requestId: is missing"),
    ],
)
def test_a_message_that_names_no_request_becomes_an_event(ticketing: Any, message: str, finding: str) -> None:
    def rejection() -> dict[str, Any] | None:
        return next(
            (event for event in ticketing.all_events("message.rejected") if event["data"]["body"] == message), None
        )

    ticketing.send(message)
    event = ticketing.wait(rejection, "the event")

    assert event["data"]["phase"] == Phase.REJECTED
    assert any(finding in error for error in event["data"]["errors"])


@pytest.mark.parametrize(
    ("request_id", "change", "findings"),
    [
        ("b1", {"typo": 1, "target": None}, ["target: Input should be", "typo: is not a field"]),
        (
            "b2",
            {"source": {"backupInstance": "nowhere"}, "target": "elsewhere"},
            ["source.backupInstance: 'nowhere' is no backup instance", "target: 'elsewhere' is no configured target"],
        ),
        (
            "b3",
            {"source": {"backupInstance": "orders", "recoveryPoint": "0" * 32}},
            ["source.recoveryPoint: orders-prod-pgflex has no recovery point"],
        ),
        (
            "b4",
            {"source": {"backupInstance": "orders", "atOrBefore": "2020-01-01T00:00:00Z"}},
            ["has no recovery point to restore at or before 2020-01-01"],
        ),
        ("b5", {"source": {"container": "elsewhere", "backupName": "x"}}, ["source.container: 'elsewhere'"]),
        ("b10", {"notify": ["nobody", "audit"]}, ["notify: 'nobody' is no configured webhook; known are: audit."]),
    ],
)
def test_a_wrong_request_is_rejected_with_every_error(
    environment: Environment, ticketing: Any, request_id: str, change: dict[str, Any], findings: list[str]
) -> None:
    before = names(environment)
    status = ticketing.restore(request_id, **change)
    details = [detail for error in status.errors for detail in error.details]

    assert status.phase is Phase.REJECTED
    for finding in findings:
        assert any(finding in detail for detail in details), details
    assert ticketing.report(request_id).phase is Phase.REJECTED
    assert names(environment) == before


def test_of_a_rejected_request_the_webhooks_hear_that_it_names_rightly(ticketing: Any, receiver: Any) -> None:
    ticketing.send({**_good("b11"), "notify": ["audit", 7]})
    events = ticketing.wait(lambda: receiver.audit.history("b11")[2:], "the rejection")

    assert events[0]["data"]["phase"] == Phase.REJECTED


def test_a_rejected_request_may_be_corrected_under_its_own_id(ticketing: Any) -> None:
    assert ticketing.restore("b6", target="elsewhere").phase is Phase.REJECTED
    ticketing.send({**_good("b6"), "dryRun": True})

    assert ticketing.wait_for("b6", lambda status: status.phase is Phase.COMPLETED, "the corrected request")


def _good(request_id: str) -> dict[str, Any]:
    return {"requestId": request_id, "source": {"backupInstance": "orders"}, "target": "drill"}


def test_a_database_that_is_not_in_the_backup_rejects_the_request_and_nothing_is_touched(
    environment: Environment, ticketing: Any
) -> None:
    before = names(environment)
    status = ticketing.restore("b7", databases=[{"name": "shop", "as": "shop_b7"}, "nowhere"])

    assert status.phase is Phase.REJECTED
    assert [line.split(",")[0] for line in status.errors[0].details] == ["databases: nowhere is not in the backup"]
    assert names(environment) == before


def test_the_files_of_such_a_restore_are_imported_by_a_corrected_request(
    environment: Environment, ticketing: Any
) -> None:
    """No second restore is needed, and the container is free again afterwards."""
    ticketing.restore("b7b", databases=["nowhere"])
    report = ticketing.report("b7b")
    backup_name = next(one.file.name for one in report.files if one.file.database == "shop").split("_database_")[0]
    source = {"container": report.container, "backupName": backup_name}
    status = ticketing.restore("b7c", source=source)

    assert status.phase.value.startswith("Completed"), status
    assert "shop_b7c" in names(environment)
    assert [list(ticketing.container(name).list_blob_names()) for name in LANDING_CONTAINERS] == [[], []]


def test_a_failed_backup_job_fails_the_restore_with_the_services_words(
    environment: Environment, ticketing: Any
) -> None:
    environment.vault.inject(JobFault(outcome="Failed", after_files=1, message="The storage account is locked."))
    status = ticketing.restore("b8")

    assert status.phase is Phase.FAILED
    assert "The storage account is locked." in status.errors[0].message


def test_a_job_status_that_is_not_known_means_that_it_still_runs(environment: Environment, ticketing: Any) -> None:
    environment.vault.inject(JobFault(status_word="Hibernating"))

    assert ticketing.restore("b9").phase.value.startswith("Completed")
