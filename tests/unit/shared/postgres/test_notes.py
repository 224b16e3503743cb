"""What files hold that is not UTF-8 never gets into an answer, which has to be valid JSON."""

from collections.abc import Callable

import pytest

from shared.contracts.imports import Note, NoteKind
from shared.errors import FlexRestoreError
from shared.postgres.contents import check_extensions, select
from shared.postgres.notes import make_note, readable
from shared.postgres.privileges import plan_grants
from shared.postgres.role_plan import read_statements
from shared.postgres.script import Statements, redact
from shared.postgres.server import Capabilities, Roles
from shared.postgres.toc import Entry

ODD = "caf\udce9"
SHOWN = "caf\\udce9"
CAPABILITIES = Capabilities(180_000, "admin", False, True, True, False, False, frozenset(), 100, None)


def entry(desc: str, definition: str = "") -> Entry:
    return Entry(1, desc, ODD, ODD, ODD, definition, ())


def refusal(work: Callable[[], object]) -> str:
    with pytest.raises(FlexRestoreError) as refused:
        work()
    return " ".join([refused.value.text, *refused.value.details])


def test_valid_text_stays_what_it_is() -> None:
    assert readable("Käse 🧀 \\udce9") == "Käse 🧀 \\udce9"


@pytest.mark.parametrize(
    "say",
    [
        lambda: make_note(kind=NoteKind.FAILED, subject=ODD, reason=ODD, statement=ODD),
        lambda: str(entry("TABLE")),
        lambda: redact(f"SELECT '{ODD}'"),
        lambda: select([entry("EVENT TRIGGER")]).notes[0],
        lambda: plan_grants([entry("ACL", f'GRANT SELECT ON t TO "{ODD}";')], Roles(frozenset(), frozenset())).notes[0],
        lambda: read_statements(Statements([b"SELECT 'caf\xe9';"]))[1][0],
        lambda: refusal(lambda: check_extensions([ODD], CAPABILITIES)),
        lambda: refusal(lambda: read_statements(Statements([b"SET client_encoding = 'caf\xe9';"]))),
    ],
)
def test_other_text_shows_its_bytes(say: Callable[[], str | Note]) -> None:
    said = say()
    text = said if isinstance(said, str) else said.model_dump_json()
    assert text.encode()
    assert SHOWN in text.replace("\\\\", "\\")
