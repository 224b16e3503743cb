"""The bench of imports: every way brings the same rows, and the file says what was compared."""

import json
import subprocess
import sys
from pathlib import Path

from local.bench.imports.profiles import TWO
from local.bench.imports.ways import DOCUMENTED, ROUTES, absent

ROOT = Path(__file__).parents[4]
KEYS = {
    "profile",
    "machine",
    "told",
    "calibrated",
    "ours",
    "spread",
    "ratio_to_floor",
    "ratio_to_documented",
    "ratio_to_staged_best",
    "staged_bytes",
    "peak_rss_mb",
    "rounds",
    "seconds",
}


def test_every_way_brings_the_rows_and_is_in_the_file(tmp_path: Path) -> None:
    """Rows are counted after each run: one that brought others would end the bench."""
    path = tmp_path / "out.json"
    command = [sys.executable, "-m", "local.bench.imports", "--scale", "0.002", "--rounds", "1", "--json", str(path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    found = json.loads(path.read_text())

    assert found.keys() == KEYS
    ways = [way.name for way in TWO.ways if not absent(way)]
    assert sorted({(run["contents"], run["way"]) for run in found["rounds"]}) == sorted(
        (contents, way) for contents in ("varied", "dominated") for way in ways
    )
    assert all(run["seconds"] > 0 for run in found["rounds"])
    sliced = [run for run in found["rounds"] if run["way"] == ROUTES[2].name]
    assert {run["method"].partition(",")[0] for run in sliced} == {"sliced"}
    assert (found["ratio_to_documented"]["varied"] is None) == bool(absent(DOCUMENTED))
