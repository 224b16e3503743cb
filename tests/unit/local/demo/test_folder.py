"""The demo empties its own folder and nobody else's."""

from pathlib import Path

import pytest

from local.demo.folder import FolderTaken, clean_folder


def test_a_folder_of_an_earlier_run_is_emptied(tmp_path: Path) -> None:
    with clean_folder(tmp_path / "demo") as folder:
        (folder / "azurite").mkdir()
        (folder / "azurite" / "data").write_text("old")
        (folder / "host.log").write_text("old")
    with clean_folder(tmp_path / "demo") as folder:
        assert [entry.name for entry in folder.iterdir()] == [".flex-restore-demo"]


def test_a_folder_with_other_things_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(FolderTaken, match="not empty"), clean_folder(tmp_path):
        pass

    assert (tmp_path / "thesis.txt").read_text() == "precious"


def test_a_folder_in_use_is_refused_and_left_alone(tmp_path: Path) -> None:
    with clean_folder(tmp_path / "demo") as folder:
        (folder / "host.log").write_text("now")
        with pytest.raises(FolderTaken, match="another run"), clean_folder(folder):
            pass
        assert (folder / "host.log").read_text() == "now"


def test_a_link_in_the_folder_is_removed_and_what_it_points_at_stays(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "file").write_text("precious")
    with clean_folder(tmp_path / "demo") as folder:
        (folder / "link").symlink_to(tmp_path / "elsewhere")
    with clean_folder(tmp_path / "demo") as folder:
        assert not (folder / "link").is_symlink()

    assert (tmp_path / "elsewhere" / "file").read_text() == "precious"
