"""A landing container whose restore is gone is given back when the vault has stopped writing into it."""

from collections.abc import Callable
from typing import Any

import pytest

from activities.backup_job import check_job, find_job, start_restore
from local.environment import Services
from local.vault.faults import JobFault
from shared.contracts.files import Listing, Reservation
from shared.contracts.progress import Phase
from shared.contracts.request import Priority
from shared.contracts.vaultjobs import RestoreOrder
from shared.storage import landing, reservations, waiting
from shared.storage.ledger import Ledger, owner_of_set

type Wait = Callable[[Callable[[], Any], str], Any]
FILES = ("backupstarttimestamp", "b_roles.sql")
BEGAN = "2026-04-01T00:17:00+00:00"


@pytest.fixture
def gone(house: Any, order: RestoreOrder) -> Callable[[Phase], RestoreOrder]:
    """A restore that has reserved a container and is over without having given it back."""

    def gone(phase: Phase) -> RestoreOrder:
        house.restore(order.request_id, phase, days=0, order=order)
        assert isinstance(reservations.reserve(order.request_id), Reservation)
        for name in FILES:
            house.storage.get_blob_client(order.container, name).upload_blob(b"x")
        return order

    return gone


def find(house: Any, order: RestoreOrder) -> Any:
    return house.call("find_abandoned", {"container": order.container})["value"]


def give_back(house: Any, order: RestoreOrder, *, brought: bool, began: str = BEGAN) -> Any:
    return house.keep("give_back_landing", began, abandoned=find(house, order), brought=brought)


def test_the_files_of_a_cancelled_restore_are_deleted_and_its_container_is_free(house: Any, gone: Any) -> None:
    order = gone(Phase.CANCELLED)
    done = give_back(house, order, brought=True)

    assert [(one.kind, one.count, one.restore) for one in done.removed] == [
        ("files", 2, order.request_id),
        ("reservation", 1, order.request_id),
    ]
    assert (house.names(), reservations.read(order.container)) == (set(), None)


def test_who_waits_for_the_container_or_its_datasource_is_woken(house: Any, gone: Any) -> None:
    order = gone(Phase.CANCELLED)
    waiting.join(waiting.LANDING, "any", Priority.NORMAL)
    waiting.join(waiting.before(order.instance.datasource_id), "same", Priority.NORMAL)
    give_back(house, order, brought=True)

    assert house.engine.woken == ["any:landing", "same:landing"]


def test_nobody_is_woken_for_a_container_that_stays_reserved(house: Any, order: RestoreOrder) -> None:
    reservations.reserve("somebody-else")
    waiting.join(waiting.LANDING, "any", Priority.NORMAL)
    give_back(house, order, brought=False)

    assert house.engine.woken == []


def test_the_files_of_a_failed_restore_stay_and_have_their_retention(house: Any, gone: Any) -> None:
    order = gone(Phase.FAILED)
    done = give_back(house, order, brought=True)

    assert [one.kind for one in done.removed] == ["reservation"]
    assert house.names() == set(FILES)
    assert owner_of_set(order.container, "b") == order.request_id
    listing = Ledger(order.request_id).read("listing", Listing)
    assert listing is not None
    assert {file.name for file in listing.files} == set(FILES)


def test_files_that_no_job_of_the_restore_brought_stay(house: Any, gone: Any) -> None:
    """A failed job's container may hold what somebody restored by the portal."""
    order = gone(Phase.CANCELLED)
    give_back(house, order, brought=False)

    assert house.names() == set(FILES)
    assert owner_of_set(order.container, "b") is None


@pytest.mark.parametrize("instance", ["", ":clearing", ":import", ":clearing:end"])
def test_a_container_is_not_abandoned_while_anything_works_for_its_restore(
    house: Any, gone: Any, instance: str
) -> None:
    order = gone(Phase.CANCELLED)
    house.engine.add(f"{order.request_id}{instance}")

    assert find(house, order) is None


def test_a_free_container_is_not_abandoned(house: Any, order: RestoreOrder) -> None:
    assert find(house, order) is None


def test_a_reservation_of_which_nothing_is_known_is_told_and_stays(house: Any, order: RestoreOrder) -> None:
    reservations.reserve("somebody-else")
    done = give_back(house, order, brought=False)

    assert done.removed == ()
    assert "Nothing is known of restore somebody-else" in done.failed[0].message
    assert reservations.read(order.container) is not None


def test_a_repeated_attempt_leaves_the_files_of_the_next_restore(house: Any, gone: Any) -> None:
    order = gone(Phase.CANCELLED)
    abandoned = find(house, order)
    first = give_back(house, order, brought=True)
    reservations.reserve("next")
    house.storage.get_blob_client(order.container, FILES[0]).upload_blob(b"of the next one")
    again = house.keep("give_back_landing", BEGAN, abandoned=abandoned, brought=True)
    late = house.keep("give_back_landing", "2026-04-01T01:17:00+00:00", abandoned=abandoned, brought=True)

    assert again == first
    assert late.removed == ()
    assert house.names() == {FILES[0]}
    standing = reservations.read(order.container)
    assert standing is not None
    assert standing.request_id == "next"


def test_the_vault_tells_whether_it_still_writes(house: Any, gone: Any, app: Services, wait: Wait) -> None:
    """The order that is put together from the records leads to the job that the dead restore has started."""
    app.vault.inject(JobFault(outcome="Hang"))
    order = gone(Phase.CANCELLED)
    wait(lambda: start_restore(order.to_wire())["value"]["ended"], "the job")
    told = find(house, order)
    job_id = find_job(told["order"])["value"]["value"]["jobId"]
    job = {"instance": told["order"]["instance"], "jobId": job_id}
    assert not check_job(job)["value"]["ended"]

    app.vault.clear_faults()
    wait(lambda: check_job(job)["value"]["ended"], "the job's end")
    assert [one.kind for one in give_back(house, order, brought=True).removed] == ["files", "reservation"]


def test_files_that_cannot_be_deleted_keep_their_container(
    house: Any, gone: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next round tries again: a free container full of files would be nobody's."""
    order = gone(Phase.CANCELLED)
    with monkeypatch.context() as failing:
        failing.setattr(landing, "delete_files", refuse)
        done = give_back(house, order, brought=True)
    assert [one.kind for one in done.failed] == ["files", "reservation"]
    assert reservations.read(order.container) is not None

    give_back(house, order, brought=True, began="2026-04-01T01:17:00+00:00")
    assert (house.names(), reservations.read(order.container)) == (set(), None)


def refuse(_listing: Listing) -> None:
    raise OSError("the storage account does not answer")
