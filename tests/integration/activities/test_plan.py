"""`make_plan`: a repeated activity gives the same plan."""

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from activities import plan
from activities.plan import make_plan
from local.environment import Services
from local.vault.faults import RequestFault
from local.vault.state import State
from shared.contracts.briefing import Briefing
from shared.contracts.plan import Plan
from shared.contracts.request import RestoreRequest
from shared.errors import PreflightFailed, ServiceBusy
from shared.planning import make_plan as resolve
from shared.storage.ledger import Ledger
from shared.topology import LANDING_CONTAINERS

REQUEST = {"requestId": "plan-1", "source": {"backupInstance": "orders"}, "target": "drill"}


BEGAN = "2026-11-25T10:00:00+00:00"


def planned(began: str = BEGAN, **changes: Any) -> Briefing:
    outcome = make_plan({"request": {**REQUEST, **changes}, "began": began})
    assert outcome["ok"], outcome
    return Briefing.from_wire(outcome["value"])


def test_a_briefing_names_the_instance_and_the_point_and_the_plan_is_in_the_ledger(app: Services) -> None:
    briefing = planned()

    assert briefing.instance is not None
    assert briefing.instance.name == "orders-prod-pgflex"
    assert briefing.recovery_point is not None
    assert briefing.recovery_point.id == "a" * 32
    assert Ledger("plan-1").plan().target.version == app.target.version


def test_a_newer_backup_and_a_vault_that_is_gone_change_nothing_of_a_plan_that_was_made(app: Services) -> None:
    first = planned()
    state = State(app.vault.config.state)
    [old] = state.points_of("orders-prod-pgflex")
    newer = old.model_copy(update={"id": uuid.uuid4().hex, "time": datetime.now(UTC)})
    state.points.put(newer.id, newer)
    app.vault.inject(RequestFault(status=503, count=50))

    assert planned() == first

    app.vault.clear_faults()
    (app.vault.config.state / "points" / f"{newer.id}.json").unlink()


def test_a_corrected_request_under_the_same_id_is_planned_anew(app: Services) -> None:  # noqa: ARG001 -- settings
    planned()

    assert planned(dryRun=True).dry_run
    assert Ledger("plan-1").plan().request.dry_run


def test_a_rejected_request_that_is_sent_again_unchanged_is_planned_anew(app: Services) -> None:
    """What it met may have changed, and so may what asks for approval."""
    planned()
    app.vault.inject(RequestFault(status=503, count=50))

    with pytest.raises(ServiceBusy):
        planned(began="2026-11-26T10:00:00+00:00")
    app.vault.clear_faults()
    planned(began="2026-11-26T10:00:00+00:00")
    assert Ledger("plan-1").plan().began == "2026-11-26T10:00:00+00:00"


@pytest.mark.usefixtures("app")
def test_files_that_have_landed_are_told_where_they_are() -> None:
    briefing = planned(source={"container": LANDING_CONTAINERS[1], "backupName": "b"})

    assert briefing.landing is not None
    assert (briefing.landing.container, briefing.landing.backup_name) == (LANDING_CONTAINERS[1], "b")
    assert briefing.landing.reserved is False


@pytest.mark.usefixtures("app")
def test_a_rejected_request_is_an_answer_with_every_error_and_leaves_no_plan() -> None:
    wrong = {**REQUEST, "target": "nowhere", "source": {"backupInstance": "none"}}
    outcome = make_plan({"request": wrong, "began": ""})

    assert not outcome["ok"]
    assert outcome["error"]["code"] == "RequestRejected"
    assert [line.split(":", 1)[0] for line in outcome["error"]["details"]] == ["target", "source.backupInstance"]
    assert Ledger("plan-1").read("plan") is None


@pytest.mark.usefixtures("app")
def test_what_is_no_request_is_an_answer_with_paths() -> None:
    outcome = make_plan({"request": {"requestId": "plan-1", "source": {}, "typo": 1}, "began": ""})

    assert set(outcome["error"]["details"]) >= {"target: is missing", "typo: is not a field of this contract"}


@pytest.mark.usefixtures("app")
def test_of_two_plans_that_are_made_at_once_the_first_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what is restored by now; a late look at the world changes nothing of that, nor does its failure."""
    quick: list[Briefing] = []

    def overtaken(request: RestoreRequest) -> Plan:
        """While this one still looks, another one has made the plan; then it finds something else."""
        monkeypatch.setattr(plan, "resolve", resolve)
        quick.append(planned())
        return resolve(request).model_copy(update={"needs_approval": True})

    monkeypatch.setattr(plan, "resolve", overtaken)
    assert planned() == quick[0]

    def refused(request: RestoreRequest) -> Plan:
        overtaken(request)
        raise PreflightFailed("another job runs on the datasource")

    Ledger("plan-1").delete("plan")
    monkeypatch.setattr(plan, "resolve", refused)
    assert not make_plan({"request": REQUEST, "began": BEGAN})["ok"]
    assert planned() == quick[1]


@pytest.mark.usefixtures("app")
def test_a_plan_for_a_request_that_was_sent_again_since_is_not_made() -> None:
    planned(began="2026-11-26T10:00:00+00:00")
    outcome = make_plan({"request": REQUEST, "began": BEGAN})

    assert outcome["error"]["code"] == "RestoreEnded"
    assert Ledger("plan-1").plan().began == "2026-11-26T10:00:00+00:00"
