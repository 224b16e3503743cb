"""App settings: the environment first, then local.settings.json, as Core Tools reads them."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local.host.config import ConfigError

STORAGE = "AzureWebJobsStorage"
_EXPRESSION = re.compile(r"%([^%]+)%")
_IDENTITY_SUFFIXES = ("__serviceUri", "__blobServiceUri", "__queueServiceUri", "__accountName", "__credential")


class Settings:
    """The settings of one app."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = dict(values)

    @classmethod
    def read(cls, app: Path, environment: Mapping[str, str]) -> "Settings":
        """Read the settings of an app's folder.

        Raises:
            ConfigError: local.settings.json is there and cannot be used.
        """
        path = app / "local.settings.json"
        try:
            document: Any = json.loads(path.read_text())
        except FileNotFoundError:
            return cls(environment)
        except json.JSONDecodeError as error:
            raise ConfigError(f"{path} is not JSON: {error}") from None
        if not isinstance(document, dict) or document.get("IsEncrypted"):
            raise ConfigError(f"{path} must be an object that is not encrypted (`func settings decrypt`)")
        values = document.get("Values", {})
        if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
            raise ConfigError(f"{path}: Values must map names to strings")
        return cls({**values, **environment})

    def expand(self, text: str) -> str:
        """`text` with each `%NAME%` replaced by that setting.

        Raises:
            ConfigError: a setting that is named is not there.
        """

        def value(match: re.Match[str]) -> str:
            name = match.group(1)
            if name not in self.values:
                raise ConfigError(f"%{name}% in {text!r} names a setting that does not exist")
            return self.values[name]

        return _EXPRESSION.sub(value, text)

    def connection_string(self, name: str | None) -> str:
        """The storage connection string that a binding's `connection` names; none means AzureWebJobsStorage.

        Raises:
            ConfigError: there is no such setting, or it is an identity-based connection.
        """
        name = name or STORAGE
        for candidate in (name, f"AzureWebJobs{name}"):
            if candidate in self.values:
                return self.values[candidate]
        identity = next((name + suffix for suffix in _IDENTITY_SUFFIXES if name + suffix in self.values), None)
        if identity is not None:
            raise ConfigError(
                f"{identity} makes {name} an identity-based connection, which this host does not support: "
                f"set {name} to a connection string"
            )
        raise ConfigError(f"the connection {name} is not set: set {name} to a storage connection string")

    def is_disabled(self, function: str) -> bool:
        """Whether `AzureWebJobs.<function>.Disabled` switches a function off."""
        return self.values.get(f"AzureWebJobs.{function}.Disabled", "").lower() in {"true", "1"}
