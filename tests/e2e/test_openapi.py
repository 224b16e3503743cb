"""The API keeps to its own description, whatever is sent: schemathesis makes the calls."""

from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, assume, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance, unsupported_method

from local.environment import Environment
from triggers.http.openapi import document

schema = schemathesis.openapi.from_dict(document())

_NOT_OURS = [
    positive_data_acceptance,  # whether data that fit the schema are accepted hangs on what there is in the vault
    unsupported_method,  # the Functions host answers those, with 404
]


@schema.parametrize()
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
def test_every_answer_is_one_that_the_document_announces(case: Any, environment: Environment) -> None:
    """Statuses, content types, bodies by their schemas; no call without the key; no server error."""
    # The Functions host drops a query parameter without a value, so no function can refuse one.
    assume("" not in (case.query or {}).values())
    case.call_and_validate(
        base_url=f"{environment.url}/api",
        headers={"x-functions-key": environment.function_key},
        excluded_checks=_NOT_OURS,
    )


def test_the_document_that_is_served_is_the_one_that_is_tried(environment: Environment) -> None:
    assert requests.get(f"{environment.url}/api/openapi.json", timeout=30).json() == document()
