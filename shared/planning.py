"""Planning: resolve a request and check everything that can be checked before anything is touched."""

import logging
from collections.abc import Callable

from psycopg.errors import Error as DatabaseError

from shared.arm import ResourceId
from shared.contracts.importing import SurveyedFile
from shared.contracts.plan import BackupInstanceRef, Finding, LoadOutlook, Plan, RecoveryPointRef, TargetRef
from shared.contracts.request import BackupSource, Mode, RestoreRequest
from shared.errors import (
    LandingFailed,
    PermanentError,
    PreflightFailed,
    RequestRejected,
    TargetRefused,
    TargetUnavailable,
)
from shared.postgres import temporary
from shared.postgres.outlook import foresee, rule
from shared.postgres.psql import require_restriction
from shared.postgres.server import read_capabilities
from shared.postgres.tools import Toolbox
from shared.settings import settings
from shared.storage.accounts import landing_container
from shared.storage.landing import list_files
from shared.survey import survey
from shared.targets import load_means, target_server, toolbox
from shared.topology import LANDING_CONTAINERS
from shared.vault import instances, jobs, landing_account, recovery_points

_log = logging.getLogger(__name__)
_FORESEEN = 50
"""Databases whose way a plan tells one by one."""


class Findings:
    """What planning finds out; errors are collected, so that all of them are told at once."""

    def __init__(self) -> None:
        self.rejections: list[str] = []
        self.findings: list[Finding] = []

    def attempt[T](self, check: str, work: Callable[[], T]) -> T | None:
        """The work's answer, or None and a finding."""
        try:
            return work()
        except RequestRejected as error:
            self.rejections.extend(error.details or [error.text])
        except PermanentError as error:
            self.findings.append(Finding(check=check, severity="error", message=error.text))
        return None

    def add(self, findings: list[Finding] | None) -> None:
        """Take the findings of a check."""
        self.findings.extend(findings or [])

    def settle(self) -> tuple[Finding, ...]:
        """The warnings, when there is no error.

        Raises:
            RequestRejected: the request names something that does not exist.
            PreflightFailed: the request is right, and things stand in its way.
        """
        errors = [f"{finding.check}: {finding.text}" for finding in self.findings if finding.severity == "error"]
        if self.rejections:
            count = len(self.rejections) + len(errors)
            text = f"The restore request has {count} error(s); correct them and send it again."
            raise RequestRejected(text, details=[*self.rejections, *errors])
        if errors:
            text = f"{len(errors)} thing(s) stand in the way of this restore; nothing was touched."
            raise PreflightFailed(text, details=errors)
        return tuple(self.findings)


def make_plan(request: RestoreRequest) -> Plan:
    """The plan of a request.

    Raises:
        RequestRejected, PreflightFailed: with every error in `details`.
    """
    found = Findings()
    tools = found.attempt("client tools", check_tools)
    target = found.attempt("target server", lambda: check_target(request.target))
    instance, point = _source(request, found)
    found.attempt("webhooks", lambda: _require_webhooks(request))
    if target is not None and request.on_conflict == "fail":
        found.add(found.attempt("existing databases", lambda: _taken_names(request)))
    outlook = target and found.attempt("target server", lambda: _outlook(request))
    warnings = found.settle()
    if tools is None or target is None:
        raise PreflightFailed("The target server or the client tools could not be checked.")
    return Plan(
        request=request,
        target=target,
        instance=instance,
        recovery_point=point,
        tools={tool.name: str(tool) for tool in (tools.psql, tools.pg_restore)},
        needs_approval=_needs_approval(request),
        loading=outlook,
        findings=warnings,
    )


def _needs_approval(request: RestoreRequest) -> bool:
    """Whether the request, or the operator for this target, wants somebody to approve the plan."""
    if request.approval == "required":
        return True
    rule = settings().targets[request.target].approval
    asked = rule == "always" or (rule == "to-replace" and request.on_conflict == "replace")
    return asked and request.mode is not Mode.FILES_ONLY


def _outlook(request: RestoreRequest) -> LoadOutlook | None:
    """How databases will be loaded, as far as settings, server and the files that have landed tell."""
    if request.mode is Mode.FILES_ONLY:
        return None
    server = target_server(request.target)
    with server.connect() as connection:
        means = load_means(server.max_jobs, read_capabilities(connection).max_connections)
    rows = not request.schema_only
    files = sorted(_landed(request), key=lambda file: -file.size)
    known = tuple(foresee(file.database, file.size, means, rows=rows) for file in files[:_FORESEEN])
    return LoadOutlook(rule=rule(means, rows=rows), databases=known, left_out=len(files) - len(known))


def _landed(request: RestoreRequest) -> list[SurveyedFile]:
    """The files of wanted databases, where they lie in a landing container already."""
    source = request.source
    if isinstance(source, BackupSource) or source.container not in LANDING_CONTAINERS:
        return []
    try:
        listing = list_files(source.container, source.backup_name, closed=True)
    except LandingFailed as error:  # the import tells
        _log.info("the files of a plan are not known: %s", error)
        return []
    return [file for file in survey(listing, request).files if file.final_name]


def check_tools() -> Toolbox:
    """The client tools, fit for scripts from outside.

    Raises:
        ToolMissing, ToolTooOld: they are not.
    """
    tools = toolbox()
    require_restriction(tools.psql)
    return tools


def check_target(alias: str) -> TargetRef:
    """The target server, as it answers.

    Raises:
        RequestRejected: no such alias is configured.
        TargetRefused: it does not let the import in, or not do its work.
    """
    server = target_server(alias)
    try:
        with server.connect() as connection:
            row = connection.execute(
                "SELECT current_setting('server_version'), rolcreatedb FROM pg_roles WHERE rolname = current_user"
            ).fetchone()
    except TargetUnavailable as error:
        raise TargetRefused(f"{error.text} Start the server, or open its firewall for this app.") from error
    except DatabaseError as error:
        raise TargetRefused(f"{server.host}: {error}") from error
    if row is None or not row[1]:
        raise TargetRefused(f"{server.user} may not create databases on {server.host}: ALTER ROLE … CREATEDB.")
    return TargetRef(alias=alias, host=server.host, version=str(row[0]).split(" ", 1)[0])


def _source(request: RestoreRequest, found: Findings) -> tuple[BackupInstanceRef | None, RecoveryPointRef | None]:
    source = request.source
    if not isinstance(source, BackupSource):
        if source.container not in LANDING_CONTAINERS:
            known = ", ".join(LANDING_CONTAINERS)
            found.rejections.append(
                f"source.container: {source.container!r} is no landing container; known are: {known}."
            )
        return None, None
    found.add(found.attempt("landing account", landing_account.findings))
    found.add(found.attempt("landing account", _landing_connection))
    instance = found.attempt("backup instance", lambda: instances.resolve(source.backup_instance))
    if instance is None:
        return None, None
    point = found.attempt("recovery point", lambda: recovery_points.choose(instance, source))
    found.add(found.attempt("backup jobs", lambda: _running_jobs(instance)))
    return instance, point


def _running_jobs(instance: BackupInstanceRef) -> list[Finding]:
    """Other jobs of the datasource: something to wait for, or an obstacle, as the operator wants it."""
    running = [f"{job} is running on {instance.server}" for job in jobs.running(instance)]
    if settings().busy_datasource == "fail":
        remedy = "send the request again when it has ended, or set FLEX_RESTORE_BUSY_DATASOURCE to wait"
        return [Finding(check="backup jobs", severity="error", message=f"{one}.", remedy=remedy) for one in running]
    text = "the restore starts when it has ended."
    return [Finding(check="backup jobs", severity="warning", message=f"{one}; {text}") for one in running]


def _require_webhooks(request: RestoreRequest) -> None:
    configured = settings().webhooks
    known = ", ".join(sorted(configured)) or "none"
    unknown = [name for name in dict.fromkeys(request.notify) if name not in configured]
    if unknown:
        details = [f"notify: {name!r} is no configured webhook; known are: {known}." for name in unknown]
        raise RequestRejected(details=details)


def _landing_connection() -> list[Finding]:
    """Whether the app looks for files where the vault writes them."""
    account = ResourceId.parse(settings().landing_account).name
    if landing_container(LANDING_CONTAINERS[0]).account_name == account:
        return []
    message = f"The connection LandingStorage is not to {account}, the account that the vault restores into."
    remedy = "make LandingStorage and FLEX_RESTORE_LANDING_ACCOUNT name the same account"
    return [Finding(check="landing account", severity="error", message=message, remedy=remedy)]


def _taken_names(request: RestoreRequest) -> list[Finding]:
    """Databases that the request names one by one and whose final names exist; others are known once files landed."""
    finals = [choice.final(choice.name) for choice in request.databases if not choice.is_pattern]
    with target_server(request.target).connect() as connection:
        return temporary.taken(connection, finals)
