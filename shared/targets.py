"""Target servers by the aliases that the operator configured."""

import os
from collections.abc import Callable
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from tempfile import gettempdir

from pydantic import SecretStr

from shared.errors import Misconfigured, RequestRejected
from shared.postgres.outlook import Means
from shared.postgres.server import TargetServer
from shared.postgres.split import Strength
from shared.postgres.staging import Staging
from shared.postgres.tools import Toolbox
from shared.settings import Target, is_unresolved, settings
from shared.storage.accounts import identity_of

_TOKEN_SCOPE = "https://ossrdbms-aad.database.windows.net/.default"  # noqa: S105 -- a scope is no secret


def target_server(alias: str) -> TargetServer:
    """The server that requests name by this alias.

    Raises:
        RequestRejected: no such alias is configured.
    """
    target = _configured(alias)
    return TargetServer(
        host=target.host,
        port=target.port,
        user=target.user,
        password=_secret(alias, target),
        sslmode=target.sslmode,
        max_jobs=max(1, settings().jobs or 4),
    )


def staging() -> Staging:
    """Where files are staged, and how much of it one load may take."""
    limit = settings().staging_limit_mb
    directory = Path(settings().staging_directory or gettempdir()) / "flex-restore"
    return Staging(directory if limit else None, limit * 1024 * 1024)


def load_means(max_jobs: int, max_connections: int) -> Means:
    """What a load into a server that bears so many has at hand."""
    chosen = settings()
    return Means(staging(), chosen.route, chosen.jobs, chosen.lanes, max_jobs, max_connections)


def import_limit(alias: str) -> int:
    """How many file sets are imported into a server at once.

    Raises:
        RequestRejected: no such alias is configured.
    """
    return _configured(alias).imports_at_once


def strength(alias: str) -> Strength:
    """What the operator tells of the server itself.

    Raises:
        RequestRejected: no such alias is configured.
    """
    target = _configured(alias)
    return Strength(target.cores, target.storage_mb)


def checks(alias: str, database: str) -> dict[str, str]:
    """The operator's queries for a database of that name in the backup, by their names."""
    configured = settings().targets[alias].checks
    return {name: check.sql for name, check in configured.items() if fnmatchcase(database, check.database)}


def _configured(alias: str) -> Target:
    target = settings().targets.get(alias)
    if target is None:
        known = ", ".join(sorted(settings().targets)) or "none"
        raise RequestRejected(f"target: {alias!r} is no configured target server; known are: {known}.")
    return target


def _secret(alias: str, target: Target) -> SecretStr | Callable[[], str]:
    if target.password_setting is None:
        identity = identity_of(target.identity)
        return lambda: identity.get_token(_TOKEN_SCOPE).token
    password = os.environ.get(target.password_setting)
    if password and is_unresolved(password):
        text = "is a reference to Key Vault that was not resolved; let the app's identity read that secret"
        raise Misconfigured(f"The app setting {target.password_setting} with target {alias!r}'s password {text}.")
    if password:
        return SecretStr(password)
    raise Misconfigured(f"The app setting {target.password_setting} with target {alias!r}'s password is empty.")


@lru_cache(maxsize=1)
def toolbox() -> Toolbox:
    """The client programs of this process."""
    return Toolbox.find(psql=settings().psql, pg_restore=settings().pg_restore)
