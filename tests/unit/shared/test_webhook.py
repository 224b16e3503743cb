"""Whatever a webhook writes into Retry-After is a pause or nothing.

tests/integration/triggers/test_webhook.py has the pauses that a real one asks for.
"""

from email.utils import format_datetime

from hypothesis import example, given
from hypothesis.strategies import datetimes, text

from shared.webhook import _seconds

_DAY = 86_400


@given(text() | datetimes().map(format_datetime))
@example("Sun, 06 Nov 1994 08:49:37 +99999999999999999999")
@example("9" * 5_000)
def test_any_text_is_at_most_a_day(wish: str) -> None:
    assert 0 <= _seconds(wish) <= _DAY
