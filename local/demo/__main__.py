"""`python -m local.demo`: a backup, one queue message, restored databases, and the proof that they are the source's."""

import argparse
import json
import os
import signal
import sys
from pathlib import Path
from types import FrameType

from rich.console import Console

from local.demo.backup import BackupFailed
from local.demo.data import FillFailed
from local.demo.folder import FolderTaken, clean_folder
from local.demo.outcome import show
from local.demo.restore import RestoreStuck
from local.demo.run import run, stay
from local.environment import ROOT
from local.servers.process import ServerError


def main() -> int:
    """Run the demo; 0 when all was restored, and is equal or explained."""
    options = _options()
    signal.signal(signal.SIGTERM, _exit)
    # Everything is on this machine: a proxy of the surroundings has no part in it.
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"
    try:
        with clean_folder(options.directory) as directory:
            return _stay(directory) if options.stay else _run(directory, options.json)
    except (BackupFailed, FillFailed, FolderTaken, RestoreStuck, ServerError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.demo", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the outcome there as JSON")
    parser.add_argument("--stay", action="store_true", help="start everything, restore nothing, wait for Ctrl-C")
    parser.add_argument(
        "--directory", type=Path, default=ROOT / ".local" / "demo", help="for data and logs (default: .local/demo)"
    )
    return parser.parse_args()


def _exit(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


def _run(directory: Path, file: Path | None) -> int:
    console = Console()
    outcome = run(directory, console)
    show(outcome, console)
    if file is not None:
        file.write_text(json.dumps(outcome.to_json(), indent=2, ensure_ascii=False) + "\n")
    return 0 if outcome.good else 1


def _stay(directory: Path) -> int:
    stay(directory, Console())
    return 0


if __name__ == "__main__":
    sys.exit(main())
