"""Answers of Azure Resource Manager that nobody thought of: told in words, and never a defect of ours."""

import json

from azure.core.exceptions import HttpResponseError
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.arm import ResourceId, arm_errors, describe, last_segment, same_id
from shared.errors import ServiceBusy, VaultRefused

NAMES = st.sampled_from(
    ["code", "message", "details", "additionalInfo", "info", "innerError", "recommendedAction",
     "DetailedNonLocalisedMessage", "error", "type"]
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300, derandomize=True, deadline=None, database=None)
@given(JSON)
@example({"details": "one"})
@example({"details": ["one", 7, None]})
@example({"additionalInfo": {"info": {}}})
@example({"additionalInfo": ["x", {"info": "y"}]})
@example({"innerError": "x"})
@example({"innerError": {"additionalInfo": ["x"]}})
@example({"recommendedAction": "do this"})
@example({"recommendedAction": 7, "message": {"a": 1}})
def test_an_error_of_any_shape_is_told(error: object) -> None:
    code, text = describe(error)

    assert isinstance(code, str)
    assert code
    assert isinstance(text, str)


def test_an_error_within_errors_without_end_is_cut() -> None:
    error: dict[str, object] = {"message": "the innermost"}
    for _ in range(10_000):
        error = {"details": [error]}

    assert isinstance(describe(error)[1], str)


@settings(max_examples=250, derandomize=True, deadline=None, database=None)
@given(JSON | st.text(), st.sampled_from([400, 403, 404, 409, 429, 500, 503]), st.booleans())
def test_a_refusal_with_any_body_is_a_refusal_or_means_try_again(body: object, status: int, watching: bool) -> None:
    class Response:
        status_code = status
        reason = "no"
        headers: dict[str, str] = {}  # noqa: RUF012 -- as the SDK reads it

        def text(self) -> str:
            return json.dumps(body)

        def body(self) -> bytes:
            return json.dumps(body).encode()

    told = None
    try:
        with arm_errors("looking", watching=watching):
            raise HttpResponseError(response=Response())  # type: ignore[arg-type]
    except (ServiceBusy, VaultRefused) as error:
        told = error
    assert told is not None
    assert told.text.startswith("While looking: ")


IDS = st.lists(
    st.sampled_from(["/", "subscriptions", "resourceGroups", "providers", "s", "", "\n", "?", "%2f"])
    | st.text(max_size=3),
    max_size=14,
).map("/".join)


@settings(max_examples=1500, derandomize=True, deadline=None, database=None)
@given(IDS)
@example("/subscriptions/s/resourceGroups/g/providers/p/x")
@example("/subscriptions/s/resourceGroups/g/providers/p//")
def test_an_id_has_a_name_or_is_none(text: str) -> None:
    assert same_id(text, f"{text}/")
    assert "/" not in last_segment(text)
    try:
        parsed = ResourceId.parse(text)
    except ValueError:
        return
    assert parsed.name
    assert "/" not in parsed.name
