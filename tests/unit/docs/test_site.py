"""The documentation is a site without dead links, every page of which can be found."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    """Strict: a link or an anchor that leads nowhere, and a page that no menu names, are warnings and so errors."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    built = subprocess.run(  # noqa: PLW1510 -- what it says is what a reader of the failure wants to see
        command, cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True
    )

    assert (built.returncode, built.stderr) == (0, "")
    assert (tmp_path / "settings" / "index.html").is_file()
