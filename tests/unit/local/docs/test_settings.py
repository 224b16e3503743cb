"""The settings reference is made from the model."""

from local.docs.settings import PAGE, written
from shared.settings import Settings


def test_the_settings_reference_is_as_the_model_is() -> None:
    """`make docs` writes it."""
    page = PAGE.read_text("utf-8")

    assert page == written(page)


def test_it_names_every_setting_once() -> None:
    page = PAGE.read_text("utf-8")

    assert [page.count(f"| `FLEX_RESTORE_{name.upper()}` |") for name in Settings.model_fields] == [1] * len(
        Settings.model_fields
    )
