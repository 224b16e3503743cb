"""The keys that HTTP functions ask for, kept in a file of the data folder."""

import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local.host.config import ConfigError

OVERRIDE = "LOCAL_HOST_KEY"
"""The environment variable that replaces all keys."""


@dataclass(frozen=True, slots=True)
class Keys:
    """`default` opens functions of level function, `master` those of level admin as well; `origin` has them."""

    default: str
    master: str
    origin: str

    @classmethod
    def read(cls, path: Path, environment: Mapping[str, str]) -> "Keys":
        """The keys of a file, which is made with random keys when it is not there.

        Raises:
            ConfigError: the file is there and does not hold keys.
        """
        override = environment.get(OVERRIDE)
        if override:
            return cls(override, override, OVERRIDE)
        if not path.exists():
            _write(path, {"default": secrets.token_urlsafe(32), "master": secrets.token_urlsafe(32)})
        try:
            document = json.loads(path.read_text())
        except ValueError:
            document = None
        match document:
            case {"default": str(default), "master": str(master)} if default and master:
                return cls(default, master, str(path))
        raise ConfigError(f'{path} must hold {{"default": "...", "master": "..."}}: delete it to get new keys')

    def open(self, level: str, given: str | None) -> bool:
        """Whether a key that a request gives is enough for a level: anonymous, function or admin."""
        accepted = {"anonymous": None, "function": (self.default, self.master), "admin": (self.master,)}[level]
        if accepted is None:
            return True
        return given is not None and any(hmac.compare_digest(given.encode(), key.encode()) for key in accepted)

    def describe(self) -> list[str]:
        """Lines for the person who starts the host; never for the log. A key of their own is not shown."""
        if self.origin == OVERRIDE:
            return [f"Key: the value of {OVERRIDE} opens every function."]
        return [
            f"Keys, in {self.origin}, for ?code= or the header x-functions-key:",
            f"  default  {self.default}",
            f"  master   {self.master}  (also for functions of level admin)",
        ]


def _write(path: Path, document: Mapping[str, str]) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    draft = path.with_suffix(".tmp")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(document, indent=2))
    draft.replace(path)
