"""`flexrestore`, and `python -m flexrestore`."""

import sys
import traceback
from io import TextIOWrapper

from flexrestore.app import app
from flexrestore.exits import Exit


def main() -> None:
    """Run a command; what went wrong in this program itself is told from a restore that failed."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as standard error has it: names may hold any sign
    try:
        app(prog_name="flexrestore")
    except Exception:  # noqa: BLE001 -- Python's own exit code for this is 1, and 1 says that a restore failed
        traceback.print_exc()
        sys.exit(Exit.BUG)


if __name__ == "__main__":
    main()
