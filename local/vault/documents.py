"""Models kept as JSON files: each write is whole or not at all, so that `kill -9` leaves no broken state."""

import os
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel


class Documents[Model: BaseModel]:
    """The documents of one kind, by key; keys are file names."""

    def __init__(self, folder: Path, model: type[Model]) -> None:
        self._folder = folder
        self._model = model
        folder.mkdir(parents=True, exist_ok=True)

    def put(self, key: str, document: Model) -> None:
        """Write a document, replacing the one of that key."""
        unfinished = self._folder / f".{key}.tmp"
        with unfinished.open("w") as file:
            file.write(document.model_dump_json())
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(self._path(key))

    def get(self, key: str) -> Model | None:
        """The document of a key, or None."""
        path = self._path(key)
        return self._model.model_validate_json(path.read_text()) if path.is_file() else None

    def __iter__(self) -> Iterator[Model]:
        """All documents, in the order of their keys."""
        for path in sorted(self._folder.glob("*.json")):
            yield self._model.model_validate_json(path.read_text())

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.json"
