"""Every line says what it is about, whoever writes it."""

import logging
from collections.abc import Iterator

import pytest

from shared.telemetry import logs
from shared.telemetry.about import about


@pytest.fixture(autouse=True)
def installed() -> Iterator[None]:
    before = logging.getLogRecordFactory()
    logs.install()
    yield
    logging.setLogRecordFactory(before)


def test_a_line_says_what_it_is_about(caplog: pytest.LogCaptureFixture) -> None:
    with about(restore="INC-1", phase="Importing", file="b_database_shop.sql", database="shop"):
        logging.getLogger("somebody.else").warning("%d of %s", 3, "100%")

    [record] = caplog.records
    assert record.getMessage() == ("3 of 100% [restore=INC-1 phase=Importing file=b_database_shop.sql database=shop]")
    assert vars(record)["flexrestore.restore"] == "INC-1"
    assert vars(record)["flexrestore.database"] == "shop"


def test_a_line_about_nothing_is_as_it_was(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("x").warning("nothing %s", "known")

    assert caplog.messages == ["nothing known"]


@pytest.mark.parametrize("name", ["a b", "a]", 'Kunden "Süd"', "x=y", "a\nERROR all is lost", "\x1b[2J", "a\u202eb"])
def test_a_name_begins_neither_a_line_nor_a_field(caplog: pytest.LogCaptureFixture, name: str) -> None:
    with about(restore="r", database=name):
        logging.getLogger("x").warning("line")

    [text] = caplog.messages
    assert text.startswith('line [restore=r database="')
    assert text.isascii()
    assert text.isprintable()


def test_a_library_may_call_its_own_fields_alike(caplog: pytest.LogCaptureFixture) -> None:
    """`logging` refuses an extra field whose name the record has already."""
    extra = {"restore": 1, "phase": 2, "file": 3, "database": 4}
    with about(restore="r", phase="p", file="f", database="d"):
        logging.getLogger("x").warning("line", extra=extra)

    assert caplog.messages == ["line [restore=r phase=p file=f database=d]"]


def test_the_azure_sdks_do_not_fill_the_log_with_their_requests() -> None:
    loggers = ("azure.core.pipeline.policies.http_logging_policy", "azure.identity._internal", "azure.monitor.x")

    assert not any(logging.getLogger(name).isEnabledFor(logging.INFO) for name in loggers)
