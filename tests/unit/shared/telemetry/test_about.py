"""What the work is about goes wherever the work goes, and nowhere else."""

import asyncio
import sys

from shared.postgres.process import run
from shared.telemetry.about import about, known, learning


def test_it_is_known_within_the_block_only() -> None:
    with about(restore="r", phase="Importing"):
        with about(file="f", database="d", phase=""):
            assert dict(known()) == {"restore": "r", "phase": "Importing", "file": "f", "database": "d"}
        assert dict(known()) == {"restore": "r", "phase": "Importing"}
    assert dict(known()) == {}


def test_a_value_from_outside_is_cut() -> None:
    with about(file="x" * 10_000):
        assert len(known()["file"]) < 400


def test_what_runs_side_by_side_is_not_mixed_up_and_its_threads_know_it_too() -> None:
    async def work(restore: str) -> str:
        with about(restore=restore):
            await asyncio.sleep(0)
            return await asyncio.to_thread(lambda: known()["restore"])

    async def all_of_them() -> list[str]:
        return list(await asyncio.gather(*(work(f"r{number}") for number in range(20))))

    assert asyncio.run(all_of_them()) == [f"r{number}" for number in range(20)]


def test_who_reads_a_childs_output_knows_it() -> None:
    """A line that psql or pg_restore writes is read by a thread of its own."""
    seen: list[str] = []
    child = [sys.executable, "-c", "import sys; print('line', file=sys.stderr)"]
    with about(database="shop"):
        assert run(child, environment={}, on_stderr=lambda _: seen.append(known()["database"])) == 0

    assert seen == ["shop"]


def test_what_is_found_out_is_learned_by_everybody_around() -> None:
    with about(file="f"), learning() as outer, learning() as inner, about(restore="r"):
        assert dict(outer) == dict(inner) == {"file": "f", "restore": "r"}
    with about(restore="another"):
        assert outer["restore"] == "r"
