"""The functions of an app as the worker describes them, checked against what this host can run."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from local.host.checks import UnsupportedError, check_binding, check_template
from local.host.config import ConfigError
from local.host.parameters import expressions
from local.host.settings import Settings

TRIGGERS = {"httpTrigger", "queueTrigger", "blobTrigger", "timerTrigger", "orchestrationTrigger", "activityTrigger"}
_INPUTS = {"durableClient"}
_OUTPUTS = {"http", "queue", "blob"}
_OF_STORAGE = {"queueTrigger", "blobTrigger", "queue", "blob"}
_OUT = "OUT"
_NAMED = {"entityTrigger": "durable entities (entityTrigger)"}


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

    @property
    def durable_name(self) -> str:
        """The name by which orchestrations know it."""
        options = self.trigger.options
        return options.get("orchestration") or options.get("activity") or self.name


class FunctionCatalog:
    """The functions by trigger type and name; names are compared without case, as Azure does."""

    def __init__(self, functions: Iterable[Function]) -> None:
        self.all = tuple(functions)
        self._by_name = {(function.trigger.type, function.durable_name.lower()): function for function in self.all}

    def of(self, trigger: str) -> list[Function]:
        """The functions of a trigger type."""
        return [function for function in self.all if function.trigger.type == trigger]

    def find(self, trigger: str, name: str) -> Function | None:
        """The function of a trigger type and a name that orchestrations know."""
        return self._by_name.get((trigger, name.lower()))


def read_functions(metadata: Iterable[Mapping[str, Any]], settings: Settings) -> FunctionCatalog:
    """The functions that the worker found, without those that are switched off.

    Raises:
        ConfigError: a function uses something that this host does not support; the text names both.
    """
    return FunctionCatalog(_read(item, settings) for item in metadata if not settings.is_disabled(item["name"]))


def _read(item: Mapping[str, Any], settings: Settings) -> Function:
    name = item["name"]
    try:
        return _function(item, [_binding(json.loads(raw), settings) for raw in item["raw_bindings"]], settings)
    except UnsupportedError as error:
        raise ConfigError(f"function {name} uses {error}, which this host does not support") from None
    except ConfigError as error:
        raise ConfigError(f"function {name}: {error}") from None


def _function(item: Mapping[str, Any], bindings: list[Binding], settings: Settings) -> Function:
    if item["has_retry_policy"]:
        raise UnsupportedError("a function-level retry policy (@app.retry)")
    triggers = [binding for binding in bindings if binding.type.endswith("Trigger") and not binding.is_output]
    if len(triggers) != 1:
        raise ConfigError(f"it has {len(triggers)} triggers; it must have one")
    (trigger,) = triggers
    zone = settings.values.get("WEBSITE_TIME_ZONE") or "UTC"
    if trigger.type == "timerTrigger" and zone != "UTC":
        raise UnsupportedError(f"a timer in the time zone {zone} (the setting WEBSITE_TIME_ZONE)")
    outputs = tuple(binding for binding in bindings if binding.is_output)
    for output in outputs:
        check_template(str(output.options.get("path") or output.options.get("queueName") or ""), _given(trigger))
    return Function(
        id=item["id"],
        name=item["name"],
        trigger=trigger,
        inputs=tuple(binding for binding in bindings if not binding.is_output and binding is not trigger),
        outputs=outputs,
    )


def _given(trigger: Binding) -> set[str] | None:
    """The names that a trigger gives to expressions, None when they are known with its content only."""
    if trigger.type in {"httpTrigger", "queueTrigger"}:
        return None
    return {"blobTrigger", "uri", *expressions(trigger.options["path"])} if trigger.type == "blobTrigger" else set()


def _binding(raw: dict[str, Any], settings: Settings) -> Binding:
    """A binding with its settings filled in, checked."""
    options = {key: settings.expand(value) if isinstance(value, str) else value for key, value in raw.items()}
    if "queueName" in options:
        options["queueName"] = options["queueName"].lower()  # as Azure does
    binding = Binding(options["name"], options["type"], options)
    known = _OUTPUTS if binding.is_output else TRIGGERS | _INPUTS
    if binding.type not in known:
        raise UnsupportedError(_NAMED.get(binding.type, f"the {_role(binding)} {binding.type}"))
    check_binding(binding.type, options)
    if binding.type in _OF_STORAGE:
        settings.connection_string(options.get("connection"))
    return binding


def _role(binding: Binding) -> str:
    if binding.is_output:
        return "output binding"
    return "trigger" if binding.type.endswith("Trigger") else "input binding"
