"""Queue, blob and timer triggers, and the output bindings."""

import base64
import json
import sqlite3
from contextlib import closing
from typing import Any

import pytest


@pytest.fixture(scope="module", autouse=True)
def _begin(site: Any) -> None:
    for name in ("sample", "answers", "start-queue"):
        site.queue(name)
    # Longer than a lease; begun here, so that nobody waits for it but the test that asks for it.
    site.queue("sample").send_message("sleep8")


def test_a_message_is_handled_once_and_its_outputs_are_written(site: Any, wait_for: Any) -> None:
    site.queue("sample").send_message("hello")
    wait_for(lambda: "HELLO" in site.messages("answers"), "the answer")
    assert site.blobs.get_blob_client("copies", "hello.txt").download_blob().readall() == b"hello"
    wait_for(lambda: not site.messages("sample"), "the message's deletion")
    assert site.notes("message").count("hello 1") == 1


def test_a_message_that_fails_five_times_goes_to_the_poison_queue(site: Any, wait_for: Any) -> None:
    site.queue("sample").send_message("poison")
    wait_for(lambda: site.messages("sample-poison") == ["poison"], "the poison message")
    assert [note for note in site.notes("message") if note.startswith("poison")] == [f"poison {i}" for i in range(1, 6)]
    assert "poison" not in site.messages("sample")


def test_a_message_whose_worker_dies_is_seen_again(site: Any, wait_for: Any) -> None:
    site.queue("sample").send_message("die")
    wait_for(lambda: "DIE" in site.messages("answers"), "the answer of the second try")
    assert {"die 1", "die 2"} <= set(site.notes("message"))


def test_a_list_that_is_returned_becomes_messages_of_a_queue_that_the_message_names(site: Any, wait_for: Any) -> None:
    site.queue("fan-queue").send_message(json.dumps({"items": ["a", "b", "ü"], "to": {"queue": "Fanned-Out"}}))
    wait_for(lambda: sorted(site.messages("fanned-out")) == ["a", "b", "ü"], "the messages")


def test_a_message_bound_as_bytes(site: Any, wait_for: Any) -> None:
    site.queue("binary").send_message("ü")
    wait_for(lambda: r"b'\xc3\xbc' 1 True" in site.messages("answers"), "the answer")


def test_a_timer_can_start_an_orchestration(site: Any) -> None:
    assert site.ended("from-timer")["output"] == 4


def test_a_message_can_start_an_orchestration(site: Any) -> None:
    site.queue("start-queue").send_message(json.dumps({"name": "chain", "id": "from-queue", "input": 1}))
    assert site.ended("from-queue")["output"] == 4


def test_a_blob_of_a_late_container_is_handed_over_once_with_name_and_length(site: Any, wait_for: Any) -> None:
    container = site.blobs.create_container("inbox")
    container.upload_blob("deep/er/file.txt", b"content")
    wait_for(lambda: site.notes("blob"), "the blob's call")
    container.upload_blob("second", b"2")
    wait_for(lambda: len(site.notes("blob")) > 1, "the second blob's call")
    assert site.notes("blob") == ["inbox/deep/er/file.txt 7 content", "inbox/second 1 2"]


def test_blob_names_of_all_kinds(site: Any, wait_for: Any) -> None:
    names = ["a b%+#?ü", "%41/{x}", "ends.with.dot.x"]
    for name in names:
        site.blobs.get_container_client("inbox").upload_blob(name, b"n")
    wait_for(lambda: {f"inbox/{name} 1 n" for name in names} <= set(site.notes("blob")), "the calls")


def test_a_blob_that_is_written_again_is_handed_over_again(site: Any, wait_for: Any) -> None:
    container = site.blobs.get_container_client("inbox")
    container.upload_blob("again", b"1")
    wait_for(lambda: "inbox/again 1 1" in site.notes("blob"), "the first call")
    container.upload_blob("again", b"22", overwrite=True)
    wait_for(lambda: "inbox/again 2 22" in site.notes("blob"), "the second call")


def test_a_blob_that_fails_five_times_is_reported_in_the_poison_queue(site: Any, wait_for: Any) -> None:
    site.blobs.get_container_client("inbox").upload_blob("poison", b"x")
    (encoded,) = wait_for(lambda: site.messages("webjobs-blobtrigger-poison"), "the poison message")
    message = json.loads(base64.b64decode(encoded))  # whatever host.json says of queues
    assert (message["Type"], message["BlobName"], message["ContainerName"]) == ("BlobTrigger", "poison", "inbox")
    assert message["FunctionId"] == "Host.Functions.on_blob"
    assert site.notes("blob").count("inbox/poison 1 x") == 5


def test_a_blob_bound_to_the_sdk_type_comes_as_a_client_and_may_start_an_orchestration(site: Any) -> None:
    site.blobs.create_container("landing").upload_blob("set/a.sql", b"12345")
    assert site.ended("blob-set-a.sql")["output"] == 4
    assert "set/a.sql 5" in site.notes("landing")


def test_blobs_come_in_the_types_that_functions_ask_for(site: Any, wait_for: Any) -> None:
    container = site.blobs.create_container("typed")
    container.upload_blob("some.{bytes}", b"\xff\x00")
    container.upload_blob("some.container", b"")
    container.upload_blob("some.stream", b"content")
    container.upload_blob("some.thing", b"nobody's")
    wait_for(lambda: sorted(site.notes("typed")) == ["content", "typed True"], "the calls")
    copy = site.blobs.get_blob_client("copies", "some")
    wait_for(copy.exists, "the copy")
    assert copy.download_blob().readall() == b"\xff\x00"


def test_a_message_that_takes_longer_than_its_lease_is_handled_once(site: Any, wait_for: Any) -> None:
    wait_for(lambda: "SLEEP8" in site.messages("answers"), "the answer")
    assert [note for note in site.notes("message") if note.startswith("sleep8")] == ["sleep8 1"]


def test_what_was_handled_stays_handled_over_a_restart_and_what_was_missed_is_made_up_for(
    own_site: Any, wait_for: Any
) -> None:
    del own_site.settings["AzureWebJobs.every_second.Disabled"]
    container, landing = (own_site.blobs.get_container_client(name) for name in ("inbox", "landing"))
    for missing in (each for each in (container, landing) if not each.exists()):
        missing.create_container()
    container.upload_blob("before-restart", b"x", overwrite=True)
    landing.upload_blob("before-start", b"x", overwrite=True)
    seen = "inbox/before-restart 1 x"
    own_site.start()
    wait_for(lambda: seen in own_site.notes("blob"), "the blob's call")
    wait_for(lambda: len(own_site.notes("second")) >= 2, "two runs of the timer")
    assert set(own_site.notes("second")) == {"False"}
    assert own_site.notes("startup") == ["False"]
    assert own_site.notes("yearly") == []
    own_site.process.stop()

    landing.upload_blob("while-down", b"y", overwrite=True)
    missed = {"Last": "2020-01-01T00:00:00+00:00", "Next": "2021-01-01T00:00:00+00:00", "LastUpdated": ""}
    with closing(sqlite3.connect(own_site.folder / "data" / "host.db")) as database, database:
        database.execute("UPDATE schedules SET status = ? WHERE function = 'yearly'", (json.dumps(missed),))
    own_site.start()
    container.upload_blob("after-restart", b"y", overwrite=True)
    wait_for(lambda: "inbox/after-restart 1 y" in own_site.notes("blob"), "the new blob's call")
    wait_for(lambda: own_site.notes("landing") == ["while-down 1"], "the blob that came while the host was down")
    wait_for(lambda: own_site.notes("yearly") == ["True 2021-01-01T00:00:00+00:00"], "the run that was missed")
    assert own_site.notes("blob").count(seen) == 1
