"""What the service answers, one function for each kind of request."""

import re
import secrets
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from local.vault import resources
from local.vault.arm import ArmError, Json, UserError, instance_id, not_found, now, vault_id
from local.vault.backup import server_is_ready
from local.vault.config import BackupInstance, VaultConfig
from local.vault.faults import Faults, OperationFault, RequestFault
from local.vault.jobs import Job, RestoreTarget, job_body, new_job
from local.vault.operations import Operation, new_operation, result_body, status_body
from local.vault.recovery_points import RecoveryPoint, point_body, select
from local.vault.restore_request import check, check_point, parse, resolve_target
from local.vault.runner import JobRunner
from local.vault.state import State


@dataclass(frozen=True)
class Vault:
    """The parts that endpoints work with."""

    config: VaultConfig
    state: State
    faults: Faults
    runner: JobRunner
    starting: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True)
class Call:
    """A request.

    Attributes:
        origin: scheme, host and port that the caller used.
        names: the parts of the path that vary, by name.
        body: the parsed JSON; None when there was none.
    """

    origin: str
    path: str
    names: Mapping[str, str]
    query: Mapping[str, str]
    body: object = None


@dataclass(frozen=True)
class Answer:
    """A response; without a body its length is 0."""

    status: int = 200
    body: Json | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


type Endpoint = Callable[[Vault, Call], Answer]


def get_vault(vault: Vault, _call: Call) -> Answer:
    """The vault."""
    return Answer(body=resources.vault_body(vault.config))


def list_instances(vault: Vault, _call: Call) -> Answer:
    """All backup instances."""
    bodies = [resources.instance_body(vault.config, instance) for instance in vault.config.instances]
    return Answer(body={"value": bodies})


def get_instance(vault: Vault, call: Call) -> Answer:
    """One backup instance."""
    return Answer(body=resources.instance_body(vault.config, _instance(vault, call)))


def list_points(vault: Vault, call: Call) -> Answer:
    """The recovery points of a backup instance, newest first, a page at a time."""
    instance = _instance(vault, call)
    points = select(_points(vault, instance), call.query.get("$filter", ""))
    token = call.query.get("$skipToken", "0")
    if not token.isdecimal():
        raise ArmError(400, "InvalidSkipToken", f"The skip token '{token}' is not valid.")
    end = int(token) + vault.config.page_size
    body: Json = {"value": [point_body(vault.config, instance, point) for point in points[int(token) : end]]}
    if end < len(points):
        path = f"{instance_id(vault.config, instance)}/recoveryPoints"
        query = {**call.query, "$skipToken": str(end)}
        body["nextLink"] = f"{call.origin}{path}?{_text(query)}"
    return Answer(body=body)


def get_point(vault: Vault, call: Call) -> Answer:
    """One recovery point."""
    instance = _instance(vault, call)
    point = _point(vault, instance, call.names["point"])
    if point is None:
        raise not_found(call.path)
    return Answer(body=point_body(vault.config, instance, point))


def back_up(vault: Vault, call: Call) -> Answer:
    """Start an adhoc backup."""
    match call.body:
        case {"backupRuleOptions": {"ruleName": str(), "triggerOption": dict()}}:
            pass
        case _:
            raise ArmError(
                400, "UserErrorInvalidRequest", "backupRuleOptions with ruleName and triggerOption is required."
            )
    instance = _instance(vault, call)
    if not server_is_ready(instance.server):
        error = UserError(
            "PostgreSQLFlexOperationFailedUserError",
            "The PostgreSQL flexible server is not ready for a backup.",
            "Make sure that the server is Ready and try again.",
            ("ServerNotReadyForLongTermBackup", "The server does not accept connections."),
        )
        return _accept(vault, call, new_operation(vault.config, error=error))
    return _accept(vault, call, _start_job(vault, instance, None, None))


def validate_restore(vault: Vault, call: Call) -> Answer:
    """Check whether a restore would work; the finding is the operation's outcome."""
    request = parse(call.body.get("restoreRequestObject") if isinstance(call.body, dict) else None)
    point = _point(vault, _instance(vault, call), request.recovery_point_id)
    fault = vault.faults.for_operation("validateRestore")
    try:
        _meet(fault)
        check(vault.config, request, point)
    except UserError as error:
        return _accept(vault, call, new_operation(vault.config, error=error, fault=fault))
    return _accept(vault, call, new_operation(vault.config, fault=fault))


def restore(vault: Vault, call: Call) -> Answer:
    """Start a restore. What only `validateRestore` looks at makes the job fail, not this request."""
    request = parse(call.body)
    instance = _instance(vault, call)
    fault = vault.faults.for_operation("restore")
    try:
        _meet(fault)
        point = check_point(request, _point(vault, instance, request.recovery_point_id))
        target = resolve_target(vault.config, request)
    except UserError as error:
        return _accept(vault, call, new_operation(vault.config, error=error, fault=fault))
    return _accept(vault, call, _start_job(vault, instance, point, target, fault))


def _meet(fault: OperationFault | None) -> None:
    """Fail, when that is this operation's fault."""
    if fault is not None and fault.error is not None:
        raise UserError(*fault.error, "Switch the fault off.")


def operation_status(vault: Vault, call: Call) -> Answer:
    """How an operation stands."""
    return Answer(body=status_body(vault.config, _operation(vault, call)))


def operation_result(vault: Vault, call: Call) -> Answer:
    """What an operation led to; 202 while it runs."""
    operation = _operation(vault, call)
    path = f"{_location_path(vault.config)}/operationStatus/{operation.id}"
    headers = {"Azure-AsyncOperation": _poll_url(call, path), "Retry-After": str(vault.config.pacing.retry_after)}
    if operation.running:
        return Answer(202, headers={**headers, "Location": f"{call.origin}{call.path}?{_text(call.query)}"})
    if operation.error is not None:
        return Answer(400, {"error": operation.error}, headers)
    return Answer(200, result_body(vault.config, operation), headers)


def list_jobs(vault: Vault, _call: Call) -> Answer:
    """All jobs, newest first."""
    jobs = sorted(vault.state.jobs, key=lambda job: job.start, reverse=True)
    return Answer(body={"value": [_job_body(vault, job) for job in jobs]})


def get_job(vault: Vault, call: Call) -> Answer:
    """One job."""
    job = vault.state.jobs.get(call.names["job"].lower())
    if job is None:
        raise not_found(call.path)
    return Answer(body=_job_body(vault, job))


def get_account(vault: Vault, call: Call) -> Answer:
    """One storage account."""
    for account in vault.config.accounts:
        names = (account.resource_group.lower(), account.name.lower())
        if names == (call.names["group"].lower(), call.names["account"].lower()):
            return Answer(body=resources.account_body(vault.config, account))
    raise not_found(call.path)


def list_role_assignments(vault: Vault, call: Call) -> Answer:
    """The role assignments of a scope."""
    scope = call.names["scope"]
    return Answer(body=resources.role_assignments(vault.config, scope, call.query.get("$filter", "")))


def routes(config: VaultConfig) -> tuple[tuple[str, re.Pattern[str], Endpoint], ...]:
    """Method, path and endpoint of everything that the service answers; ARM's paths are case-insensitive."""
    vault = re.escape(vault_id(config))
    location = re.escape(_location_path(config))
    instance = rf"{vault}/backupInstances/(?P<instance>[^/]+)"
    account = r"/resourceGroups/(?P<group>[^/]+)/providers/Microsoft\.Storage/storageAccounts/(?P<account>[^/]+)"
    table: tuple[tuple[str, str, Endpoint], ...] = (
        ("GET", vault, get_vault),
        ("GET", rf"{vault}/backupInstances", list_instances),
        ("GET", instance, get_instance),
        ("GET", rf"{instance}/recoveryPoints", list_points),
        ("GET", rf"{instance}/recoveryPoints/(?P<point>[^/]+)", get_point),
        ("POST", rf"{instance}/backup", back_up),
        ("POST", rf"{instance}/validateRestore", validate_restore),
        ("POST", rf"{instance}/restore", restore),
        ("GET", rf"{vault}/operationStatus/(?P<operation>[^/]+)", operation_status),
        ("GET", rf"{location}/operationStatus/(?P<operation>[^/]+)", operation_status),
        ("GET", rf"{location}/operationResults/(?P<operation>[^/]+)", operation_result),
        ("GET", rf"{vault}/backupJobs", list_jobs),
        ("GET", rf"{vault}/backupJobs/(?P<job>[^/]+)", get_job),
        ("GET", rf"/subscriptions/{re.escape(config.subscription)}{account}", get_account),
        ("GET", r"(?P<scope>.*)/providers/Microsoft\.Authorization/roleAssignments", list_role_assignments),
    )
    return tuple((method, re.compile(path, re.IGNORECASE), endpoint) for method, path, endpoint in table)


def _instance(vault: Vault, call: Call) -> BackupInstance:
    for instance in vault.config.instances:
        if instance.name.lower() == call.names["instance"].lower():
            return instance
    raise not_found(call.path)


def _point(vault: Vault, instance: BackupInstance, point_id: str) -> RecoveryPoint | None:
    return next((point for point in _points(vault, instance) if point.id == point_id.lower()), None)


def _points(vault: Vault, instance: BackupInstance) -> list[RecoveryPoint]:
    return [point for point in vault.state.points_of(instance.name) if not vault.faults.is_expired(point.id)]


def _job_body(vault: Vault, job: Job) -> Json:
    instance = next(instance for instance in vault.config.instances if instance.name == job.instance)
    if job.end is not None and vault.faults.relapses(job.id):
        job = job.changed_to(status="InProgress", end=None)
    return job_body(vault.config, instance, job)


def _operation(vault: Vault, call: Call) -> Operation:
    operation = vault.state.operations.get(call.names["operation"])
    if operation is None:
        raise not_found(call.path)
    if operation.fault is not None and operation.fault.expired is not None:
        raise RequestFault(status=operation.fault.expired).error()
    return operation


def _start_job(
    vault: Vault,
    instance: BackupInstance,
    point: RecoveryPoint | None,
    target: RestoreTarget | None,
    operation: OperationFault | None = None,
) -> Operation:
    """Start a job, unless the datasource has one running."""
    with vault.starting:
        if any(job.instance == instance.name for job in vault.state.running_jobs()):
            error = UserError(
                "UserErrorMaxConcurrentOperationLimitReached",
                "Operation failed as the maximum number of allowed concurrent operations has reached.",
                "Wait until the running job has ended, then try again.",
            )
            return new_operation(vault.config, error=error, fault=operation)
        fault = vault.faults.for_job("Backup" if target is None else "Restore")
        point_id, point_time = (point.id, point.time) if point else (uuid.uuid4().hex, now())
        job = new_job(instance, point_id, point_time, target, fault)
        if fault is not None:
            vault.faults.let_relapse(job.id, fault.relapses)
        vault.runner.submit(job)
    return new_operation(vault.config, job_id=job.id, fault=operation)


def _accept(vault: Vault, call: Call, operation: Operation) -> Answer:
    vault.state.operations.put(operation.id, operation)
    headers = {
        "Azure-AsyncOperation": _poll_url(call, f"{vault_id(vault.config)}/operationStatus/{operation.id}"),
        "Location": _poll_url(call, f"{_location_path(vault.config)}/operationResults/{operation.id}"),
        "Retry-After": str(vault.config.pacing.retry_after),
    }
    return Answer(202, headers=headers)


def _poll_url(call: Call, path: str) -> str:
    """An address to poll, with the signed query of the real service, whose length clients must bear."""
    signature = {"t": str(now().timestamp()), "c": secrets.token_urlsafe(900), "s": secrets.token_urlsafe(256)}
    query = {"api-version": call.query["api-version"], **signature, "h": secrets.token_urlsafe(32)}
    return f"{call.origin}{path}?{_text(query)}"


def _text(query: Mapping[str, str]) -> str:
    return urlencode(query, safe="$", quote_via=quote)


def _location_path(config: VaultConfig) -> str:
    return f"/subscriptions/{config.subscription}/providers/Microsoft.DataProtection/locations/{config.location}"
