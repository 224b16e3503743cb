"""The functions of an app as the worker describes them, checked against what this host can run."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from local.host.config import ConfigError
from local.host.settings import Settings

TRIGGERS = {"httpTrigger", "queueTrigger", "blobTrigger", "timerTrigger", "orchestrationTrigger", "activityTrigger"}
_INPUTS = {"durableClient"}
_OUTPUTS = {"http", "queue", "blob"}
_OF_STORAGE = {"queueTrigger", "blobTrigger", "queue", "blob"}
_OUT = "OUT"


@dataclass(frozen=True, slots=True)
class Binding:
    """One binding: its parameter's name, its type, and its options as in function.json."""

    name: str
    type: str
    options: Mapping[str, Any]

    @property
    def is_output(self) -> bool:
        """Whether the function writes it."""
        return str(self.options.get("direction", "")).upper() == _OUT

    @property
    def is_deferred(self) -> bool:
        """Whether the parameter is an SDK type, made by the worker from a reference."""
        return bool(self.options.get("properties", {}).get("SupportsDeferredBinding"))


@dataclass(frozen=True, slots=True)
class Function:
    """One function of the app."""

    id: str
    name: str
    trigger: Binding
    inputs: tuple[Binding, ...]
    outputs: tuple[Binding, ...]


class FunctionCatalog:
    """The functions by trigger type and name; names are compared without case, as Azure does."""

    def __init__(self, functions: Iterable[Function]) -> None:
        self.all = tuple(functions)
        self._by_name = {(function.trigger.type, function.name.lower()): function for function in self.all}

    def of(self, trigger: str) -> list[Function]:
        """The functions of a trigger type."""
        return [function for function in self.all if function.trigger.type == trigger]

    def find(self, trigger: str, name: str) -> Function | None:
        """The function of a trigger type and name."""
        return self._by_name.get((trigger, name.lower()))


def read_functions(metadata: Iterable[Mapping[str, Any]], settings: Settings) -> FunctionCatalog:
    """The functions that the worker found, without those that are switched off.

    Raises:
        ConfigError: a function uses something that this host does not support; the text names both.
    """
    return FunctionCatalog(_read(item, settings) for item in metadata if not settings.is_disabled(item["name"]))


def _read(item: Mapping[str, Any], settings: Settings) -> Function:
    name = item["name"]
    if item["has_retry_policy"]:
        raise _unsupported(name, "a function-level retry policy (@app.retry)")
    bindings = [_binding(name, json.loads(raw), settings) for raw in item["raw_bindings"]]
    triggers = [binding for binding in bindings if binding.type.endswith("Trigger") and not binding.is_output]
    if len(triggers) != 1:
        raise ConfigError(f"function {name} has {len(triggers)} triggers; it must have one")
    return Function(
        id=item["id"],
        name=name,
        trigger=triggers[0],
        inputs=tuple(b for b in bindings if not b.is_output and b is not triggers[0]),
        outputs=tuple(b for b in bindings if b.is_output),
    )


def _binding(function: str, raw: dict[str, Any], settings: Settings) -> Binding:
    """A binding with its settings filled in, checked."""
    try:
        options = {key: settings.expand(value) if isinstance(value, str) else value for key, value in raw.items()}
        binding = Binding(options["name"], options["type"], options)
        _check(function, binding)
        if binding.type in _OF_STORAGE:
            settings.connection_string(options.get("connection"))
    except _UnsupportedError:
        raise
    except ConfigError as error:
        raise ConfigError(f"function {function}: {error}") from None
    return binding


def _check(function: str, binding: Binding) -> None:
    if binding.options.get("durableRequiresGrpc"):
        raise _unsupported(function, "azure-functions-durable 2.x (gRPC protocol); install azure-functions-durable 1.7")
    known = _OUTPUTS if binding.is_output else TRIGGERS | _INPUTS
    if binding.type not in known:
        feature = "durable entities (entityTrigger)" if binding.type == "entityTrigger" else None
        direction = "output" if binding.is_output else "input"
        raise _unsupported(function, feature or f"the {direction} binding {binding.type}")
    checker = _CHECKS.get(binding.type)
    if checker is not None:
        checker(function, binding)


def _check_blob_trigger(function: str, binding: Binding) -> None:
    container = str(binding.options["path"]).split("/", 1)[0]
    if "{" in container:
        raise _unsupported(function, f"a pattern in the container's name ({binding.options['path']})")


def _check_durable_client(function: str, binding: Binding) -> None:
    if binding.options.get("connectionName"):
        raise _unsupported(function, "a durable client of another storage account (connection_name)")


_CHECKS: dict[str, Callable[[str, Binding], None]] = {
    "blobTrigger": _check_blob_trigger,
    "durableClient": _check_durable_client,
}


class _UnsupportedError(ConfigError):
    """The text names the function already."""


def _unsupported(function: str, feature: str) -> ConfigError:
    return _UnsupportedError(f"function {function} uses {feature}, which this host does not support")
