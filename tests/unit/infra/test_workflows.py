"""What hosts of the repository read: workflows, updates, templates."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.bicep.document import Document

ROOT = Path(__file__).parents[3]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
YAML = sorted([*(ROOT / ".github").rglob("*.yml"), ROOT / ".pre-commit-config.yaml"])


def steps(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow(path: Path) -> None:
    """It says what starts it and what it may do, pins actions by major version, and has an end."""
    workflow = yaml.safe_load(path.read_text())

    assert workflow[True], "on: is there; YAML 1.1 reads it as true"
    assert set(workflow["permissions"].values()) <= {"read", "write"}
    assert workflow["permissions"]["contents"] == "read"
    assert all(job["timeout-minutes"] and job["runs-on"] for job in workflow["jobs"].values())
    used = [step["uses"] for step in steps(workflow) if "uses" in step]
    assert [action for action in used if not re.fullmatch(r"[\w-]+/[\w-]+@v\d+", action)] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_that_was_not_run_says_so(path: Path) -> None:
    """No host of workflows was reachable; nobody shall think that they are tried."""
    assert "ot run where this repository was made" in path.read_text()


def test_make_targets_exist() -> None:
    """What workflows and hooks make can be made."""
    text = "\n".join(path.read_text() for path in [*YAML, *(ROOT / ".devcontainer").glob("*"), *ROOT.glob("scripts/*")])
    asked = set(re.findall(r"(?:run: |entry: |\"|^\s*|&& )make ([a-z-]+)", text, re.MULTILINE))

    assert "test" in asked
    assert asked <= make_targets()


def test_scripts_and_files_that_workflows_name_are_there() -> None:
    """A path in a command is one of this repository."""
    commands = [step["run"] for path in WORKFLOWS for step in steps(yaml.safe_load(path.read_text())) if "run" in step]
    named = {found for command in commands for found in re.findall(r"(?:infra|scripts)/[\w./-]+\w", command)}

    assert named
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_ci_runs_what_a_person_runs() -> None:
    """`make audit` and one `make test`, with our Python."""
    ci = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    tested = ci["jobs"]["test"]["steps"]

    assert [step["run"] for step in tested if "run" in step] == ["make audit", "make test"]
    assert {"python-version-file": ".python-version"} in [step.get("with") for step in tested]


def test_no_secret_is_kept_for_deploying() -> None:
    """Workflows sign in by OpenID Connect."""
    for path in WORKFLOWS:
        assert "secrets." not in path.read_text()
    deploy = yaml.safe_load((ROOT / ".github" / "workflows" / "deploy.yml").read_text())
    assert deploy["permissions"]["id-token"] == "write"


def test_deployments_answer_azds_questions(parameters: dict[str, Any], bicep: Callable[[str], Document]) -> None:
    """`azd provision --no-prompt` has a variable for every parameter that has no default."""
    without = [name for name, declared in bicep("main").named("param").items() if declared.value is None]
    needed = {parameters[name].strip("${}") for name in without}
    for name, job in (("deploy", "deploy"), ("infra", "what-if")):
        workflow = yaml.safe_load((ROOT / ".github" / "workflows" / f"{name}.yml").read_text())
        assert needed <= set(workflow["jobs"][job]["env"])


def test_a_deployment_changes_nothing_that_the_environment_has_chosen(infra: Path) -> None:
    """What a workflow does not hand on is deployed as its default: the plan's kind, the network, the sign-in."""
    chosen = set(re.findall(r"\$\{(FLEX_RESTORE_\w+)", (infra / "main.parameters.json").read_text()))
    assert "FLEX_RESTORE_ENTRA_CLIENT_ID" in chosen
    for name, job in (("deploy", "deploy"), ("infra", "what-if")):
        workflow = yaml.safe_load((ROOT / ".github" / "workflows" / f"{name}.yml").read_text())
        assert chosen - set(workflow["jobs"][job]["env"]) == set()


@pytest.mark.parametrize("path", YAML, ids=lambda path: path.name)
def test_every_yaml_file_can_be_read(path: Path) -> None:
    """Workflows, updates, templates and hooks are YAML."""
    assert yaml.safe_load(path.read_text())


def test_the_devcontainer_has_our_python() -> None:
    """The same version as everywhere."""
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())

    assert f":{(ROOT / '.python-version').read_text().strip()}-" in container["image"]


def test_updates_are_looked_for_where_there_are_dependencies() -> None:
    """Python, Node, the image, and the actions themselves."""
    updates = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text())["updates"]

    assert {update["package-ecosystem"] for update in updates} == {"pip", "npm", "docker", "github-actions"}
