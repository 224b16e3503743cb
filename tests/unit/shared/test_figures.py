"""Figures, times and texts as people read them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from shared.figures import counted, duration, listed, moment, size, visible, visible_name


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (2.54, "2.5 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
        (3_599.7, "1 h 00 min"),
        (3_780, "1 h 03 min"),
        (86_370, "1 d 00 h"),
        (187_200, "2 d 04 h"),
    ],
)
def test_durations_are_told_in_words_and_round_into_the_next_unit(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1_023, "1023 B"),
        (1_024, "1.0 KiB"),
        (1_536, "1.5 KiB"),
        (1_024**2 - 1, "1.0 MiB"),
        (3 * 1_024**3, "3.0 GiB"),
        (4_096 * 1_024**4, "4,096.0 TiB"),
    ],
)
def test_sizes_are_told_in_the_unit_that_fits(count: int, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("time", "text"),
    [
        ("2026-04-01T02:30:00.118+00:00", "2026-04-01 02:30:00 UTC"),
        ("2026-04-01T02:30:00Z", "2026-04-01 02:30:00 UTC"),
        ("2026-04-01T02:30:00", "2026-04-01 02:30:00 UTC"),
        (datetime(2026, 4, 1, 2, 30, tzinfo=timezone(timedelta(hours=2))), "2026-04-01 00:30:00 UTC"),
        (datetime(2026, 4, 1, 2, 30, tzinfo=UTC), "2026-04-01 02:30:00 UTC"),
        ("at half past two", "at half past two"),
    ],
)
def test_times_are_told_in_utc_and_say_so(time: datetime | str, text: str) -> None:
    assert moment(time) == text


def test_things_are_counted_in_their_number() -> None:
    assert [counted(count, "table") for count in (0, 1, 1_234)] == ["0 tables", "1 table", "1,234 tables"]
    assert counted(2, "policy", "policies") == "2 policies"


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ([], ""),
        (["a"], "a"),
        (["a", "b"], "a and b"),
        (["a", "b", "c"], "a, b and c"),
        (list("abcde"), "a, b, c, d and e"),
        (list("abcdefg"), "a, b, c, d and 3 more"),
    ],
)
def test_a_long_list_tells_its_beginning_and_how_many_more(names: list[str], text: str) -> None:
    assert listed(names) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("größe 表 مرحبا", "größe 表 مرحبا"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("evil\u202egnp.exe", "evil⟨U+202E⟩gnp.exe"),
        ("a\u2066b\u2069", "a⟨U+2066⟩b⟨U+2069⟩"),
        ("zero\u200bwidth", "zero⟨U+200B⟩width"),
        ("nul\0 bell\a escape\x1b[31m", "nul⟨U+0000⟩ bell⟨U+0007⟩ escape⟨U+001B⟩[31m"),
        ("no-break\xa0space", "no-break⟨U+00A0⟩space"),
        ("filler\u3164", "filler⟨U+3164⟩"),
        ("lone\udce9", "lone⟨U+DCE9⟩"),
        ("tag\U000e0041", "tag⟨U+E0041⟩"),
    ],
)
def test_what_does_not_show_itself_is_marked(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_a_name_stays_in_its_line() -> None:
    assert visible_name("a\nb\tc") == "a⟨U+000A⟩b⟨U+0009⟩c"
