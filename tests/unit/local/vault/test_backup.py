"""Names of restored files."""

import pytest

from local.vault.backup import _blob_part


@pytest.mark.parametrize(
    ("database", "part"),
    [
        ("shop", "shop"),
        ("Bücher & Co/2024", "Bücher & Co/2024"),
        ("100%", "100%"),
        ("back\\slash", "back%5Cslash"),
        ("tab\there", "tab%09here"),
    ],
)
def test_only_what_no_blob_name_can_hold_is_percent_encoded(database: str, part: str) -> None:
    assert _blob_part(database) == part
