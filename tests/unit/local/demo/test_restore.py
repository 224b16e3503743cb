"""The demo's message says what a ticket would, and nothing that is understood by itself."""

import json

from local.demo.restore import message_of, request_for
from shared.contracts.request import read_request


def test_the_message_is_read_as_the_request_that_it_was_made_of() -> None:
    request = request_for("INC-20240101-100000")

    assert read_request(json.loads(message_of(request))) == request


def test_the_message_names_version_source_target_and_ticket_only() -> None:
    assert set(json.loads(message_of(request_for("INC-1")))) == {
        "version",
        "requestId",
        "source",
        "target",
        "requestedBy",
        "ticket",
    }
