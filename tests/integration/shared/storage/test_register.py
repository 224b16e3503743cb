"""The register: one row for each restore, the newest first, as of its last phase."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.contracts.api import RestoreQuery
from shared.contracts.progress import Phase, PhaseEntry, RestoreProgress
from shared.contracts.status import About
from shared.storage import register

pytestmark = pytest.mark.usefixtures("storage")
COURSE = (Phase.ACCEPTED, Phase.PLANNING, Phase.RESTORING, Phase.COMPLETED)


def progress(*phases: Phase, minute: int = 0) -> RestoreProgress:
    entries = (
        PhaseEntry(phase=phase, at=f"2026-11-25T10:{minute:02}:{at:02}+00:00") for at, phase in enumerate(phases)
    )
    return RestoreProgress(phase=phases[-1], phases=tuple(entries))


def enter(request_id: str, *phases: Phase, minute: int = 0, **about: str) -> None:
    register.enter(request_id, About.of(about), progress(*phases, minute=minute))


def listed(**query: str) -> list[tuple[str, str]]:
    page = register.page(RestoreQuery.from_wire(query))
    return [(one.request_id, one.phase.value) for one in page.restores]


def test_the_newest_come_first_whatever_they_are_called() -> None:
    enter("b", Phase.ACCEPTED, minute=1)
    enter("c", Phase.ACCEPTED, minute=2)
    enter("a", Phase.ACCEPTED, minute=3)

    assert [name for name, _ in listed()] == ["a", "c", "b"]


def test_a_row_is_as_of_the_last_phase_whichever_is_written_last() -> None:
    """A straggler of an activity that was tried again must not take a restore back."""
    enter("r", *COURSE)
    enter("r", *COURSE[:2])

    assert listed() == [("r", "Completed")]


def test_phases_that_are_written_at_once_leave_the_last_one() -> None:
    with ThreadPoolExecutor() as threads:
        list(threads.map(lambda count: enter("r", *COURSE[:count]), [1, 2, 3, 4] * 3))

    assert listed() == [("r", "Completed")]


def test_a_request_that_was_sent_again_has_one_row() -> None:
    enter("r", Phase.ACCEPTED, Phase.REJECTED, minute=1)
    enter("r", Phase.ACCEPTED, minute=2)

    assert listed() == [("r", "Accepted")]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"phase": "Accepted"}, ["new"]),
        ({"phase": "Accepted,Completed"}, ["new", "old"]),
        ({"target": "drill"}, ["old"]),
        ({"requestedBy": "Jürgen \N{SNOWMAN}"}, ["new"]),
        ({"from": "2026-11-25T10:05:00Z"}, ["new"]),
        ({"to": "2026-11-25T10:05:00Z"}, ["old"]),
        ({"target": "drill", "phase": "Accepted"}, []),
    ],
)
def test_lists_are_filtered(query: dict[str, str], found: list[str]) -> None:
    enter("old", *COURSE, minute=1, target="drill")
    enter("new", Phase.ACCEPTED, minute=9, target="other", requestedBy="Jürgen \N{SNOWMAN}")

    assert [name for name, _ in listed(**query)] == found


def test_pages_follow_each_other_though_restores_begin_meanwhile() -> None:
    for minute in range(5):
        enter(f"r{minute}", Phase.ACCEPTED, minute=minute)
    first = register.page(RestoreQuery(size=2))
    enter("late", Phase.ACCEPTED, minute=30)
    second = register.page(RestoreQuery(size=2, after=first.next))
    third = register.page(RestoreQuery(size=2, after=second.next))

    assert [[one.request_id for one in page.restores] for page in (first, second, third)] == [
        ["r4", "r3"], ["r2", "r1"], ["r0"],
    ]  # fmt: skip
    assert third.next is None


def test_a_row_holds_whatever_a_wrong_request_says() -> None:
    enter("r", Phase.ACCEPTED, target="\N{PILE OF POO}" * 5_000, requestedBy="\n\r\0")

    (row,) = register.page(RestoreQuery()).restores
    assert row.target.startswith("\N{PILE OF POO}")
    assert row.requested_by == "\n\r\0"
