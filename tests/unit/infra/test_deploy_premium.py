"""The script that deploys to the Premium plan, run with programs that answer as they are told."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[3]
VALUES = """AZURE_SUBSCRIPTION_ID="sub"
AZURE_RESOURCE_GROUP="rg drill"
AZURE_FUNCTION_APP_NAME="func-x"
AZURE_STORAGE_ACCOUNT_NAME="stx"
FLEX_RESTORE_SYSTEM_TOPIC_NAME="evgst-x"
"""
PROGRAMS = {
    "azd": '[ "$*" = "env get-values" ] && cat "$VALUES"',
    "az": 'echo "az $*" >> "$CALLS"; case "$2" in keys) echo the-key ;; esac',
    "make": 'echo "make $*" >> "$CALLS"',
}


def deploy(folder: Path, values: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Run the script in a shell that knows nothing of the environment; what it said, and what it called."""
    for name, body in PROGRAMS.items():
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    (folder / "values").write_text(values)
    (folder / "calls").touch()
    told = {"CALLS": str(folder / "calls"), "VALUES": str(folder / "values"), "POST_UP_PAUSE": "0"}
    command = ["/bin/sh", str(ROOT / "scripts" / "deploy-premium.sh")]
    path = f"{folder}:{os.environ['PATH']}"
    done = subprocess.run(command, env={**told, "PATH": path}, capture_output=True, text=True, check=False)
    return done, (folder / "calls").read_text().splitlines()


def test_it_takes_azds_values_uploads_the_package_and_subscribes_the_triggers(tmp_path: Path) -> None:
    done, calls = deploy(tmp_path, VALUES)

    assert done.returncode == 0, done.stderr
    assert [call.partition(" --")[0] for call in calls] == [
        "make package ZIP=.local/flex-restore.zip",
        "az storage blob upload",
        "az functionapp restart",
        "az functionapp keys list",
        "az deployment group create",
    ]
    assert "--account-name stx --container-name app-package" in calls[1]
    assert "--subscription sub --resource-group rg drill --name func-x" in calls[2]


def test_without_an_environment_nothing_is_made(tmp_path: Path) -> None:
    done, calls = deploy(tmp_path, "")

    assert done.returncode != 0
    assert "azd provision" in done.stderr
    assert calls == []
