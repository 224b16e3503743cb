"""Two people restore the same thing at once: one job at a time, and each is told what became of theirs."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

from local.environment import Environment
from local.vault.faults import JobFault
from local.vault.jobs import Job
from local.vault.state import State
from shared.contracts.progress import Phase


def test_the_same_asked_for_by_two_people_at_once_is_done_one_after_the_other(
    environment: Environment, ticketing: Any
) -> None:
    """One of them sends it twice at once, which is one restore; the other's has an id of its own, and waits visibly."""
    state = State(environment.vault.config.state)
    before = {job.id for job in state.jobs}

    def jobs() -> list[Job]:
        return sorted((job for job in state.jobs if job.id not in before), key=lambda job: job.start)

    def ask(request_id: str) -> int:
        wanted = [{"name": "shop", "as": "shop_asked_twice"}]
        answer = ticketing.call("POST", "restores", ticketing.ticket(request_id, databases=wanted))
        return int(answer.status_code)

    environment.vault.inject(JobFault(outcome="Hang", after_files=0))
    with ThreadPoolExecutor(2) as threads:
        answers = sorted(threads.map(ask, ["one", "one"]))
    ticketing.wait_for("one", lambda seen: seen.job is not None, "its job")
    assert answers in ([200, 202], [202, 202])
    assert ask("two") == 202
    waiting = ticketing.wait_for("two", lambda seen: "(restore one) runs on orders-prod" in seen.message, "its wait")
    assert waiting.phase is Phase.AWAITING_LANDING
    assert waiting.container == ""
    environment.vault.clear_faults()

    ended = {name: ticketing.ended(name) for name in ("one", "two")}
    assert ended["one"].phase.value.startswith("Completed")
    assert ended["two"].phase is Phase.FAILED
    assert "shop_asked_twice" in str(ended["two"].files)
    assert len(jobs()) == 2
    assert all(first.end is not None and first.end <= second.start for first, second in pairwise(jobs()))
