"""Approve, reject, cancel, retry: each repeat has one defined answer, and nothing half-done is left behind."""

from typing import Any

from local.environment import Environment
from local.vault.faults import JobFault
from shared.contracts.progress import FileState, Phase
from shared.contracts.status import Action
from shared.storage import documents
from shared.topology import CONTROL_CONTAINER, LANDING_CONTAINERS

BY = {"by": "lead@example.org", "reason": "I read the plan"}
OTHER = {"by": "somebody@example.org", "reason": "me too"}
KUNDEN = 'Kunden "Süd"'
DONE = {FileState.IMPORTED, FileState.WARNED}


def waiting(ticketing: Any, request_id: str, **request: Any) -> Any:
    """A restore whose plan waits for approval."""
    body = ticketing.ticket(request_id, approval="required", **request)
    assert ticketing.call("POST", "restores", body).status_code == 202
    return ticketing.wait_for(request_id, lambda status: status.phase is Phase.AWAITING_APPROVAL, "the wait")


def rows(environment: Environment, database: str, table: str) -> Any:
    with environment.target.connect(database, as_superuser=True) as connection:
        return connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()


def reservations(ticketing: Any) -> list[str]:
    return list(ticketing.container(CONTROL_CONTAINER).list_blob_names(name_starts_with="reservations/"))


def landed(ticketing: Any) -> list[str]:
    return [name for one in LANDING_CONTAINERS for name in ticketing.container(one).list_blob_names()]


def places(control: Any) -> list[str]:
    """Who waits for a datasource, or with one for a landing container, in order."""
    return list(control.list_blob_names(name_starts_with="waiting/datasource-"))


def test_an_approved_plan_is_carried_out_and_the_first_approval_stands(ticketing: Any) -> None:
    status = waiting(ticketing, "d1")
    assert status.plan.instance.server == "orders-prod"
    assert set(status.actions) == {Action.APPROVE, Action.REJECT, Action.CANCEL}
    assert "shop_d1" not in ticketing.databases()

    first = ticketing.call("POST", "restores/d1/approve", BY)
    second = ticketing.call("POST", "restores/d1/approve", OTHER)
    against = ticketing.call("POST", "restores/d1/reject", OTHER)

    assert (first.status_code, second.status_code, against.status_code) == (200, 200, 409)
    assert first.json() == second.json()
    assert first.json()["decision"]["by"] == BY["by"]
    assert BY["by"] in against.json()["detail"]
    ended = ticketing.ended("d1")
    assert ended.phase.value.startswith("Completed")
    assert ended.approval.decision.by == BY["by"]
    assert "shop_d1" in ticketing.databases()
    assert ticketing.call("POST", "restores/d1/reject", OTHER).status_code == 409
    told = {event["data"]["phase"]: event["data"]["approval"] for event in ticketing.events("d1", "phase")}
    assert told["Planning"] is None
    assert told["AwaitingApproval"]["decision"] is None
    assert told["AwaitingApproval"]["deadline"]
    assert told["AwaitingLanding"]["decision"]["by"] == BY["by"]
    assert ticketing.report("d1").approval.decision.by == BY["by"]


def test_a_rejected_plan_touches_nothing_and_does_not_come_again(ticketing: Any) -> None:
    waiting(ticketing, "d2")
    assert ticketing.call("POST", "restores/d2/reject", BY).status_code == 200
    ended = ticketing.ended("d2")

    assert ended.phase is Phase.REJECTED
    assert ended.errors[0].code == "ApprovalDenied"
    assert "shop_d2" not in ticketing.databases()
    again = ticketing.call("POST", "restores", ticketing.ticket("d2", approval="required"))
    assert (again.status_code, again.json()["duplicate"]) == (200, True)


def test_what_does_not_wait_cannot_be_approved(ticketing: Any) -> None:
    ticketing.restore("d3", dryRun=True)

    assert ticketing.call("POST", "restores/d3/approve", BY).status_code == 409


def test_a_cancel_beats_an_approval_that_comes_after_it(ticketing: Any) -> None:
    waiting(ticketing, "d4")
    cancel = ticketing.call("POST", "restores/d4/cancel", BY)

    assert cancel.status_code == 202
    assert ticketing.call("POST", "restores/d4/approve", BY).status_code == 409
    ended = ticketing.ended("d4")
    assert ended.phase is Phase.CANCELLED
    assert ended.cancellation.by == BY["by"]
    assert ticketing.call("POST", "restores/d4/cancel", BY).status_code == 409


def test_a_cancel_ends_a_running_load_and_leaves_the_existing_database_alone(
    environment: Environment, ticketing: Any
) -> None:
    """pg_restore is in the middle of a COPY when the cancel comes; another database has been imported by then."""
    ticketing.restore("d5", databases=[{"name": "shop", "as": "kept"}])
    chosen = [{"name": "slow", "as": "kept"}, {"name": "Kunden*", "as": "*_d6"}]
    with ticketing.waiting_loads():
        ticketing.send(ticketing.ticket("d6", onConflict="replace", databases=chosen))
        ticketing.wait(ticketing.loading, "a load that stands still")
        ticketing.wait(lambda: f"{KUNDEN}_d6" in ticketing.databases(), "the other database")
        cancel = ticketing.call("POST", "restores/d6/cancel", BY)
        repeated = ticketing.call("POST", "restores/d6/cancel", OTHER)
        ended = ticketing.ended("d6")
        still_loading = ticketing.loading()

    assert (cancel.status_code, repeated.status_code) == (202, 202)
    assert repeated.json()["by"] == BY["by"]
    assert ended.phase is Phase.CANCELLED
    states = {file.database: file.state for file in ended.files if file.final_name}
    assert states["slow"] is FileState.CANCELLED
    assert states[KUNDEN] in DONE
    assert f"Databases that stand already and stay: {KUNDEN}_d6." in ended.message
    assert still_loading == []
    assert not [name for name in ticketing.databases() if name.startswith("flexrestore")]
    assert rows(environment, "kept", "stock.movement") == (200_000,)
    assert (reservations(ticketing), landed(ticketing)) == ([], [])
    assert ticketing.report("d6").phase is Phase.CANCELLED


def test_a_job_that_the_vault_runs_to_its_end_is_cleared_away_after_it(
    environment: Environment, ticketing: Any
) -> None:
    """The vault offers no cancel: the restore ends at once, and its container is free when the job has ended."""
    environment.vault.inject(JobFault(outcome="Hang", after_files=2))
    ticketing.send(ticketing.ticket("d7"))
    ticketing.wait_for("d7", lambda status: status.job is not None and status.phase is Phase.RESTORING, "its job")
    ticketing.wait(lambda: landed(ticketing), "the first files")
    ticketing.call("POST", "restores/d7/cancel", BY)
    ended = ticketing.ended("d7")

    assert ended.phase is Phase.CANCELLED
    assert f"Backup job {ended.job.id} cannot be stopped" in ended.message
    assert len(reservations(ticketing)) == 1
    environment.vault.clear_faults()
    ticketing.wait(lambda: not reservations(ticketing), "the free container")
    assert landed(ticketing) == []
    assert "shop_d7" not in ticketing.databases()


def test_what_failed_is_retried_from_the_files_that_it_left(environment: Environment, ticketing: Any) -> None:
    """The database that was in the way is gone by then: only what was missing is imported, without another backup."""
    with environment.target.connect(autocommit=True) as connection:
        connection.execute("CREATE DATABASE shop_d8")
    chosen = [{"name": "*", "as": "*_d8"}]
    failed = ticketing.restore("d8", databases=chosen, exclude=["brittle", "walled"])
    assert failed.phase is Phase.PARTIALLY_FAILED
    assert failed.actions == (Action.RETRY,)
    with environment.target.connect(autocommit=True) as connection:
        connection.execute("DROP DATABASE shop_d8")

    retry = {"requestedBy": "dba", "reason": "the name is free now"}
    retried = ticketing.call("POST", "restores/d8/retry", retry)
    repeated = ticketing.call("POST", "restores/d8/retry", retry)
    assert (retried.status_code, retried.json()["requestId"]) == (202, "d8-retry")
    assert repeated.json()["duplicate"]
    ended = ticketing.ended("d8-retry")

    assert ended.phase.value.startswith("Completed"), ended
    assert [file.final_name for file in ended.files if file.state in DONE] == ["shop_d8"]
    assert ended.job is None
    assert rows(environment, "shop_d8", "stock.movement") == (200_000,)
    assert landed(ticketing) == []
    after = ticketing.call("POST", "restores/d8/retry", retry)
    assert (after.status_code, after.json()["duplicate"]) == (200, True)
    assert ticketing.call("POST", "restores/d8/retry", {"requestId": "d8-again"}).status_code == 409
    assert ticketing.call("POST", "restores/d8-retry/retry").status_code == 409


def test_files_only_brings_files_that_a_later_request_imports(environment: Environment, ticketing: Any) -> None:
    files = ticketing.restore("d9", mode="files-only")
    assert files.phase is Phase.COMPLETED, files
    assert "shop_d9" not in ticketing.databases()
    name = next(file.name for file in files.files if file.database == "shop")

    source = {"container": files.container, "backupName": name.partition("_database_")[0]}
    imported = ticketing.restore("d9-import", source=source, databases=[{"name": "shop", "as": "shop_d9"}])

    assert imported.phase.value.startswith("Completed"), imported
    assert rows(environment, "shop_d9", "stock.movement") == (200_000,)
    assert name in landed(ticketing)  # the other databases are still to be taken from there


def test_the_next_free_container_is_for_who_has_priority(ticketing: Any) -> None:
    """Three restores wait; the one that came last is the urgent one, and the one that can wait goes last."""
    control = ticketing.container(CONTROL_CONTAINER)
    for container in LANDING_CONTAINERS:
        documents.write(control, f"reservations/{container}.json", {"container": container, "requestId": "somebody"})
    for place, priority in enumerate(("low", "normal", "high"), 1):
        ticketing.send(ticketing.ticket(f"d10-{priority}", priority=priority))
        ticketing.wait(lambda place=place: len(places(control)) == place, "its place in the line")
    documents.delete(control, f"reservations/{LANDING_CONTAINERS[0]}.json")
    ends = [ticketing.ended(f"d10-{priority}") for priority in ("high", "normal", "low")]
    documents.delete(control, f"reservations/{LANDING_CONTAINERS[1]}.json")

    began = [entry.at for one in ends for entry in one.phases if entry.phase is Phase.RESTORING]
    assert len(began) == 3
    assert began == sorted(began)
    assert list(control.list_blob_names(name_starts_with="waiting")) == []
