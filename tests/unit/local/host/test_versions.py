"""Which instances an app of a version runs."""

from collections.abc import Callable
from typing import Any

import azure.durable_functions as df
import pytest

from local.host.store import Status
from local.host.versions import Versions


@pytest.mark.parametrize(
    ("version", "default", "expected"),
    [
        (None, None, True),
        (None, "1.0", True),
        ("", "1.0", True),
        ("1.0", None, False),
        ("1.0", "1.0", True),
        ("1.9", "1.10", True),
        ("1.10", "1.9", False),
        ("1.0.1", "1.0", False),
        ("9", "10", False),  # one number is no System.Version, so these are texts
        ("Beta", "beta", True),
        ("gamma", "Beta", False),
    ],
)
def test_by_default_an_app_runs_its_own_version_and_older_ones(
    version: str | None, default: str | None, expected: bool
) -> None:
    assert Versions(default).accepts(version) is expected


def test_a_strict_app_runs_its_own_version_only() -> None:
    strict = Versions("1.0", match="Strict")
    assert [strict.accepts(version) for version in (None, "0.9", "1.0", "1.1")] == [False, False, True, False]


def test_an_app_that_does_not_match_versions_runs_all() -> None:
    assert Versions("1.0", match="None").accepts("2.0")


def test_an_instance_keeps_its_version_when_it_continues_as_new(new_bench: Callable[..., Any]) -> None:
    def main(context: df.DurableOrchestrationContext) -> Any:
        if context.get_input() is None:
            context.continue_as_new("again")
            return None
        return context.version

    bench = new_bench(main=main)
    bench.instances.start("main", "main", "null", version="1.5")
    bench._turns._versions = Versions("2.0")
    bench.settle()
    assert bench.output() == "1.5"


@pytest.mark.parametrize(("failure", "status"), [("Reject", Status.PENDING), ("Fail", Status.FAILED)])
def test_an_instance_that_is_too_new_waits_or_fails(
    new_bench: Callable[..., Any], failure: str, status: Status
) -> None:
    def main(context: df.DurableOrchestrationContext) -> str:
        return str(context.version)

    bench = new_bench(main=main)
    bench._turns._versions = Versions("1.0", failure=failure)
    bench.instances.start("main", "main", None, version="2.0")
    bench.settle()
    assert bench.instance().status is status
    if status is Status.PENDING:
        bench._turns._versions = Versions("2.0")
        bench.turn()
        assert bench.output() == "2.0"
