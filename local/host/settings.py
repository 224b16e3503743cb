"""App settings: the environment first, then local.settings.json, as Core Tools reads them."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local.host.config import ConfigError, read_object
from local.host.documents import member

STORAGE = "AzureWebJobsStorage"
_CONNECTION_STRINGS = "ConnectionStrings:"
_EXPRESSION = re.compile(r"%([^%]+)%")
_IDENTITY_SUFFIXES = ("__serviceUri", "__blobServiceUri", "__queueServiceUri", "__accountName", "__credential")


class Settings:
    """The settings of one app. `local_port` is the HTTP port that local.settings.json asks for."""

    def __init__(self, values: Mapping[str, str], local_port: int | None = None) -> None:
        self.values = dict(values)
        self.local_port = local_port
        self._folded = {_fold(name): value for name, value in values.items()}

    @classmethod
    def read(cls, app: Path, environment: Mapping[str, str]) -> "Settings":
        """Read the settings of an app's folder. What is empty in the environment counts as not there.

        Raises:
            ConfigError: local.settings.json is there and cannot be used.
        """
        path = app / "local.settings.json"
        try:
            document = read_object(path)
        except (FileNotFoundError, NotADirectoryError):
            return cls(environment)
        if _text(member(document, "IsEncrypted")) == "true":
            raise ConfigError(f"{path} is encrypted, which this host does not support: run `func settings decrypt`")
        values = {**_values(document, path), **_connection_strings(document, path)}
        given = {name: value for name, value in environment.items() if value or name not in values}
        return cls({**values, **given}, _local_port(document, path))

    def get(self, name: str) -> str | None:
        """A setting; when there is none of that spelling, names are compared without case, and `:` is like `__`."""
        value = self.values.get(name)
        return self._folded.get(_fold(name)) if value is None else value

    def expand(self, text: str) -> str:
        """`text` with each `%NAME%` replaced by that setting.

        Raises:
            ConfigError: a setting that is named is not there.
        """

        def value(match: re.Match[str]) -> str:
            found = self.get(match.group(1))
            if found is None:
                raise ConfigError(f"{match.group()} in {text!r} names a setting that does not exist")
            return found

        return _EXPRESSION.sub(value, text)

    def connection_string(self, name: str | None) -> str:
        """The storage connection string that a binding's `connection` names; none means AzureWebJobsStorage.

        Looked for as in Azure: with the prefix AzureWebJobs first, and among ConnectionStrings before Values.

        Raises:
            ConfigError: there is no such setting, or it is an identity-based connection.
        """
        name = name or STORAGE
        for candidate in (f"AzureWebJobs{name}", name):
            found = self.get(_CONNECTION_STRINGS + candidate) or self.get(candidate)
            if found:
                return found
        identity = next((name + suffix for suffix in _IDENTITY_SUFFIXES if self.get(name + suffix)), None)
        if identity is not None:
            raise ConfigError(
                f"{identity} makes {name} an identity-based connection, which this host does not support: "
                f"set {name} to a connection string"
            )
        raise ConfigError(f"the connection {name} is not set: set {name} to a storage connection string")

    def is_disabled(self, function: str) -> bool:
        """Whether `AzureWebJobs.<function>.Disabled` switches a function off."""
        return (self.get(f"AzureWebJobs.{function}.Disabled") or "").lower() in {"true", "1"}


def _fold(name: str) -> str:
    return name.lower().replace(":", "__")


def _section(document: dict[str, Any], name: str, path: Path) -> dict[str, Any]:
    section = member(document, name)
    if section is None:
        return {}
    if not isinstance(section, dict):
        raise ConfigError(f"{path}: {name} must be an object, not {section!r}")
    return section


def _values(document: dict[str, Any], path: Path) -> dict[str, str]:
    """Values: numbers and booleans become text, null and a name of nothing are left out."""
    values = {}
    for name, value in _section(document, "Values", path).items():
        text = _text(value)
        if text is None and value is not None:
            raise ConfigError(f"{path}: Values.{name} must be text, a number or a boolean; nothing can be inside it")
        if text is not None and name:
            values[name] = text
    return values


def _connection_strings(document: dict[str, Any], path: Path) -> dict[str, str]:
    """ConnectionStrings: each is text, or an object with ConnectionString and ProviderName."""
    found = {}
    for name, value in _section(document, "ConnectionStrings", path).items():
        text = member(value, "ConnectionString") if isinstance(value, dict) else value
        if not isinstance(text, str):
            raise ConfigError(f"{path}: ConnectionStrings.{name} must be text or an object with ConnectionString")
        found[_CONNECTION_STRINGS + name] = text
    return found


def _local_port(document: dict[str, Any], path: Path) -> int | None:
    port = member(_section(document, "Host", path), "LocalHttpPort")
    text = _text(port)
    if port is None or text == "0":
        return None
    if text is None or not text.isdecimal() or int(text) > 65535:
        raise ConfigError(f"{path}: Host.LocalHttpPort must be a port from 1 to 65535, not {port!r}")
    return int(text)


def _text(value: object) -> str | None:
    """A plain value as text, a boolean as JSON writes it; None for null, lists and objects."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int) else None
