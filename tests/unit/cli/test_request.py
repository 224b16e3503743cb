"""The request of a command line: what is said is sent, what is not said is left to the service."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flexrestore.request import REQUEST_ID, readable_id

from shared.contracts.progress import Phase
from shared.contracts.request import REQUEST_ID_PATTERN, Mode, read_request

ALWAYS = ["--target", "drill", "--request-id", "INC-1"]
DAY = "2026-11-25"
ORDERS = {"backupInstance": "orders"}
FILES = {"container": "landing-1", "backupName": "b"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["orders"], {"source": ORDERS}),
        (["orders", "--point", "latest"], {"source": {**ORDERS, "recoveryPoint": "latest"}}),
        (["orders", "--at-or-before", f"{DAY}T01:05+01:00"], {"source": {**ORDERS, "atOrBefore": f"{DAY}T00:05:00Z"}}),
        (["orders", "--at-or-before", f"{DAY} 01:05"], {"source": {**ORDERS, "atOrBefore": f"{DAY}T01:05:00Z"}}),
        (["--container", "landing-1", "--backup-name", "b"], {"source": FILES}),
        (
            ["orders", "--database", "shop", "--database", "a*=*_copy", "--exclude", "tmp*", "--exclude", "old"],
            {"source": ORDERS, "databases": ["shop", {"name": "a*", "as": "*_copy"}], "exclude": ["tmp*", "old"]},
        ),
        (["orders", "--on-conflict", "replace"], {"source": ORDERS, "onConflict": "replace"}),
        (["orders", "--roles", "all"], {"source": ORDERS, "roles": "all"}),
        (["orders", "--owners", "drop", "--grants", "drop"], {"source": ORDERS, "owners": "drop", "grants": "drop"}),
        (["orders", "--schema-only", "--mode", "full"], {"source": ORDERS, "schemaOnly": True, "mode": "full"}),
        (["orders", "--mode", "files-only"], {"source": ORDERS, "mode": "files-only"}),
        (["orders", "--approval", "required"], {"source": ORDERS, "approval": "required"}),
        (["orders", "--priority", "high"], {"source": ORDERS, "priority": "high"}),
        (["orders", "--reason", "r", "--ticket", "T-1"], {"source": ORDERS, "reason": "r", "ticket": "T-1"}),
        (["orders", "--notify", "ops", "--notify", "dev"], {"source": ORDERS, "notify": ["ops", "dev"]}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", [["plan"], ["restore", "--yes"]])
def test_the_options_become_a_request_that_the_service_understands(
    api: Any, run: Any, command: list[str], words: list[str], said: dict[str, Any]
) -> None:
    api.on("POST plans", api.plan())
    api.on("POST restores", api.started())

    assert run(*command, *words, *ALWAYS).code == 0
    always = {"version": "1", "requestId": "INC-1", "target": "drill", "requestedBy": "anna"}
    assert api.body == {**always, **said}
    assert read_request(api.body).request_id == "INC-1"


def test_landed_files_need_no_mode(api: Any, run: Any) -> None:
    api.on("POST restores", api.started())
    run("restore", "--yes", "--container", "landing-1", "--backup-name", "b", *ALWAYS)

    assert read_request(api.body).mode is Mode.IMPORT_ONLY


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--target", "drill"], "say what to restore"),
        (["orders"], "say whereto"),
        (["orders", "--target", "drill", "--container", "c", "--backup-name", "b"], "not both"),
        (["orders", "--target", "drill", "--point", "f00d", "--at-or-before", f"{DAY}T12:00Z"], "not both"),
        (["--target", "drill", "--point", "f00d"], "needs its INSTANCE"),
        (["--target", "drill", "--container", "c"], "belong together"),
        (["orders", "--target", "drill", "--at-or-before", "yesterday"], "is no time"),
        (["orders", "--target", "drill", "--at-or-before", "0001-01-01T00:00+14:00"], "is no time"),
        (["orders", "--target", "drill", "--on-conflict", "overwrite"], "overwrite"),
        (["orders", "--target", "drill", "--request-id", "a b"], "is no request id"),
        (["orders", "--target", "drill", "--file", "nowhere.json"], "nowhere.json"),
    ],
)
def test_a_wrong_command_line_is_told_before_anything_is_sent(api: Any, run: Any, words: list[str], told: str) -> None:
    ended = run("restore", "--yes", *words)

    assert (ended.code, api.calls) == (2, [])
    assert told in re.sub(r"[│\s]+", " ", ended.err)


def test_a_request_comes_from_a_file_and_options_win_over_it(api: Any, run: Any, tmp_path: Path) -> None:
    file = tmp_path / "request.json"
    request = {"source": ORDERS, "target": "drill", "requestId": "INC-7", "requestedBy": "cron", "roles": "all"}
    file.write_text(json.dumps(request))
    api.on("POST restores", api.started())
    run("restore", "--yes", "--file", str(file), "--target", "other", "--roles", "none")

    assert api.body == {**request, "version": "1", "target": "other", "roles": "none"}


def test_a_request_comes_from_standard_input(api: Any, run: Any) -> None:
    api.on("POST restores", api.started())
    run("restore", "--yes", "--file", "-", given=json.dumps({"source": FILES, "target": "drill", "requestId": "INC-7"}))

    assert api.body["source"] == FILES


@pytest.mark.parametrize("text", ["", "{", "[1]", "[" * 100_000, "\udcff"])
def test_a_file_without_a_request_is_a_wrong_command_line(api: Any, run: Any, tmp_path: Path, text: str) -> None:
    file = tmp_path / "request.json"
    file.write_text(text, errors="surrogateescape")

    assert run("restore", "--yes", "--file", str(file)).code == 2
    assert api.calls == []


@pytest.mark.parametrize(
    ("source", "name"),
    [
        (ORDERS, "orders"),
        (FILES, "landing-1"),
        ({"backupInstance": "/subscriptions/s/backupInstances/orders-prod-pgflex/"}, "orders-prod-pgflex"),
        ({"backupInstance": "Aufträge & Süd"}, "Auftr-ge-S-d"),
        ({"backupInstance": "…"}, "restore"),
        ({"backupInstance": "x" * 300}, "x" * 50),
        ("odd", "restore"),
    ],
)
def test_a_request_without_an_id_gets_one_that_can_be_read_aloud(source: Any, name: str) -> None:
    first, second = (readable_id(source, datetime(2026, 11, 25, 1, 5, 30, tzinfo=UTC)) for _ in range(2))

    assert re.fullmatch(rf"{re.escape(name)}-20261125-010530-[0-9a-f]{{4}}", first)
    assert re.fullmatch(REQUEST_ID_PATTERN, first)
    assert first != second


def test_the_id_is_told_before_anything_is_sent(run: Any) -> None:
    """Whoever is cut off in between can look for the restore, or send it again."""
    ended = run("restore", "orders", "--target", "drill", "--yes")

    assert re.match(r"Starting orders-20261125-010530-[0-9a-f]{4}\n", ended.err)


def test_request_ids_are_what_the_service_takes_for_them() -> None:
    assert REQUEST_ID == REQUEST_ID_PATTERN


@pytest.mark.parametrize("command", ["show", "wait", "report", "retry"])
@pytest.mark.parametrize("name", ["", "..", "a/b"])
def test_what_is_no_request_id_is_not_asked_for(api: Any, run: Any, command: str, name: str) -> None:
    """An empty variable of a script would ask for the list instead."""
    assert run(command, name).code == 2
    assert api.calls == []


RESTORE = ["restore", "orders", *ALWAYS]


def test_a_person_sees_the_plan_and_is_asked(api: Any, run: Any) -> None:
    api.on("POST plans", api.plan())
    api.on("POST restores", api.started())
    ended = run(*RESTORE, can_ask=lambda: True, given="y\n")

    assert (ended.code, api.paths) == (0, ["POST plans", "POST restores"])
    assert api.calls[0].content == api.calls[1].content
    assert "drill.example.net" in ended.err
    assert "Start this restore?" in ended.err


@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
def test_a_no_starts_nothing(api: Any, run: Any, answer: str) -> None:
    api.on("POST plans", api.plan())
    ended = run(*RESTORE, can_ask=lambda: True, given=answer)

    assert (ended.code, api.paths) == (5, ["POST plans"])
    assert "Nothing was started." in ended.err


def test_what_stands_in_the_way_is_told_and_nothing_is_started(api: Any, run: Any) -> None:
    api.on("POST plans", api.problem(422, "1 obstacle.", "target: is down. Mend it with: az start"))
    ended = run(*RESTORE, can_ask=lambda: True, given="y\n")

    assert (ended.code, api.paths) == (4, ["POST plans"])
    assert "Mend it with: az start" in ended.err


@pytest.mark.parametrize("words", [[], ["--file", "-"]])
def test_a_script_must_say_yes(api: Any, run: Any, words: list[str]) -> None:
    ended = run(*RESTORE, *words, given="{}", can_ask=lambda: bool(words))

    assert (ended.code, api.calls) == (2, [])
    assert "--yes" in ended.err


def test_a_restore_is_started_and_waited_for(api: Any, run: Any) -> None:
    api.on("POST restores", api.started())
    api.on("GET restores/INC-1", api.status(Phase.RESTORING), api.status())
    ended = run(*RESTORE, "--yes", "--wait", "--json")

    assert (ended.code, ended.json) == (0, api.status().to_wire())


@pytest.mark.parametrize(
    "words", [["points", "\udcff"], ["list", "--target", "\udcff"], [*RESTORE, "--yes", "--ticket", "\udcff"]]
)
def test_an_argument_that_is_no_text_is_a_wrong_command_line(api: Any, run: Any, words: list[str]) -> None:
    """What Python makes of a byte that the locale's encoding does not know."""
    assert run(*words).code == 2
    assert api.calls == []
