"""What the audit says of what pip-audit found: a hole fails it, an index that knows nothing does not."""

from local.audit import verdict

SOUND = {"name": "attrs", "version": "26.1.0", "vulns": []}
HOLLOW = {"name": "jinja2", "version": "3.1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3.1.6"]}]}
UNKNOWN = {"name": "yarl", "skip_reason": "Dependency not found: yarl (1.0)"}


def test_a_known_hole_fails_and_is_named_with_what_mends_it() -> None:
    lines, code = verdict([SOUND, HOLLOW, UNKNOWN])

    assert code == 1
    assert lines[0] == "audit: 2 of 3 packages looked up, 1 known hole(s)"
    assert "jinja2 3.1.0: PYSEC-1, mended in 3.1.6" in lines


def test_without_a_hole_all_is_well() -> None:
    assert verdict([SOUND])[1] == 0


def test_an_index_that_knows_none_of_the_packages_is_no_clean_bill() -> None:
    (line,), code = verdict([UNKNOWN, UNKNOWN])

    assert code == 0
    assert line.startswith("audit: skipped, none of 2 packages is known: Dependency not found")
