"""`make audit`: known holes in the deployed packages; skipped, with the reason, where nothing can be looked up."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
_COMMAND = ("-m", "pip_audit", "--requirement", "requirements.txt", "--no-deps", "--disable-pip", "--format", "json")
"""The requirements are pinned with all that they need, so nothing has to be resolved or installed."""


def main() -> int:
    """The exit code: 1 when a hole is known."""
    ran = subprocess.run([sys.executable, *_COMMAND], cwd=ROOT, capture_output=True, text=True, check=False)
    try:
        found = json.loads(ran.stdout)["dependencies"]
    except ValueError:
        print(f"audit: skipped, the index of vulnerabilities cannot be reached: {_last_line(ran.stderr)}")
        return 0
    lines, code = verdict(found)
    print("\n".join(lines))
    return code


def verdict(found: Sequence[dict[str, Any]]) -> tuple[list[str], int]:
    """What pip-audit found, in words, and the exit code."""
    holes = [
        f"{one['name']} {one['version']}: {hole['id']}, mended in {', '.join(hole['fix_versions']) or 'no version yet'}"
        for one in found
        for hole in one.get("vulns", ())
    ]
    skipped = [one for one in found if "skip_reason" in one]
    if found and len(skipped) == len(found):
        return [f"audit: skipped, none of {len(found)} packages is known: {skipped[0]['skip_reason']}"], 0
    looked = f"audit: {len(found) - len(skipped)} of {len(found)} packages looked up, {len(holes)} known hole(s)"
    return [looked, *(f"audit: not looked up: {one['skip_reason']}" for one in skipped), *holes], int(bool(holes))


def _last_line(text: str) -> str:
    return next((line for line in reversed(text.splitlines()) if line.strip()), "it said nothing")


if __name__ == "__main__":
    sys.exit(main())
