"""One restore at a time owns a landing container, and an owner is told who stands in its way."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from shared.storage import documents, reservations
from shared.storage.waiting import Wait
from shared.topology import LANDING_CONTAINERS

pytestmark = pytest.mark.usefixtures("storage")
FIRST, SECOND = LANDING_CONTAINERS
type Put = Callable[..., None]


def reserved(request_id: str) -> str | None:
    reservation = reservations.reserve(request_id)
    return None if isinstance(reservation, Wait) else reservation.container


def reasons(request_id: str) -> tuple[str, ...]:
    wait = reservations.reserve(request_id)
    assert isinstance(wait, Wait)
    return wait.reasons


def test_each_restore_gets_a_container_of_its_own() -> None:
    assert [reserved("a"), reserved("b")] == [FIRST, SECOND]


def test_a_repeated_activity_gets_the_container_that_it_has() -> None:
    reserved("a")
    reserved("b")

    assert reserved("b") == SECOND


def test_without_a_free_container_every_owner_is_named() -> None:
    reserved("a")
    reserved("b")

    assert reasons("c") == (f"{FIRST} is reserved by restore a", f"{SECOND} is reserved by restore b")


def test_a_reservation_whose_answer_was_lost_is_found_to_be_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """The storage service has created the document; the client was told on its second try that it exists."""
    create = documents.create

    def told_too_late(*what: Any) -> bool:
        create(*what)
        return False

    monkeypatch.setattr(documents, "create", told_too_late)
    assert reserved("a") == FIRST
    assert reservations.owned_by("a") == [FIRST]


def test_a_released_container_is_free_again() -> None:
    reserved("a")
    reservations.release(FIRST, "a")

    assert reserved("b") == FIRST


def test_nobody_releases_what_somebody_else_owns() -> None:
    reserved("a")
    reservations.release(FIRST, "b")

    assert reservations.owned_by("a") == [FIRST]


def test_restored_files_keep_a_container_from_being_reserved(put: Put) -> None:
    """The vault's recovery option is FailIfExists: the marker's name alone would fail its job."""
    put("backupstarttimestamp")

    assert reserved("a") == SECOND
    assert reservations.read(FIRST) is None
    assert "backupstarttimestamp first" in reasons("b")[0]


def test_blobs_of_unknown_names_are_in_nobodys_way(put: Put) -> None:
    put("notes.txt")

    assert reserved("a") == FIRST


def test_many_at_once_never_share_a_container() -> None:
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(reserved, [f"r{n}" for n in range(8)]))

    assert sorted(filter(None, got)) == [FIRST, SECOND]


def test_a_closed_reservation_says_that_nothing_more_will_land() -> None:
    reserved("a")
    reservations.close(FIRST, "a")

    assert (held := reservations.read(FIRST)) is not None
    assert held.closed
