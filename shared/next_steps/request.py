"""Steps about the request itself: what was rejected, cancelled, only planned, or only restored as files."""

from collections.abc import Iterator

from shared.contracts.decisions import Verdict
from shared.contracts.progress import Phase
from shared.contracts.report import Report, Step, StepKind, Who
from shared.contracts.request import Mode
from shared.figures import moment
from shared.next_steps.commands import request_again, request_for_files

_DONE = {Phase.COMPLETED, Phase.COMPLETED_WITH_WARNINGS}


def about_request(report: Report) -> Iterator[Step]:
    """What whoever sent the request does next."""
    match report.phase:
        case Phase.REJECTED:
            yield _rejected(report)
        case Phase.CANCELLED:
            yield _cancelled(report)
        case Phase.FAILED if not (report.landing and report.landing.files):
            yield Step(
                kind=StepKind.ASK_AGAIN,
                who=Who.REQUESTER,
                what="Send the request again under a new id.",
                why="The restore failed before it had files to import.",
                how="Have the cause mended first.",
                commands=(request_again(report),),
            )
        case phase if phase in _DONE and report.plan:
            yield from _done(report, report.plan.request.mode, dry_run=report.plan.request.dry_run)


def _rejected(report: Report) -> Step:
    decision = report.approval.decision if report.approval else None
    if decision is not None and decision.verdict is Verdict.REJECTED:
        return Step(
            kind=StepKind.ASK_AGAIN,
            who=Who.REQUESTER,
            what=f"Settle with {decision.by} what has to change, and send a new request.",
            why=f"The plan was rejected: {decision.reason}",
            how="The decision is final for this request id, so the new request needs an id of its own.",
            commands=(request_again(report),),
        )
    if report.approval is not None and decision is not None and decision.verdict is Verdict.EXPIRED:
        return Step(
            kind=StepKind.ASK_AGAIN,
            who=Who.REQUESTER,
            what="Send the request again under a new id, and see that somebody decides on it in time.",
            why=f"Nobody approved or rejected the plan until {moment(report.approval.deadline)}.",
            how="The event of the phase AwaitingApproval tells approvers that a plan waits for them.",
            commands=(request_again(report),),
        )
    reusable = not report.container and report.approval is None
    return Step(
        kind=StepKind.CORRECT_REQUEST,
        who=Who.REQUESTER,
        what="Correct the request, or what stands in its way, and send it again.",
        why=" ".join(error.message for error in report.errors) or report.message,
        how="It may keep its request id." if reusable else "It needs a new request id.",
        subjects=tuple(detail for error in report.errors for detail in error.details),
    )


def _cancelled(report: Report) -> Step:
    left = report.landing is not None and report.landing.left and report.landing.files > 0
    return Step(
        kind=StepKind.ASK_AGAIN,
        who=Who.REQUESTER,
        what="If the restore is still wanted, send a request under a new id.",
        why="This one was cancelled. Databases and roles that stood by then stay.",
        how="The request below imports the files that have landed." if left else "A cancelled restore does not go on.",
        commands=tuple(request_for_files(report, [])) if left else (request_again(report),),
        required=False,
    )


def _done(report: Report, mode: Mode, *, dry_run: bool) -> Iterator[Step]:
    if dry_run:
        yield Step(
            kind=StepKind.CARRY_OUT,
            who=Who.REQUESTER,
            what="To carry the plan out, send the request again without dryRun.",
            why="This was a dry run: nothing was touched.",
            how="It needs a new request id.",
            commands=(request_again(report),),
            required=False,
        )
    elif mode is Mode.FILES_ONLY:
        yield Step(
            kind=StepKind.IMPORT_FILES,
            who=Who.REQUESTER,
            what="Import the restored files, or use them as they are.",
            why="The request asked for files only.",
            how="The request below imports them.",
            commands=tuple(request_for_files(report, [])),
            required=False,
        )
