"""The deployment package, made as Azure makes it: the app without what .funcignore names, and its requirements.

`python scripts/package.py FOLDER` fills the folder; with `--zip FILE` the folder becomes a zip file as well. The
requirements go to `.python_packages/lib/site-packages`, where the Functions worker looks for them, as wheels for Linux
on x86-64 and Python 3.13, whatever machine this runs on.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

import pathspec

ROOT = Path(__file__).resolve().parents[1]
REQUIREMENTS = Path(".python_packages", "lib", "site-packages")
_STAMP = "requirements.txt"
"""Beside the installed packages: what they were installed by."""


def app_files(root: Path = ROOT) -> list[Path]:
    """The files of the app that are deployed, relative to its folder."""
    ignored = pathspec.GitIgnoreSpec.from_lines((root / ".funcignore").read_text("utf-8").splitlines())
    found: list[Path] = []
    for folder, folders, files in root.walk():
        place = folder.relative_to(root)
        folders[:] = [name for name in folders if not ignored.match_file(f"{place / name}/")]
        found += [place / name for name in files if not ignored.match_file(place / name)]
    return sorted(found)


def clear(folder: Path) -> None:
    """Empty the folder, but for requirements that are the right ones already."""
    keep = REQUIREMENTS.parts[0] if _installed(folder) else None
    for path in folder.iterdir() if folder.exists() else ():
        if path.name == keep:
            continue
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def copy_app(folder: Path) -> None:
    """Copy the app's files."""
    for path in app_files():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, target)


def install_requirements(folder: Path) -> None:
    """Install what requirements.txt names, which is resolved already."""
    if _installed(folder):
        return
    subprocess.run(
        [
            *(sys.executable, "-m", "uv", "pip", "install", "--quiet"),
            *("--target", folder / REQUIREMENTS, "--requirement", ROOT / "requirements.txt"),
            *("--no-deps", "--only-binary", ":all:"),
            *("--python-version", "3.13", "--python-platform", "x86_64-manylinux_2_28"),
        ],
        check=True,
    )
    shutil.copyfile(ROOT / "requirements.txt", folder / REQUIREMENTS / _STAMP)


def _installed(folder: Path) -> bool:
    stamp = folder / REQUIREMENTS / _STAMP
    return stamp.is_file() and stamp.read_bytes() == (ROOT / "requirements.txt").read_bytes()


def main() -> None:
    """Make the package."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="the package's folder; what else is in it goes")
    parser.add_argument("--zip", type=Path, help="a zip file of it")
    arguments = parser.parse_args()
    clear(arguments.folder)
    copy_app(arguments.folder)
    install_requirements(arguments.folder)
    if arguments.zip:
        shutil.make_archive(str(arguments.zip.with_suffix("")), "zip", arguments.folder)


if __name__ == "__main__":
    main()
