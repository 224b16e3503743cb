"""The keys that HTTP functions ask for, kept in a file of the data folder."""

import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

OVERRIDE = "LOCAL_HOST_KEY"
"""The environment variable that replaces all keys."""


@dataclass(frozen=True, slots=True)
class Keys:
    """`default` opens functions of level function, `master` those of level admin as well."""

    default: str
    master: str

    @classmethod
    def read(cls, path: Path, environment: Mapping[str, str]) -> "Keys":
        """The keys of a file, which is made with random keys when it is not there."""
        override = environment.get(OVERRIDE)
        if override:
            return cls(override, override)
        if not path.exists():
            document = {"default": secrets.token_urlsafe(32), "master": secrets.token_urlsafe(32)}
            path.touch(mode=0o600)
            path.write_text(json.dumps(document, indent=2))
        return cls(**json.loads(path.read_text()))

    def open(self, level: str, given: str | None) -> bool:
        """Whether a key that a request gives is enough for a level: anonymous, function or admin."""
        accepted = {"anonymous": None, "function": (self.default, self.master), "admin": (self.master,)}[level]
        if accepted is None:
            return True
        return given is not None and any(hmac.compare_digest(given.encode(), key.encode()) for key in accepted)
