"""Documents are whole or not there."""

from pathlib import Path

import pytest

from local.vault.config import Frozen
from local.vault.documents import Documents


class Note(Frozen):
    text: str


def test_a_document_is_read_back_and_replaced(tmp_path: Path) -> None:
    notes = Documents(tmp_path / "notes", Note)

    notes.put("b", Note(text="first"))
    notes.put("b", Note(text="second"))
    notes.put("a==", Note(text="other"))

    assert notes.get("b") == Note(text="second")
    assert notes.get("c") is None
    assert list(notes) == [Note(text="other"), Note(text="second")]


def test_a_write_that_dies_half_way_leaves_the_old_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notes = Documents(tmp_path, Note)
    notes.put("a", Note(text="old"))

    def die(_descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("local.vault.documents.os.fsync", die)
    with pytest.raises(KeyboardInterrupt):
        notes.put("a", Note(text="new"))

    assert list(notes) == [Note(text="old")]
