"""The hook that subscribes the blob triggers, run with an Azure CLI that answers as it is told."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
NAMES = {
    "AZURE_SUBSCRIPTION_ID": "sub",
    "AZURE_RESOURCE_GROUP": "rg-drill",
    "AZURE_FUNCTION_APP_NAME": "func-x",
    "AZURE_STORAGE_ACCOUNT_NAME": "stx",
    "FLEX_RESTORE_SYSTEM_TOPIC_NAME": "evgst-x",
}
AZ = """#!/bin/sh
echo "$*" >> "$CALLS"
count=$(grep -c "^${1} ${2}" "$CALLS")
case "$1 $2" in
    "functionapp keys") if [ "$count" -gt "$WITHOUT_KEY" ]; then echo the-key; else echo None; fi ;;
    "deployment group") [ "$count" -gt "$REFUSALS" ] ;;
esac
"""
type Run = Callable[..., tuple[subprocess.CompletedProcess[str], list[str]]]


@pytest.fixture
def post_up(tmp_path: Path) -> Run:
    """Run the hook; what it said, and the calls of az."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def run(
        *, without_key: int = 0, refusals: int = 0, tries: int = 5, with_az: bool = True, **changes: str
    ) -> tuple[subprocess.CompletedProcess[str], list[str]]:
        if with_az:
            (folder / "az").write_text(AZ)
            (folder / "az").chmod(0o755)
        calls = tmp_path / "calls"
        calls.touch()
        told = {"CALLS": str(calls), "WITHOUT_KEY": str(without_key), "REFUSALS": str(refusals)}
        environment = NAMES | told | {"POST_UP_TRIES": str(tries), "POST_UP_PAUSE": "0"} | changes
        path = f"{folder}:{os.environ['PATH']}" if with_az else str(folder)
        done = subprocess.run(
            ["/bin/sh", ROOT / "scripts" / "post-up.sh"],
            env={name: value for name, value in environment.items() if value} | {"PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        return done, calls.read_text().splitlines()

    return run


def test_it_deploys_the_subscriptions_once_there_is_a_key(post_up: Run) -> None:
    """The key comes when the host has read the code: until then nothing is deployed."""
    done, calls = post_up(without_key=2)

    assert done.returncode == 0, done.stderr
    assert [call.split()[0] for call in calls] == ["functionapp", "functionapp", "functionapp", "deployment"]
    assert "infra/app/subscriptions.bicep" in calls[-1]
    assert "functionAppName=func-x storageName=stx topicName=evgst-x" in calls[-1]


def test_a_handshake_that_fails_is_tried_again(post_up: Run) -> None:
    """The endpoint may not answer yet although there is a key."""
    done, calls = post_up(refusals=2)

    assert done.returncode == 0
    assert len([call for call in calls if call.startswith("deployment")]) == 3


def test_it_gives_up_and_says_where_to_read_on(post_up: Run) -> None:
    """`azd up` fails then, with the place in the documentation."""
    done, calls = post_up(without_key=100, tries=3)

    assert done.returncode == 1
    assert len(calls) == 3
    assert "docs/deployment.md" in done.stderr
    title = done.stderr.split("'")[1]
    assert f"## {title}" in (ROOT / "docs" / "deployment.md").read_text()


def test_the_key_is_told_to_nobody(post_up: Run) -> None:
    """It is in no output and on no command line: the Bicep file asks for it itself."""
    done, calls = post_up()

    assert "the-key" not in done.stdout + done.stderr + "".join(calls)


@pytest.mark.parametrize("missing", NAMES)
def test_a_value_that_azd_would_give_is_asked_for(missing: str, post_up: Run) -> None:
    """Run by hand without azd's values it says how to run it."""
    done, calls = post_up(**{missing: ""})

    assert done.returncode != 0
    assert missing in done.stderr
    assert "azd hooks run postdeploy" in done.stderr
    assert calls == []


def test_without_the_azure_cli_it_says_what_to_do(post_up: Run) -> None:
    """azd alone is not enough for the subscriptions."""
    done, _ = post_up(with_az=False)

    assert done.returncode == 1
    assert "Azure CLI" in done.stderr


def test_both_scripts_read_the_same_values() -> None:
    """post-up.ps1 was not run here: that it asks for the same is what can be seen."""
    powershell = (ROOT / "scripts" / "post-up.ps1").read_text()

    assert [name for name in NAMES if name not in powershell] == []
    assert [name for name in ("functionAppName=", "storageName=", "topicName=") if name not in powershell] == []
