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


def app_files(root: Path = ROOT) -> list[Path]:
    """The files of the app that are deployed, relative to its folder."""
    ignored = pathspec.GitIgnoreSpec.from_lines((root / ".funcignore").read_text("utf-8").splitlines())
    found: list[Path] = []
    for folder, folders, files in root.walk():
        place = folder.relative_to(root)
        folders[:] = [name for name in folders if not ignored.match_file(f"{place / name}/")]
        found += [place / name for name in files if not ignored.match_file(place / name)]
    return sorted(found)


def copy_app(folder: Path) -> None:
    """Copy the app's files."""
    for path in app_files():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, target)


def install_requirements(folder: Path) -> None:
    """Install what requirements.txt names, which is resolved already."""
    subprocess.run(
        [
            *(sys.executable, "-m", "uv", "pip", "install", "--quiet"),
            *("--target", folder / REQUIREMENTS, "--requirement", ROOT / "requirements.txt"),
            *("--no-deps", "--only-binary", ":all:"),
            *("--python-version", "3.13", "--python-platform", "x86_64-manylinux_2_28"),
        ],
        check=True,
    )


def main() -> None:
    """Make the package."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="the package's folder, which is made anew")
    parser.add_argument("--zip", type=Path, help="a zip file of it")
    arguments = parser.parse_args()
    shutil.rmtree(arguments.folder, ignore_errors=True)
    copy_app(arguments.folder)
    install_requirements(arguments.folder)
    if arguments.zip:
        shutil.make_archive(str(arguments.zip.with_suffix("")), "zip", arguments.folder)


if __name__ == "__main__":
    main()
