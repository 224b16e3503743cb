"""Which port and which folders the host takes."""

import asyncio
import socket
from pathlib import Path

import pytest

from local.host.config import ConfigError
from local.host.host import Host, HostOptions, _bind, _lock, _port
from local.host.settings import Settings


@pytest.mark.parametrize(
    ("asked", "in_settings", "expected"),
    [(None, None, 7071), (None, 7072, 7072), (7073, 7072, 7073), (0, 7072, 0)],
)
def test_the_port_asked_for_wins_over_that_of_local_settings_json(
    asked: int | None, in_settings: int | None, expected: int
) -> None:
    options = HostOptions(Path(), Path(), asked, {})
    assert _port(options, Settings({}, in_settings)) == expected


def test_a_port_in_use_is_named_with_one_that_is_not() -> None:
    with _bind(0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"port {port} cannot be used") as refused:
            _bind(port)
        offered = int(str(refused.value).rpartition(" ")[2])
        assert offered > port
        with socket.create_server(("127.0.0.1", offered)), pytest.raises(ConfigError) as again:
            _bind(port)
        assert int(str(again.value).rpartition(" ")[2]) > offered


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"the data folder .*/file cannot be used \(File exists\): give another"):
        _lock(tmp_path / "file")


def test_a_file_is_no_app(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"/file has no host\.json: is it the folder of a function app"):
        asyncio.run(Host.start(HostOptions(tmp_path / "file", tmp_path / "data", 0, {})))
