"""host.json and the settings that override it: the part that this host honours, checked."""

import os
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AliasGenerator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
)
from pydantic.alias_generators import to_camel

from local.host.documents import read_document, spelling
from local.host.logs import LEVELS, LogLevels

if TYPE_CHECKING:
    from local.host.settings import Settings

_TIMESPAN = re.compile(r"(?:(\d{1,8})\.)?([01]?\d|2[0-3]):([0-5]?\d)(?::([0-5]?\d(?:\.\d{1,7})?))?")
_OVERRIDE = re.compile(r"AzureFunctionsJobHost(?:__|:)(.+)", re.IGNORECASE)
_CORES = os.cpu_count() or 1

# About Azure itself, the tools, or how much is recorded: nobody expects an effect on this machine.
_SILENT = {
    "$schema",
    "aggregator",
    "extensionbundle",
    "healthmonitor",
    "logging.applicationinsights",
    "logging.fileloggingmode",
    "manageddependency",
    "telemetrymode",
    "watchdirectories",
    "watchfiles",
}


class ConfigError(Exception):
    """The app, host.json or a setting cannot be used; the text says which, why and what to do."""


def _time_span(least: str = "00:00:00") -> BeforeValidator:
    """A .NET time span, `[d.]hh:mm[:ss[.fffffff]]`, as Azure's host reads it."""

    def check(value: object) -> timedelta:
        span = _parse(value)
        if span < _parse(least):
            raise ValueError(f"must be at least {least}")
        return span

    return BeforeValidator(check)


def _parse(value: object) -> timedelta:
    match = _TIMESPAN.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("must be a time span such as 00:05:00 or 1.12:00:00 (a day and a half)")
    days, hours, minutes, seconds = match.groups(default="0")
    return timedelta(days=int(days), hours=int(hours), minutes=int(minutes), seconds=float(seconds))


def _no_timeout(value: object) -> object:
    return None if value in ("-1", -1) else value


def _number(value: object) -> object:
    """A whole number, which in a setting is text."""
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?\d+\s*", value):
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("must be a whole number")  # noqa: TRY004 - pydantic wants a ValueError
    return value


def _one_of(*names: str) -> BeforeValidator:
    """One of some names, compared without case."""
    by_name = {name.lower(): name for name in names}

    def check(value: object) -> str:
        name = by_name.get(value.lower()) if isinstance(value, str) else None
        if name is None:
            raise ValueError(f"must be one of {', '.join(names)}")
        return name

    return BeforeValidator(check)


def _level(value: object) -> int:
    level = LEVELS.get(value.lower()) if isinstance(value, str) else None
    if level is None:
        raise ValueError(f"must be one of {', '.join(name.title() for name in LEVELS)}")
    return level


def _hub_name(value: object, info: ValidationInfo) -> object:
    """The hub's name with settings filled in; without one it is the site's, as in the Durable extension."""
    settings: Settings | None = info.context
    if value is None:
        return (settings and settings.get("WEBSITE_SITE_NAME")) or "TestHubName"
    if settings is None or not isinstance(value, str):
        return value
    try:
        return settings.expand(value)
    except ConfigError as error:
        raise ValueError(str(error)) from None


Number = Annotated[int, BeforeValidator(_number)]
TimeSpan = Annotated[timedelta, _time_span()]


class _Section(BaseModel):
    """A section: keys in camel case."""

    model_config = ConfigDict(frozen=True, alias_generator=AliasGenerator(validation_alias=to_camel))


class Queues(_Section):
    """`extensions.queues`, with Azure's defaults; that of maxPollingInterval is the one of development."""

    batch_size: Number = Field(16, ge=1, le=32)
    new_batch_threshold: Annotated[int | None, BeforeValidator(_number)] = Field(None, ge=0)
    max_dequeue_count: Number = Field(5, ge=1)
    visibility_timeout: TimeSpan = timedelta(0)
    message_encoding: Annotated[Literal["base64", "none"], _one_of("base64", "none")] = "base64"
    max_polling_interval: Annotated[timedelta, _time_span("00:00:00.1")] = timedelta(seconds=2)

    @property
    def refill_at(self) -> int:
        """The number of running messages at or below which the next batch is fetched."""
        return self.batch_size // 2 * _CORES if self.new_batch_threshold is None else self.new_batch_threshold


class Blobs(_Section):
    """`extensions.blobs`."""

    max_degree_of_parallelism: Number = Field(8 * _CORES, ge=1)
    poison_blob_threshold: Number = Field(5, ge=1)


class Durable(_Section):
    """`extensions.durableTask`."""

    hub_name: Annotated[str, BeforeValidator(_hub_name)] = Field(None, min_length=1, validate_default=True)
    max_concurrent_activity_functions: Number = Field(10 * _CORES, ge=1)
    max_concurrent_orchestrator_functions: Number = Field(10 * _CORES, ge=1)
    overridable_existing_instance_states: Annotated[
        Literal["NonRunningStates", "AnyState"], _one_of("NonRunningStates", "AnyState")
    ] = "NonRunningStates"
    default_version: str | None = None
    version_match_strategy: Annotated[str, _one_of("None", "Strict", "CurrentOrOlder")] = "CurrentOrOlder"
    version_failure_strategy: Annotated[str, _one_of("Reject", "Fail")] = "Reject"


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

    log_level: dict[str, Annotated[int, BeforeValidator(_level)]] = {}

    @property
    def levels(self) -> LogLevels:
        """The levels by category."""
        return LogLevels({category.lower(): level for category, level in self.log_level.items()})


class HostConfig(_Section):
    """host.json."""

    version: Literal["2.0"]
    function_timeout: Annotated[Annotated[timedelta, _time_span("00:00:01")] | None, BeforeValidator(_no_timeout)] = (
        timedelta(minutes=30)
    )
    extensions: Extensions = Extensions()
    logging: Logging = Logging()


def read_host_config(app: Path, settings: "Settings") -> tuple[HostConfig, list[str]]:
    """Read `host.json` of an app's folder, with the settings AzureFunctionsJobHost__section__key laid over it.

    Returns:
        The configuration, and the keys that are given but have no effect here.

    Raises:
        ConfigError: there is none, it is no JSON, or a key has a wrong value; the text names each such key or setting.
    """
    path = app / "host.json"
    try:
        document = read_object(path)
    except (FileNotFoundError, NotADirectoryError):
        raise ConfigError(f"{app} has no host.json: is it the folder of a function app?") from None
    overriding = _override(document, settings.values)
    unknown: list[str] = []
    known = _known(HostConfig, document, (), unknown)
    try:
        config = HostConfig.model_validate(known, context=settings)
    except ValidationError as error:
        raise ConfigError("; ".join(_problem(item, path, overriding) for item in error.errors())) from None
    return config, [key for key in unknown if key.lower() not in _SILENT]


def read_object(path: Path) -> dict[str, Any]:
    """The object that a JSON file holds.

    Raises:
        FileNotFoundError, NotADirectoryError: there is no such file.
        ConfigError: it holds something else.
    """
    try:
        document = read_document(path)
    except ValueError as error:
        raise ConfigError(f"{path} is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise ConfigError(f"{path} must hold an object, {{...}}, at its top")
    return document


def _override(document: dict[str, Any], settings: Mapping[str, str]) -> dict[tuple[str, ...], str]:
    """Lay the settings that override host.json over a document; their names, by the paths of keys in lower case."""
    names = {}
    for name, value in settings.items():
        match = _OVERRIDE.fullmatch(name)
        if match is not None:
            path = re.split("__|:", match.group(1))
            _put(document, path, value)
            names[tuple(part.lower() for part in path)] = name
    return names


def _put(document: dict[str, Any], path: list[str], value: str) -> None:
    *sections, key = path
    for section in sections:
        inner = document.setdefault(spelling(document, section), {})
        if not isinstance(inner, dict):
            return  # a wrong value in the file, which is reported when all is checked
        document = inner
    document[spelling(document, key)] = value


def _known(model: type[_Section], document: dict[str, Any], path: tuple[str, ...], unknown: list[str]) -> Any:
    """A section's keys as the models spell them, for .NET compares them without case; null is as if left out."""
    given = {key.lower(): (key, value) for key, value in document.items()}
    known = {}
    for field, details in model.model_fields.items():
        name, inner = to_camel(field), details.annotation
        _, value = given.pop(name.lower(), (name, None))
        if isinstance(inner, type) and issubclass(inner, _Section) and isinstance(value, dict | None):
            known[name] = _known(inner, value or {}, (*path, name), unknown)
        elif value is not None:
            known[name] = value
    unknown += [".".join((*path, key)) for key, _ in given.values()]
    return known


def _problem(problem: Mapping[str, Any], path: Path, overriding: Mapping[tuple[str, ...], str]) -> str:
    location = tuple(str(part) for part in problem["loc"])
    setting = overriding.get(tuple(part.lower() for part in location))
    where = f"the setting {setting}" if setting else f"{path}: {'.'.join(location)}"
    if problem["type"] == "missing":
        return f'{where} is missing: add "version": "2.0"'
    if problem["type"] in {"model_type", "dict_type"}:
        return f"{where}: must be an object, not {problem['input']!r}"
    return f"{where}: {problem['msg'].removeprefix('Value error, ')}, not {problem['input']!r}"
