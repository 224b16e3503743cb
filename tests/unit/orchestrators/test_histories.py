"""Histories stay short, however long a restore takes."""

from local.bench.day import longest_histories
from shared.topology import child_instance, import_instance


def test_a_job_of_a_day_leaves_short_histories() -> None:
    """Each look of a watcher is a generation of its own; the restore itself waits for its watchers only."""
    longest = longest_histories(hours=24)

    assert {child_instance("DAY-1", name) for name in ("job", "landing")} < longest.keys()
    assert import_instance("DAY-1") in longest
    assert max(longest.values()) < 200
