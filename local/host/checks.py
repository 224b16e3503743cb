"""What a binding may ask for. The rest is refused at start, by name, rather than left out or failed on later."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from local.host.config import ConfigError
from local.host.parameters import BUILT_IN, expressions

_QUEUE_NAME = re.compile(r"(?=.{3,63}$)[a-z0-9]+(?:-[a-z0-9]+)*")
_CONTAINER_NAME = re.compile(r"(?=.{3,63}$)[a-z0-9]+(?:-[a-z0-9]+)*|\$root|\$web")
_BLOB_SOURCES = {None, "LogsAndContainerScan", "EventGrid"}

_OF_ALL = {"direction", "type", "name", "dataType", "properties"}
_OPTIONS = {
    "httpTrigger": {"methods", "authLevel", "route"},
    "http": set(),
    "queueTrigger": {"queueName", "connection"},
    "queue": {"queueName", "connection"},
    "blobTrigger": {"path", "connection", "source"},
    "blob": {"path", "connection"},
    "timerTrigger": {"schedule", "runOnStartup", "useMonitor"},
    "orchestrationTrigger": {"orchestration", "durableRequiresGrpc"},
    "activityTrigger": {"activity", "durableRequiresGrpc"},
    "durableClient": {"taskHub", "connectionName", "durableRequiresGrpc"},
}


class UnsupportedError(Exception):
    """A binding asks for something that this host does not have; the text names it."""


def check_binding(kind: str, options: Mapping[str, Any]) -> None:
    """Check a binding of a known type, its settings filled in.

    Raises:
        UnsupportedError: it asks for what this host does not have.
        ConfigError: Azure would not take it either.
    """
    if options.get("durableRequiresGrpc"):
        raise UnsupportedError("azure-functions-durable 2.x (gRPC protocol); install azure-functions-durable 1.7")
    unknown = sorted(key for key in options if key not in _OF_ALL | _OPTIONS[kind] and options[key] is not None)
    if unknown:
        raise UnsupportedError(f"the option {unknown[0]} of the binding {kind}")
    if kind in _CHECKS:
        _CHECKS[kind](options)


def check_template(template: str, given: set[str] | None) -> None:
    """Check the expressions of an output's path or queue name; `given` are those that its trigger has, None any.

    Raises:
        UnsupportedError: one has a format.
        ConfigError: one can never have a value.
    """
    for name in expressions(template):
        if ":" in name:
            raise UnsupportedError(f"a format in {{{name}}}")
        known = BUILT_IN | {item.lower() for item in given or ()}
        if given is not None and name.lower() not in known:
            raise ConfigError(f"{{{name}}} in {template!r} never has a value; the trigger gives {sorted(known)}")


def _check_queue_trigger(options: Mapping[str, Any]) -> None:
    if not _QUEUE_NAME.fullmatch(options["queueName"]):
        raise ConfigError(
            f"{options['queueName']!r} is no name for a queue: 3 to 63 letters, digits and single dashes between them"
        )


def _check_queue(options: Mapping[str, Any]) -> None:
    if not expressions(options["queueName"]):
        _check_queue_trigger(options)


def _check_blob_trigger(options: Mapping[str, Any]) -> None:
    path, source = str(options["path"]), options.get("source")
    container, slash, pattern = path.partition("/")
    if "{" in container:
        raise UnsupportedError(f"a pattern in the container's name ({path})")
    if not _CONTAINER_NAME.fullmatch(container) or (slash and not pattern):
        raise ConfigError(f"{path!r} is no path for a blob trigger, which is container/pattern")
    if source not in _BLOB_SOURCES:
        raise ConfigError(f"{source!r} is no source of a blob trigger, which is LogsAndContainerScan or EventGrid")


def _check_blob(options: Mapping[str, Any]) -> None:
    container, _, blob = str(options["path"]).partition("/")
    if not blob or not (expressions(container) or _CONTAINER_NAME.fullmatch(container)):
        raise ConfigError(f"{options['path']!r} is no path for a blob, which is container/blob")


def _check_durable_client(options: Mapping[str, Any]) -> None:
    if options.get("connectionName"):
        raise UnsupportedError("a durable client of another storage account (connection_name)")
    if options.get("taskHub"):
        raise UnsupportedError("a durable client of a task hub by name (task_hub); leave it to host.json")


_CHECKS: dict[str, Callable[[Mapping[str, Any]], None]] = {
    "queueTrigger": _check_queue_trigger,
    "queue": _check_queue,
    "blobTrigger": _check_blob_trigger,
    "blob": _check_blob,
    "durableClient": _check_durable_client,
}
