"""What is made from the code is as the code is."""

import pytest

from local.docs.__main__ import GENERATED
from local.docs.pages import FOLDER, filled
from shared.errors import PermanentError
from shared.next_steps.failures import MEND
from shared.settings import Settings


@pytest.mark.parametrize("name", GENERATED)
def test_a_generated_page_is_as_the_code_is(name: str) -> None:
    """`make docs` writes it."""
    page = (FOLDER / name).read_text("utf-8")

    assert page == GENERATED[name](page)


def test_the_settings_reference_names_every_setting_once() -> None:
    page = (FOLDER / "settings.md").read_text("utf-8")
    ours = [name for name, field in Settings.model_fields.items() if field.validation_alias is None]
    names = [f"FLEX_RESTORE_{name.upper()}" for name in ours]

    assert [page.count(f"| `{name}` |") for name in names] == [1] * len(names)


def test_every_error_code_says_what_to_do() -> None:
    assert {kind.__name__ for kind in PermanentError.__subclasses__()} <= MEND.keys()


def test_a_page_without_the_place_is_refused() -> None:
    with pytest.raises(ValueError, match="no place marked"):
        filled("# A page", "made from nothing", ["| a |"])
