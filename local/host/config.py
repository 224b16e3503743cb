"""host.json: the part of it that this host honours, checked."""

import json
import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AliasGenerator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

_TIMESPAN = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{2}):(\d{2})(?:\.\d+)?")
_CORES = os.cpu_count() or 1


class ConfigError(Exception):
    """The app, host.json or a setting cannot be used; the text says which, why and what to do."""


def _timespan(value: object) -> object:
    """A .NET time span, `[d.]hh:mm:ss`, as Azure's host reads it."""
    match = _TIMESPAN.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"must be a time span such as 00:05:00, not {value!r}")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def _function_timeout(value: object) -> object:
    return None if value in {"-1", -1, None} else _timespan(value)


TimeSpan = Annotated[timedelta, BeforeValidator(_timespan)]


class _Section(BaseModel):
    """A section: keys in camel case; keys that are unknown here are Azure's business and are left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=AliasGenerator(validation_alias=to_camel))


class Queues(_Section):
    """`extensions.queues`, with Azure's defaults."""

    batch_size: int = Field(16, ge=1, le=32)
    new_batch_threshold: int | None = Field(None, ge=0)
    max_dequeue_count: int = Field(5, ge=1)
    visibility_timeout: TimeSpan = timedelta(0)
    message_encoding: Literal["base64", "none"] = "base64"
    max_polling_interval: TimeSpan = timedelta(seconds=2)

    @property
    def refill_at(self) -> int:
        """The number of running messages at or below which the next batch is fetched."""
        return self.batch_size // 2 if self.new_batch_threshold is None else self.new_batch_threshold


class Blobs(_Section):
    """`extensions.blobs`."""

    max_degree_of_parallelism: int = Field(8 * _CORES, ge=1)
    poison_blob_threshold: int = Field(5, ge=1)


class Durable(_Section):
    """`extensions.durableTask`."""

    hub_name: str = "TestHubName"
    max_concurrent_activity_functions: int = Field(10 * _CORES, ge=1)
    max_concurrent_orchestrator_functions: int = Field(10 * _CORES, ge=1)
    overridable_existing_instance_states: Literal["NonRunningStates", "AnyState"] = "NonRunningStates"


class Http(_Section):
    """`extensions.http`."""

    route_prefix: str = "api"


class Extensions(_Section):
    """`extensions`."""

    queues: Queues = Queues()
    blobs: Blobs = Blobs()
    durable_task: Durable = Durable()
    http: Http = Http()


class Logging(_Section):
    """`logging`."""

    log_level: dict[str, str] = {}

    @property
    def default_level(self) -> str:
        """The level's name in Python's logging."""
        names = {"trace": "DEBUG", "debug": "DEBUG", "warning": "WARNING", "error": "ERROR", "critical": "CRITICAL"}
        return names.get(self.log_level.get("default", "Information").lower(), "INFO")


class HostConfig(_Section):
    """host.json."""

    version: Literal["2.0"]
    function_timeout: Annotated[timedelta | None, BeforeValidator(_function_timeout)] = timedelta(minutes=30)
    extensions: Extensions = Extensions()
    logging: Logging = Logging()


def read_host_config(app: Path) -> HostConfig:
    """Read `host.json` of an app's folder.

    Raises:
        ConfigError: there is none, it is no JSON, or a key has a wrong value; the text names each such key.
    """
    path = app / "host.json"
    try:
        document: Any = json.loads(path.read_text())
    except FileNotFoundError:
        raise ConfigError(f"{app} has no host.json: is it the folder of a function app?") from None
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path} is not JSON: {error}") from None
    try:
        return HostConfig.model_validate(document)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc']) or 'the document'}: {problem['msg']}"
            for problem in error.errors()
        )
        raise ConfigError(f"{path}: {problems}") from None
