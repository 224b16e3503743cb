"""The table of endpoints: the app's HTTP functions and the OpenAPI document are both made from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.contracts.access import Right
from shared.contracts.api import (
    Cancelling,
    Decided,
    Health,
    InstanceList,
    PointList,
    PointQuery,
    RestoreQuery,
    Retry,
    Started,
    TargetList,
)
from shared.contracts.base import Contract
from shared.contracts.decisions import Remark
from shared.contracts.plan import Plan
from shared.contracts.report import Report
from shared.contracts.request import RestoreRequest
from shared.contracts.status import RestorePage, RestoreStatus
from triggers.http import catalog, decisions, health, plans, reports, restores, retries
from triggers.http.answers import Handler

type Content = type[Contract] | str
"""A contract, sent as JSON, or another media type."""


@dataclass(frozen=True)
class Endpoint:
    """One call of the API."""

    method: str
    route: str
    handler: Handler
    needs: Right
    answers: Mapping[int, Content]
    """What is answered, by status, when all goes well."""
    problems: tuple[int, ...] = ()
    """Statuses of problems that the call may meet."""
    query: type[Contract] | None = None
    body: type[Contract] | None = None
    needs_body: bool = True
    tags: tuple[str, ...] = field(default=("restores",))

    @property
    def name(self) -> str:
        """The function's name, and the operation's id."""
        return self.handler.__name__

    @property
    def summary(self) -> str:
        """What it is for."""
        return (self.handler.__doc__ or "").partition("\n")[0]


_ONE = "restores/{requestId}"
_CATALOG = ("catalog",)
_DECISIONS = ("decisions",)

ENDPOINTS = (
    Endpoint("GET", "instances", catalog.get_instances, Right.READ, {200: InstanceList}, (502, 503), tags=_CATALOG),
    Endpoint(
        "GET",
        "instances/{instance}/recovery-points",
        catalog.get_recovery_points,
        Right.READ,
        {200: PointList},
        (400, 404, 502, 503),
        query=PointQuery,
        tags=_CATALOG,
    ),
    Endpoint("GET", "targets", catalog.get_targets, Right.READ, {200: TargetList}, tags=_CATALOG),
    Endpoint("POST", "plans", plans.post_plan, Right.START, {200: Plan}, (400, 422, 502, 503), body=RestoreRequest),
    Endpoint(
        "POST",
        "restores",
        restores.post_restore,
        Right.START,
        {202: Started, 200: Started},
        (400, 409),
        body=RestoreRequest,
    ),
    Endpoint("GET", "restores", restores.get_restores, Right.READ, {200: RestorePage}, (400,), query=RestoreQuery),
    Endpoint("GET", _ONE, restores.get_restore, Right.READ, {200: RestoreStatus}, (404,)),
    *(
        Endpoint("POST", f"{_ONE}/{name}", handler, needs, answers, (400, 404, 409), body=Remark, tags=_DECISIONS)
        for name, handler, needs, answers in (
            ("approve", decisions.post_approve, Right.APPROVE, {200: Decided}),
            ("reject", decisions.post_reject, Right.APPROVE, {200: Decided}),
            ("cancel", decisions.post_cancel, Right.START, {202: Cancelling}),
        )
    ),
    Endpoint(
        "POST",
        f"{_ONE}/retry",
        retries.post_retry,
        Right.START,
        {202: Started, 200: Started},
        (400, 404, 409),
        body=Retry,
        needs_body=False,
    ),
    Endpoint("GET", f"{_ONE}/report", reports.get_report, Right.READ, {200: Report}, (404,), tags=("reports",)),
    Endpoint(
        "GET", f"{_ONE}/report.html", reports.get_report_page, Right.READ, {200: "text/html"}, (404,), tags=("reports",)
    ),
    Endpoint("GET", "health", health.get_health, Right.READ, {200: Health}, (503,), tags=("health",)),
)
