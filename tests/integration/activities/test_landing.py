"""Landing containers as activities see them: reserve, survey, settle, close, release; each may run twice."""

from collections.abc import Callable
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient

import activities.landing
from activities.landing import close_landing, release_landing, reserve_landing, settle_landing, survey_landing
from shared import decisions
from shared.contracts.files import Listing
from shared.contracts.importing import LandingRef, Survey
from shared.contracts.imports import Promotion
from shared.contracts.plan import Plan, TargetRef
from shared.contracts.progress import FileState, Phase
from shared.contracts.request import read_request
from shared.contracts.watch import Sighting
from shared.storage import documents, landing, reservations, waiting
from shared.storage.accounts import control_container
from shared.storage.ledger import Ledger
from shared.topology import LANDING_CONTAINERS

FIRST, SECOND = LANDING_CONTAINERS
NAMES = ("backupstarttimestamp", "b_database_shop.sql", "b_database_postgres.sql", "b_roles.sql", "notes.txt")
MINE = LandingRef(request_id="r", container=FIRST, reserved=True)
ASKED = {"requestId": "r", "source": {"backupInstance": "orders"}, "target": "drill"}
TARGET = TargetRef(alias="drill", host="h", version="18.6")
pytestmark = pytest.mark.usefixtures("app")
type Put = Callable[..., None]


@pytest.fixture
def names(storage: BlobServiceClient) -> Callable[[], set[str]]:
    """What lies in the first container."""
    return lambda: set(storage.get_container_client(FIRST).list_blob_names())


@pytest.fixture
def ledger(app: object) -> Ledger:  # noqa: ARG001 -- settings first
    """The ledger of a restore that was planned."""
    ledger = Ledger("r")
    ledger.write("plan", Plan(request=read_request({**ASKED, "databases": ["shop", "gone"]}), target=TARGET))
    return ledger


def value(outcome: dict[str, Any]) -> Any:
    assert outcome["ok"], outcome
    return outcome["value"]


def reserve(request_id: str) -> Sighting:
    return Sighting.from_wire(value(reserve_landing({"requestId": request_id, "priority": "normal", "mode": "full"})))


def survey() -> Survey:
    return Survey.from_wire(value(survey_landing(MINE.to_wire())))


def release(phase: Phase, *, brought: str = "", request_id: str = "r") -> str | None:
    """Which container was given back."""
    answer = value(release_landing({"requestId": request_id, "phase": phase.value, "brought": brought}))
    return next(iter(answer["containers"]), None)


def test_a_repeated_reservation_is_the_same_container() -> None:
    assert [reserve("r").value, reserve("r").value, reserve("s").value] == [
        {"container": FIRST},
        {"container": FIRST},
        {"container": SECOND},
    ]


def test_without_a_free_container_the_sighting_names_the_owners_and_it_is_asked_again() -> None:
    reserve("r")
    reserve("s")
    seen = reserve("t")

    assert not seen.ended
    assert seen.status == f"{FIRST} is reserved by restore r; {SECOND} is reserved by restore s"
    release(Phase.COMPLETED)
    assert reserve("t").value == {"container": FIRST}


def test_a_survey_tells_each_file_and_what_is_missing(put: Put, ledger: Ledger) -> None:
    reserve("r")
    put(*NAMES)
    found = survey()

    assert {file.name: file.state for file in found.files} == {
        "backupstarttimestamp": FileState.SKIPPED,
        "b_database_shop.sql": FileState.LANDED,
        "b_database_postgres.sql": FileState.SKIPPED,
        "b_roles.sql": FileState.LANDED,
    }
    assert (found.unknown, found.closed) == (("notes.txt",), False)
    assert found.problems == ("databases: gone is not in the backup, or left out by the request itself",)
    assert found.sources["b_roles.sql"].etag
    assert ledger.read("listing")["backupName"] == "b"


@pytest.mark.usefixtures("ledger")
def test_a_closed_landing_is_surveyed_as_complete_by_its_owner_only(put: Put) -> None:
    reserve("r")
    put(*NAMES)
    value(close_landing(MINE.model_copy(update={"request_id": "somebody-else"}).to_wire()))
    assert not survey().closed

    for _ in range(2):
        value(close_landing(MINE.to_wire()))
    assert survey().closed


@pytest.mark.usefixtures("ledger")
def test_a_restore_does_not_survey_a_container_that_it_no_longer_owns(put: Put) -> None:
    put(*NAMES)
    outcome = survey_landing(MINE.to_wire())

    assert outcome["error"]["code"] == "LandingFailed"
    assert outcome["error"]["message"] == f"Restore r does not own {FIRST} any more."


@pytest.mark.usefixtures("ledger")
def test_a_file_that_is_empty_yet_has_not_landed_until_nothing_more_will(put: Put) -> None:
    reserve("r")
    put("b_roles.sql", content=b"")
    assert survey().files == ()

    value(close_landing(MINE.to_wire()))
    assert [file.name for file in survey().files] == ["b_roles.sql"]


def test_the_marker_is_read_once_and_kept(put: Put, ledger: Ledger) -> None:
    reserve("r")
    put(*NAMES)
    survey()
    put("backupstarttimestamp", content=b"2030-01-01 00:00:00 UTC")
    survey()

    assert ledger.read("marker")["takenAt"] == "2026-04-01T02:30:00Z"


@pytest.mark.usefixtures("ledger")
def test_an_empty_container_is_surveyed_as_empty() -> None:
    reserve("r")
    found = survey()

    assert (found.files, found.closed) == ((), False)
    assert len(found.problems) == 2


@pytest.mark.usefixtures("ledger")
def test_the_files_of_two_backups_are_an_answer_that_says_what_to_do(put: Put) -> None:
    reserve("r")
    put("a_database_x.sql", "b_database_x.sql")
    outcome = survey_landing(MINE.to_wire())

    assert outcome["error"]["code"] == "LandingFailed"
    assert "send a request whose source names one of them" in outcome["error"]["message"]


def test_somebody_elses_files_have_settled_when_nothing_landed_for_a_while(
    put: Put, configure: Callable[..., None], wait: Callable[[Callable[[], Any], str], Any]
) -> None:
    put("b_roles.sql")
    subject = LandingRef(request_id="r", container=FIRST, backup_name="b", reserved=False).to_wire()
    configure(FLEX_RESTORE_SETTLE_SECONDS="3600")
    waiting = Sighting.from_wire(value(settle_landing(subject)))
    assert not waiting.ended
    assert waiting.status.startswith("the last file landed ")

    configure(FLEX_RESTORE_SETTLE_SECONDS="1")
    wait(lambda: value(settle_landing(subject))["ended"], "quiet")


def test_somebody_elses_files_have_not_settled_while_one_is_empty_yet(
    put: Put, configure: Callable[..., None], wait: Callable[[Callable[[], Any], str], Any]
) -> None:
    """Its create event came long before its content: quiet alone does not tell."""
    configure(FLEX_RESTORE_SETTLE_SECONDS="1")
    put("b_roles.sql")
    put("b_database_shop.sql", content=b"")
    put("other_database_shop.sql", container=SECOND, content=b"")
    subject = LandingRef(request_id="r", container=FIRST, backup_name="b", reserved=False).to_wire()

    waiting = Sighting.from_wire(value(settle_landing(subject)))
    assert waiting.status == "b_database_shop.sql is still being written: it is empty or not copied yet"
    put("b_database_shop.sql")
    wait(lambda: value(settle_landing(subject))["ended"], "quiet")


@pytest.mark.usefixtures("ledger")
@pytest.mark.parametrize("name", ["backupstarttimestamp", "b_database_shop.sql"])
@pytest.mark.parametrize("fate", ["written again", "deleted"])
def test_a_file_that_changes_between_the_listing_and_the_look_into_it_does_not_end_the_import(
    *, put: Put, storage: BlobServiceClient, monkeypatch: pytest.MonkeyPatch, name: str, fate: str
) -> None:
    reserve("r")
    put(*NAMES)
    list_files = landing.list_files

    def list_and_change(*where: Any, **options: Any) -> Listing:
        listing = list_files(*where, **options)
        if fate == "deleted":
            storage.get_blob_client(FIRST, name).delete_blob()
        else:
            put(name, content=b"2031-01-01 00:00:00 UTC")
        return listing

    with monkeypatch.context() as patch:
        patch.setattr(landing, "list_files", list_and_change)
        assert name in survey().sources
    assert (name in survey().sources) is (fate == "written again")


def test_a_file_set_that_is_not_there_has_not_landed() -> None:
    subject = LandingRef(request_id="r", container=FIRST, backup_name="b", reserved=False).to_wire()
    outcome = settle_landing(subject)

    assert outcome["error"]["code"] == "LandingFailed"
    assert f"{FIRST} holds no file of backup 'b'" in outcome["error"]["message"]


def test_nothing_settles_while_a_restore_of_ours_owns_the_container(put: Put) -> None:
    put("b_roles.sql")
    reservations.reserve("somebody-else")
    put("b_roles.sql", container=SECOND)
    subject = LandingRef(request_id="r", container=SECOND, backup_name="b", reserved=False).to_wire()
    assert reservations.read(SECOND) is not None
    seen = Sighting.from_wire(value(settle_landing(subject)))

    assert (seen.ended, seen.status) == (False, f"restore somebody-else has the vault write into {SECOND}")


@pytest.mark.usefixtures("ledger")
@pytest.mark.parametrize("phase", [Phase.COMPLETED, Phase.COMPLETED_WITH_WARNINGS])
def test_a_restore_that_is_done_deletes_its_files_and_nobody_elses(
    put: Put, names: Callable[[], set[str]], phase: Phase
) -> None:
    reserve("r")
    put(*NAMES)
    survey()

    assert [release(phase), release(phase)] == [FIRST, None]
    assert names() == {"notes.txt"}
    assert reservations.read(FIRST) is None


@pytest.mark.usefixtures("ledger")
@pytest.mark.parametrize("phase", [Phase.FAILED, Phase.PARTIALLY_FAILED, Phase.REJECTED])
def test_after_any_other_end_the_files_stay_for_another_import(
    put: Put, names: Callable[[], set[str]], phase: Phase
) -> None:
    reserve("r")
    put(*NAMES)
    survey()

    assert release(phase) == FIRST
    assert names() == set(NAMES)
    assert reservations.read(FIRST) is None


@pytest.mark.usefixtures("ledger")
def test_after_a_cancel_the_files_are_deleted_whatever_has_landed_since_the_last_look(
    put: Put, names: Callable[[], set[str]]
) -> None:
    reserve("r")
    put(*NAMES[:2])
    survey()
    put(*NAMES)

    assert release(Phase.CANCELLED, brought=FIRST) == FIRST
    assert names() == {"notes.txt"}


def test_a_cancel_leaves_files_that_no_job_of_its_restore_brought(put: Put, names: Callable[[], set[str]]) -> None:
    """Somebody restores by the portal into a container that a restore of ours owns and has not filled."""
    reserve("r")
    put(*NAMES)

    assert release(Phase.CANCELLED) == FIRST
    assert names() == set(NAMES)


def test_a_repeated_release_leaves_the_files_of_the_next_owner(put: Put, names: Callable[[], set[str]]) -> None:
    """A worker that died after the release has its activity run again, when the container is another restore's."""
    reserve("r")
    put(*NAMES)
    assert release(Phase.CANCELLED, brought=FIRST) == FIRST
    reserve("next")
    put(*NAMES)

    assert release(Phase.CANCELLED, brought=FIRST) is None
    assert names() == set(NAMES)


def test_every_container_that_attempts_at_once_have_reserved_is_given_back() -> None:
    reserve("r")
    documents.create(control_container(), f"reservations/{SECOND}.json", {"container": SECOND, "requestId": "r"})

    assert release(Phase.FAILED) == FIRST
    assert [reservations.read(container) for container in (FIRST, SECOND)] == [None, None]


def imported(request_id: str, *databases: str) -> None:
    """A restore that has imported some databases of the set that restore r has left."""
    request = {**ASKED, "requestId": request_id, "databases": list(databases)}
    request["source"] = {"container": FIRST, "backupName": "b"}
    ledger = Ledger(request_id)
    ledger.write("plan", Plan(request=read_request(request), target=TARGET))
    where = LandingRef(request_id=request_id, container=FIRST, backup_name="b", reserved=False)
    value(survey_landing(where.to_wire()))
    for database in databases:
        ledger.write(f"databases/{database}/promotion", Promotion(name=database, oid=1, replaced=False))
    release(Phase.COMPLETED, request_id=request_id)


@pytest.mark.parametrize("mode", ["full", "files-only"])
def test_files_stay_until_everything_stands_that_they_were_brought_for(
    put: Put, names: Callable[[], set[str]], ledger: Ledger, mode: str
) -> None:
    """Two imports take a database each; whoever comes first leaves the other its files."""
    request = read_request({**ASKED, "mode": mode, "databases": ["shop", "bank"]})
    ledger.write("plan", Plan(request=request, target=TARGET))
    reserve("r")
    put(*NAMES, "b_database_bank.sql")
    survey()
    release(Phase.COMPLETED if mode == "files-only" else Phase.PARTIALLY_FAILED)

    imported("first", "shop")
    assert names() == {*NAMES, "b_database_bank.sql"}
    imported("second", "bank")
    assert names() == {"notes.txt"}


@pytest.mark.usefixtures("ledger")
def test_a_file_that_was_written_again_since_is_not_ours_to_delete(put: Put, names: Callable[[], set[str]]) -> None:
    reserve("r")
    put(*NAMES)
    survey()
    put("b_roles.sql", content=b"of somebody else")

    release(Phase.COMPLETED)
    assert names() == {"b_roles.sql", "notes.txt"}


@pytest.mark.usefixtures("ledger")
def test_files_that_no_restore_of_ours_brought_are_not_ours_to_delete(put: Put, names: Callable[[], set[str]]) -> None:
    put(*NAMES)
    elsewhere = LandingRef(request_id="r", container=FIRST, backup_name="b", reserved=False)
    value(survey_landing(elsewhere.to_wire()))

    assert release(Phase.COMPLETED) is None
    assert names() == set(NAMES)


def test_a_look_that_was_overtaken_is_not_recorded_over_the_later_one(
    put: Put, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The listing says what to delete in the end: a file that is missing there would occupy the container."""
    reserve("r")
    put("b_roles.sql")
    look = activities.landing._listing

    def overtaken(where: LandingRef) -> Listing:
        monkeypatch.setattr(activities.landing, "_listing", look)
        early = look(where)
        put("b_database_shop.sql")
        survey()
        return early

    monkeypatch.setattr(activities.landing, "_listing", overtaken)
    seen = survey()

    recorded = Listing.from_wire(ledger.read("listing"))
    assert [file.name for file in recorded.files] == ["b_database_shop.sql", "b_roles.sql"]
    assert {file.name for file in seen.files} == {file.name for file in recorded.files}


def test_a_restore_that_has_ended_meanwhile_reserves_nothing(ledger: Ledger) -> None:
    """Nobody would give it back."""
    decisions.close(ledger)
    outcome = reserve_landing({"requestId": "r", "priority": "normal", "mode": "full"})

    assert outcome["error"]["code"] == "RestoreEnded"
    assert reservations.owned_by("r") == []


def test_a_restore_that_has_ended_meanwhile_holds_up_nobody_in_the_line(ledger: Ledger) -> None:
    """Nobody would leave it: it would be waited for until its place counts as abandoned."""
    reserve("s")
    reserve("t")
    decisions.close(ledger)
    outcome = reserve_landing({"requestId": "r", "priority": "high", "mode": "full"})

    assert outcome["error"]["code"] == "RestoreEnded"
    assert waiting.first(waiting.LANDING) == []


def test_a_restore_that_has_ended_keeps_a_container_that_the_vault_may_write_into(ledger: Ledger) -> None:
    reserve("r")
    decisions.close(ledger)

    assert reserve("r").value == {"container": FIRST}


@pytest.mark.usefixtures("ledger")
def test_a_cancelled_restore_that_clears_its_container_once_more_leaves_the_next_ones_files(
    put: Put, names: Callable[[], set[str]]
) -> None:
    reserve("r")
    put(*NAMES)
    assert release(Phase.CANCELLED, brought=FIRST) == FIRST
    assert names() == {"notes.txt"}

    reserve("s")
    put(*NAMES)
    assert release(Phase.CANCELLED, brought=FIRST) is None
    assert names() == set(NAMES)
