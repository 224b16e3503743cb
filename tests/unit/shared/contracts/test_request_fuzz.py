"""Requests that nobody thought of: refused with every error, or read; and patterns of names."""

import json
from itertools import product

from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.contracts.request import RestoreRequest, matches, read_request
from shared.errors import RequestRejected

FIELDS = [field.alias or name for name, field in RestoreRequest.model_fields.items()]
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(st.characters(), max_size=8)
    | st.sampled_from(["latest", "full", "import-only", "*", "a*", "postgres", "fail", "x" * 250, "\ud800", "a\0"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["name", "as", "container", "backupName", "backupInstance", "atOrBefore"])
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
GOOD = {
    "requestId": "INC-1",
    "source": {"backupInstance": "orders"},
    "target": "drill",
    "databases": ["shop", {"name": "a*", "as": "*_copy"}],
}
REQUESTS = st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=4).map(lambda wrong: {**GOOD, **wrong}) | VALUES


@settings(max_examples=1200, derandomize=True, deadline=None, database=None)
@given(REQUESTS)
@example({**GOOD, "databases": [{"name": "\ud800", "as": "\ud800"}]})
@example({**GOOD, "notify": ["\ud800"]})
@example({**GOOD, "source": {"backupInstance": "orders", "recoveryPoint": "\ud800"}})
def test_whatever_is_asked_is_read_or_refused_with_its_errors(data: object) -> None:
    try:
        wire = read_request(data).to_wire()
    except RequestRejected as error:
        wire = {}
        errors = error.details
    assert wire or errors
    if wire:
        assert read_request(json.loads(json.dumps(wire))).to_wire() == wire
        json.dumps(wire, ensure_ascii=False).encode()


TEXTS = st.text(st.sampled_from("ab*?[]!.\n") | st.characters(), max_size=6)


@settings(max_examples=1500, derandomize=True, deadline=None, database=None)
@given(TEXTS, TEXTS)
@example("[a]", "[a]")
@example("a", "[a]")
def test_only_star_and_question_mark_stand_for_something_else(name: str, pattern: str) -> None:
    assert matches(name, pattern) == _matches(name, pattern)


def _matches(name: str, pattern: str) -> bool:
    """The same, as a table of which beginnings match."""
    ends = {(0, 0)}
    for length, taken in product(range(len(pattern)), range(len(name) + 1)):
        if (length, taken) not in ends:
            continue
        sign = pattern[length]
        if sign == "*":
            ends.update((length + 1, end) for end in range(taken, len(name) + 1))
        elif taken < len(name) and sign in {"?", name[taken]}:
            ends.add((length + 1, taken + 1))
    return (len(pattern), len(name)) in ends
