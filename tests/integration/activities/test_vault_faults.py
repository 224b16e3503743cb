"""Whatever the vault does while a restore is started: one backup job comes of it, and a wait is a wait."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest

from activities import backup_job
from activities.backup_job import check_operation, find_job, start_restore, start_validation
from local.environment import Services
from local.vault.faults import JobFault, OperationFault, RequestFault
from local.vault.jobs import Job
from local.vault.state import State
from shared.contracts.vaultjobs import RestoreOrder
from shared.contracts.watch import Sighting
from shared.decisions import close
from shared.errors import ServiceBusy
from shared.storage.ledger import Ledger
from shared.vault import clients, jobs, operations

type Fault = RequestFault | OperationFault | JobFault
type Wait = Callable[[Callable[[], Any], str], Any]

ASKING, STATUS, JOBS = "/restore$", "operationStatus", "backupJobs$"
FAULTS: dict[str, tuple[Fault, ...]] = {
    "no fault": (),
    "throttled, seconds": (RequestFault(status=429, path=ASKING, retry_after=60),),
    "throttled, a date": (RequestFault(status=429, path=ASKING, retry_after=60, as_date=True),),
    "throttled at every step": tuple(
        RequestFault(status=429, path=path, retry_after=60) for path in (ASKING, STATUS, JOBS)
    ),
    "500 for the request": (RequestFault(status=500, path=ASKING),),
    "502 for the request": (RequestFault(status=502, path=ASKING),),
    "502 for the status, three times": (RequestFault(status=502, path=STATUS, count=3),),
    "503 for the list of jobs": (RequestFault(status=503, path=JOBS),),
    "request reset before it was heard": (RequestFault(path=ASKING, lost="reset"),),
    "request reset after it was heard": (RequestFault(path=ASKING, lost="reset", heard=True),),
    "request never answered": (RequestFault(path=ASKING, lost="silence"),),
    "request heard and never answered": (RequestFault(path=ASKING, lost="silence", heard=True),),
    "request's answer cut off": (RequestFault(path=ASKING, lost="truncated"),),
    "request's answer lost, the list throttled": (
        RequestFault(path=ASKING, lost="reset", heard=True),
        RequestFault(status=429, path=JOBS, retry_after=60, count=2),
    ),
    "status reset": (RequestFault(path=STATUS, lost="reset"),),
    "status never answered": (RequestFault(path=STATUS, lost="silence"),),
    "status cut off": (RequestFault(path=STATUS, lost="truncated"),),
    "list of jobs cut off": (RequestFault(path=JOBS, lost="truncated"),),
    "status passing 403": (RequestFault(status=403, path=STATUS),),
    "status passing 404": (RequestFault(status=404, path=STATUS),),
    "status address expired, 404": (OperationFault(expired=404),),
    "status address expired, 410": (OperationFault(expired=410),),
    "operation in progress for hours": (OperationFault(hours=12),),
    "operation without the id of its job": (OperationFault(job_id="missing"),),
    "id of the job in capitals": (OperationFault(job_id="capitals"),),
    "id of the job as a bare GUID": (OperationFault(job_id="bare"),),
    "busy once": (OperationFault(error=("UserErrorMaxConcurrentOperationLimitReached", "busy")),),
    "busy at once": (RequestFault(status=429, path=ASKING, code="UserErrorMaxConcurrentOperationLimitReached"),),
}
SHORT = 0.4


@pytest.fixture(autouse=True)
def impatience(configure: Callable[..., None], app: object, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    """Time limits are short here, the one after which a job has shown up still the longest."""
    monkeypatch.setattr(clients, "READ_SECONDS", SHORT / 2)
    monkeypatch.setattr(operations, "ASKING_SECONDS", SHORT / 2)
    monkeypatch.setattr(backup_job, "SHOWS_UP_WITHIN", timedelta(seconds=SHORT))
    configure()


@pytest.fixture
def started(app: Services) -> Callable[[RestoreOrder], list[Job]]:
    """The vault's jobs for an order."""

    def started(order: RestoreOrder) -> list[Job]:
        prefix = operations.file_prefix(order.request_id)
        return [job for job in State(app.vault.config.state).jobs if job.target and job.target.prefix == prefix]

    return started


def look(order: RestoreOrder) -> dict[str, Any]:
    """What one run of the activity answers; what it raises means the next one."""
    try:
        outcome: dict[str, Any] = start_restore(order.to_wire())
    except ServiceBusy:
        return {"ok": False, "retryAfter": 0}
    return outcome


def ended(order: RestoreOrder) -> str | None:
    """The id of the job, once a look tells it."""
    outcome = look(order)
    assert outcome["ok"] or "retryAfter" in outcome, outcome
    return str(outcome["value"]["value"]["jobId"]) if outcome["ok"] and outcome["value"]["ended"] else None


@pytest.mark.parametrize("fault", FAULTS)
def test_one_job_comes_of_a_restore_whatever_the_vault_does(
    app: Services, order: RestoreOrder, wait: Wait, started: Callable[[RestoreOrder], list[Job]], fault: str
) -> None:
    app.vault.inject(*FAULTS[fault])
    job_id = wait(lambda: ended(order), "the job's start")

    [job] = started(order)
    assert job_id.lower() == job.id
    assert ended(order) is not None
    assert len(started(order)) == 1


def test_a_wait_that_the_service_asks_for_is_handed_to_the_orchestration(app: Services, order: RestoreOrder) -> None:
    app.vault.inject(RequestFault(status=429, path=ASKING, retry_after=60))

    assert look(order) == {
        "ok": False,
        "error": {
            "code": "ServiceBusy",
            "message": f"While asking for restore of {order.instance.name}: TooManyRequests: "
            "The request is being throttled.",
            "details": [],
        },
        "retryAfter": 60.0,
    }


def test_the_same_restore_started_by_two_at_once_is_one_job(
    order: RestoreOrder, wait: Wait, started: Callable[[RestoreOrder], list[Job]]
) -> None:
    ready = Barrier(4)

    def one(_number: int) -> str:
        ready.wait(10)
        return str(wait(lambda: ended(order), "the job's start"))

    with ThreadPoolExecutor(4) as threads:
        ids = set(threads.map(one, range(4)))

    assert ids == {job.id for job in started(order)}
    assert len(ids) == 1


def test_a_late_attempt_asks_the_vault_for_no_restore_that_has_ended(
    order: RestoreOrder, started: Callable[[RestoreOrder], list[Job]]
) -> None:
    """Its container may be somebody else's by then. What a first attempt has started is still found."""
    close(Ledger(order.request_id))

    assert look(order)["error"]["code"] == "RestoreEnded"
    assert started(order) == []
    assert not find_job(order.to_wire())["value"]["ended"], "another attempt may have asked a moment ago"


@pytest.mark.parametrize("rule", ["wait", "fail"])
def test_a_job_that_shows_up_late_is_not_started_twice(
    app: Services,
    order: RestoreOrder,
    wait: Wait,
    started: Callable[[RestoreOrder], list[Job]],
    configure: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    rule: str,
) -> None:
    """The answer was lost and the list lags behind: the vault is asked again, and is busy with our own job."""
    configure(FLEX_RESTORE_BUSY_DATASOURCE=rule)
    app.vault.inject(RequestFault(path=ASKING, lost="reset", heard=True), JobFault(outcome="Hang", after_files=0))
    find, before = jobs.find, len(list(State(app.vault.config.state).operations))

    def asked_twice() -> bool:
        return len(list(State(app.vault.config.state).operations)) == before + 2

    monkeypatch.setattr(jobs, "find", lambda order: find(order) if asked_twice() else None)

    job_id = wait(lambda: ended(order), "the job's start")
    assert [job_id] == [job.id for job in started(order)]
    assert asked_twice()


def test_an_operation_that_nobody_knows_and_that_led_to_no_job_is_not_asked_for_again(
    app: Services, order: RestoreOrder, started: Callable[[RestoreOrder], list[Job]]
) -> None:
    """It may be running: the look that finds nothing says so, until the deadline."""
    app.vault.inject(OperationFault(expired=404, error=("X", "It failed, and nobody tells.")))
    look(order)
    Ledger(order.request_id).write("restore-asked", {"at": "2020-01-01T00:00:00+00:00"})

    for _ in range(3):
        seen = Sighting.from_wire(look(order)["value"])
        assert not seen.ended
        assert "(HTTP 404). Waiting for its job to show up" in seen.status
    assert not find_job(order.to_wire())["value"]["ended"]
    assert started(order) == []


def test_a_recovery_point_that_expired_after_the_plan_is_named_and_nothing_is_left_behind(
    app: Services, order: RestoreOrder, wait: Wait, started: Callable[[RestoreOrder], list[Job]]
) -> None:
    app.vault.expire(order.recovery_point)
    outcome = wait(lambda: one if (one := look(order)).get("error") else None, "the refusal")

    assert outcome["error"]["code"] == "VaultRefused"
    assert outcome["error"]["message"].startswith(
        f"Recovery point {order.recovery_point} of orders-prod is gone: it has expired since the plan was made. "
        "Nothing was touched; send a request for another one. UserErrorInvalidRestoreRequest: "
    )
    assert started(order) == []
    assert Ledger(order.request_id).read("restore-asked") is None


def test_a_busy_datasource_is_a_refusal_where_restores_are_not_to_wait(
    app: Services, order: RestoreOrder, wait: Wait, configure: Callable[..., None]
) -> None:
    """Another job has begun since the container was reserved; who runs is named."""
    configure(FLEX_RESTORE_BUSY_DATASOURCE="fail")
    app.vault.inject(JobFault(outcome="Hang", after_files=0))
    operations.start_restore(order.model_copy(update={"request_id": "INC-7", "container": "landing-2"}))

    outcome = wait(lambda: one if (one := look(order)).get("error") else None, "the refusal")
    assert outcome["error"]["code"] == "DatasourceBusy"
    assert "(restore INC-7) runs on orders-prod" in outcome["error"]["message"]
    assert "FLEX_RESTORE_BUSY_DATASOURCE=wait" in outcome["error"]["message"]


@pytest.mark.parametrize("rule", ["wait", "fail"])
def test_a_validation_that_meets_a_busy_datasource_is_no_verdict_on_the_restore(
    app: Services, order: RestoreOrder, wait: Wait, configure: Callable[..., None], rule: str
) -> None:
    configure(FLEX_RESTORE_BUSY_DATASOURCE=rule)
    busy = ("UserErrorMaxConcurrentOperationLimitReached", "busy")
    app.vault.inject(OperationFault(action="validateRestore", error=busy))
    operation = start_validation(order.to_wire())["value"]

    def seen() -> Any:
        outcome = check_operation(operation)
        return outcome if not outcome["ok"] or outcome["value"]["ended"] else None

    outcome = wait(seen, "the validation's end")
    assert outcome["ok"] is (rule == "wait")
    assert rule == "wait" or outcome["error"]["code"] == "DatasourceBusy"
