"""The list of steps: the most pressing first."""

from shared.contracts.report import Report, Step
from shared.next_steps.differences import about_differences
from shared.next_steps.failures import about_failures
from shared.next_steps.request import about_request
from shared.next_steps.results import about_databases, about_leftovers


def next_steps(report: Report) -> tuple[Step, ...]:
    """What people have to do now: what is required, then what is good to know."""
    steps = [
        *about_request(report),
        *about_failures(report),
        *about_differences(report),
        *about_databases(report),
        *about_leftovers(report),
    ]
    return tuple(sorted(steps, key=lambda step: not step.required))
