"""Decisions: the record that is written first stands, however many people decide at once."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from azure.core.exceptions import ServiceRequestError

from shared import decisions
from shared.contracts.decisions import Statement, Verdict
from shared.errors import RestoreCancelled, RestoreEnded
from shared.storage.ledger import Ledger

pytestmark = pytest.mark.usefixtures("storage")
WHO = Statement(by="dba", reason="wrong day")


@pytest.fixture
def ledger(storage: object) -> Ledger:  # noqa: ARG001 -- settings first
    return Ledger("r")


def test_of_many_decisions_at_once_one_stands_for_all(ledger: Ledger) -> None:
    with ThreadPoolExecutor(8) as threads:
        answers = list(
            threads.map(
                lambda number: decisions.decide(
                    ledger,
                    Verdict.APPROVED if number % 2 else Verdict.REJECTED,
                    Statement(by=f"person {number}", reason="why"),
                ),
                range(16),
            )
        )

    assert len(set(answers)) == 1
    assert decisions.decision(ledger) == answers[0]


def test_a_cancel_and_an_end_at_once_are_one_of_both(ledger: Ledger) -> None:
    with ThreadPoolExecutor(2) as threads:
        cancelled, closed = threads.submit(decisions.cancel, ledger, WHO), threads.submit(decisions.close, ledger)

    assert cancelled.result() == closed.result()


def test_what_goes_on_may_go_on(ledger: Ledger) -> None:
    decisions.require_running(ledger)


def test_what_was_cancelled_stops_and_says_who_did_it(ledger: Ledger) -> None:
    decisions.cancel(ledger, WHO)

    with pytest.raises(RestoreCancelled, match="dba cancelled restore r: wrong day"):
        decisions.require_running(ledger)


def test_what_has_ended_stops(ledger: Ledger) -> None:
    decisions.close(ledger)

    with pytest.raises(RestoreEnded):
        decisions.require_running(ledger)


def test_a_rejected_restore_that_is_sent_again_goes_on(ledger: Ledger) -> None:
    decisions.close(ledger)
    decisions.reopen(ledger)

    decisions.require_running(ledger)


def test_sending_again_takes_no_cancel_back(ledger: Ledger) -> None:
    decisions.cancel(ledger, WHO)
    decisions.reopen(ledger)

    with pytest.raises(RestoreCancelled):
        decisions.require_running(ledger)


def test_long_work_asks_now_and_then(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    still_wanted = decisions.StillWanted(ledger)
    decisions.cancel(ledger, WHO)
    still_wanted()  # just now it was not asked

    monkeypatch.setattr(decisions, "ASKED_EVERY", 0.0)
    with pytest.raises(RestoreCancelled):
        still_wanted()


def test_a_look_that_cannot_be_taken_ends_no_long_work(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decisions, "ASKED_EVERY", 0.0)
    decisions.cancel(ledger, WHO)
    still_wanted, read = decisions.StillWanted(ledger), Ledger.read
    monkeypatch.setattr(Ledger, "read", lambda *_: (_ for _ in ()).throw(ServiceRequestError("no network")))
    still_wanted()

    monkeypatch.setattr(Ledger, "read", read)
    with pytest.raises(RestoreCancelled):
        still_wanted()
