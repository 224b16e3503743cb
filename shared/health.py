"""Health: whether the app could restore now, check by check, side by side."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from azure.core.exceptions import AzureError

from shared.contracts.api import Check, Health
from shared.errors import FlexRestoreError, LandingFailed, Misconfigured, PreflightFailed
from shared.planning import check_target, check_tools
from shared.settings import settings, unresolved_references
from shared.storage.accounts import control_container, landing_container, queue_service, report_container
from shared.topology import APP_STORAGE, LANDING_CONTAINERS, LANDING_STORAGE, REQUEST_QUEUE
from shared.vault import instances, landing_account
from shared.webhook import hosts

type Work = Callable[[], str]


def examine() -> Health:
    """Look at everything that a restore needs."""
    first = _check("settings", _settings)
    works = _works() if first.ok else {}
    with ThreadPoolExecutor(max_workers=max(1, len(works)), thread_name_prefix="health") as threads:
        checks = (first, *threads.map(_check, works, works.values()))
    return Health(status="healthy" if all(check.ok for check in checks) else "unhealthy", checks=checks)


def _works() -> dict[str, Work]:
    return {
        "client tools": _tools,
        "backup vault": _vault,
        "landing account": _landing_account,
        "app storage": _app_storage,
        "secrets": _secrets,
        "webhooks": _webhooks,
        **{f"container {name}": _landing(name) for name in LANDING_CONTAINERS},
        **{f"target {alias}": _target(alias) for alias in sorted(settings().targets)},
    }


def _check(name: str, work: Work) -> Check:
    try:
        return Check(name=name, ok=True, detail=work())
    except FlexRestoreError as error:
        return Check(name=name, ok=False, detail=" ".join([error.text, *error.details]))
    except AzureError as error:
        return Check(name=name, ok=False, detail=f"{type(error).__name__}: {error.message}")


def _settings() -> str:
    return f"{len(settings().targets)} target server(s)"


def _tools() -> str:
    tools = check_tools()
    return f"{tools.psql}; {tools.pg_restore}"


def _vault() -> str:
    return f"{len(instances.protected())} flexible server(s) under protection"


def _landing_account() -> str:
    errors = [finding.text for finding in landing_account.findings() if finding.severity == "error"]
    if errors:
        raise PreflightFailed(" ".join(errors))
    return "the vault may restore into it"


def _app_storage() -> str:
    for container in (control_container(), report_container()):
        container.get_container_properties()
    waiting = queue_service(APP_STORAGE).get_queue_client(REQUEST_QUEUE).get_queue_properties()
    return f"about {waiting.approximate_message_count} request(s) in {REQUEST_QUEUE}"


def _secrets() -> str:
    if unresolved := unresolved_references():
        raise Misconfigured("Key Vault references are not resolved.", details=unresolved)
    keys = [name for name in (APP_STORAGE, LANDING_STORAGE) if "accountkey=" in os.environ.get(name, "").lower()]
    if keys:
        return f"{' and '.join(keys)} hold account keys, which open whole accounts: the app's identity needs none"
    return "every reference to Key Vault is resolved, and no storage connection holds an account key"


def _webhooks() -> str:
    known = hosts()
    return "; ".join(f"{name or 'the default'} at {host}" for name, host in sorted(known.items())) or "none"


def _landing(name: str) -> Work:
    def work() -> str:
        if not landing_container(name).exists():
            raise LandingFailed(f"The landing container {name} does not exist; create it in the landing account.")
        return "there"

    return work


def _target(alias: str) -> Work:
    def work() -> str:
        target = check_target(alias)
        return f"{target.host}, PostgreSQL {target.version}"

    return work
