"""Log levels by category."""

import logging

import pytest

from local.host.logs import CategoryFilter, LogLevels, category_of

LEVELS = LogLevels(
    {
        "default": logging.WARNING,
        "function": logging.ERROR,
        "function.pay": logging.INFO,
        "function.pay.user": logging.DEBUG,
        "host.*.queue": logging.CRITICAL,
        "worker": logging.CRITICAL + 1,
    }
)


@pytest.mark.parametrize(
    ("category", "level"),
    [
        ("Host.Startup", "WARNING"),
        ("Function.other", "ERROR"),
        ("Function.pay", "INFO"),
        ("FUNCTION.PAY", "INFO"),
        ("Function.payment", "INFO"),  # a beginning of the text, not of its parts, as in .NET
        ("Function.pay.User", "DEBUG"),
        ("Function.other.User", "ERROR"),
        ("Host.Triggers.Queue", "CRITICAL"),
    ],
)
def test_the_longest_beginning_that_fits_decides(category: str, level: str) -> None:
    assert logging.getLevelName(LEVELS.of(category)) == level


def test_none_hides_all() -> None:
    assert LEVELS.of("Worker") > logging.CRITICAL


def test_without_rules_information_is_shown() -> None:
    assert (LogLevels({}).of("Host.Startup"), LogLevels({}).lowest) == (logging.INFO, logging.INFO)


@pytest.mark.parametrize(
    ("rules", "lowest"),
    [({"function": logging.DEBUG}, logging.DEBUG), ({"default": logging.ERROR, "worker": 51}, logging.ERROR)],
)
def test_nothing_is_made_that_no_category_shows(rules: dict[str, int], lowest: int) -> None:
    assert LogLevels(rules).lowest == lowest


def test_levels_reach_a_worker_whole() -> None:
    assert LogLevels.decode(LEVELS.encode()) == LEVELS


@pytest.mark.parametrize(
    ("logger", "category"),
    [
        ("local.host.host", "Host.Startup"),
        ("local.host.turns", "Host.Triggers.DurableTask"),
        ("local.host.triggers.queue", "Host.Triggers.Queue"),
        ("local.host.outputs", "Host.Outputs"),
        ("Function.pay.User", "Function.pay.User"),
        ("asyncio", "asyncio"),
    ],
)
def test_loggers_have_categories(logger: str, category: str) -> None:
    assert category_of(logger) == category


@pytest.mark.parametrize(("level", "shown"), [(logging.ERROR, False), (logging.CRITICAL, True)])
def test_a_record_is_shown_by_the_level_of_its_category(level: int, shown: bool) -> None:
    record = logging.LogRecord("local.host.triggers.queue", level, "", 0, "text", None, None)
    assert CategoryFilter(LEVELS).filter(record) is shown
