"""Jobs are as many as fit into a worker's memory."""

import pytest

from shared.postgres.memory import MB, largest_window, most_jobs
from shared.settings import Settings

MAGIC = b"\x28\xb5\x2f\xfd"


@pytest.mark.parametrize(
    ("head_size", "window", "jobs"),
    [(3 * MB, 0, 5), (10 * MB, 0, 1), (1000 * MB, 0, 1), (0, 8 << 20, 6), (0, 1 << 27, 1)],
)
def test_each_job_holds_the_table_of_contents_and_a_window_and_one_is_always_allowed(
    head_size: int, window: int, jobs: int
) -> None:
    assert most_jobs(head_size, window) == jobs


def test_a_common_archive_may_have_as_many_jobs_as_can_be_set() -> None:
    [most] = [limit.le for limit in Settings.model_fields["jobs"].metadata if hasattr(limit, "le")]
    assert most_jobs(100_000, 0) >= most


@pytest.mark.parametrize(
    ("data", "window"),
    [
        (b"", 0),
        (b"no frame", 0),
        (b"\x01" + MAGIC + b"\x00\x58" + b"rows", 2 << 20),
        (MAGIC + b"\x00\x01" + b"rows" + MAGIC + b"\x00\x88", 1 << 27),
        (MAGIC + b"\x20\xff", 0),
        (MAGIC + b"\x00", 0),
        (MAGIC + b"\x00\x0c", (2 << 10) * 12 // 8),
    ],
)
def test_the_window_of_zstd_is_what_the_frames_tell(data: bytes, window: int) -> None:
    """A frame that tells its size tells no window: what it unpacks to is small."""
    assert largest_window(data) == window
