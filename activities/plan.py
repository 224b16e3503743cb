"""Resolve the request, check it against the world, record the plan."""

from typing import Any

from activities.answers import answering
from shared.contracts.base import Json
from shared.contracts.briefing import Briefing, Pace
from shared.contracts.importing import LandingRef
from shared.contracts.plan import Plan
from shared.contracts.request import FilesSource, read_request
from shared.errors import RestoreEnded
from shared.planning import make_plan as resolve
from shared.settings import settings
from shared.storage.ledger import Ledger


@answering
def make_plan(subject: dict[str, Any]) -> Json:
    """The briefing of a request; the first plan that is made for it stands, whoever else makes one, and however late.

    A rejected request that is sent again is another restore, for which the world is looked at anew.
    """
    request, began = read_request(subject["request"]), subject["began"]
    ledger = Ledger(request.request_id)
    document, version = ledger.read_version("plan")
    plan = None if document is None else Plan.from_wire(document)
    if plan is None or (plan.request, plan.began) != (request, began):
        if plan is not None and plan.began <= began:
            ledger.delete_version("plan", version)
        plan = resolve(request).model_copy(update={"began": began})
        plan = Plan.from_wire(ledger.first("plan", plan))
    if plan.began != began:
        raise RestoreEnded(f"Restore {request.request_id} has ended; its request was sent again since.")
    return _briefing(plan).to_wire()


def _briefing(plan: Plan) -> Briefing:
    source = plan.request.source
    landing = None
    if isinstance(source, FilesSource):
        landing = LandingRef(
            request_id=plan.request_id, container=source.container, backup_name=source.backup_name, reserved=False
        )
    return Briefing(
        request_id=plan.request_id,
        dry_run=plan.request.dry_run,
        needs_approval=plan.needs_approval,
        mode=plan.request.mode,
        priority=plan.request.priority,
        instance=plan.instance,
        recovery_point=plan.recovery_point,
        landing=landing,
        pace=Pace(
            poll_seconds=settings().poll_seconds,
            poll_limit_seconds=settings().poll_limit_seconds,
            job_deadline_hours=settings().job_deadline_hours,
            landing_deadline_hours=settings().landing_deadline_hours,
            approval_deadline_hours=settings().approval_deadline_hours,
        ),
    )
