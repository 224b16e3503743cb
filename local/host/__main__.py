"""`python -m local.host --app DIR`: run a function app until SIGTERM or Ctrl-C."""

import argparse
import asyncio
import gc
import os
import signal
import sys
from pathlib import Path

from local.host.config import ConfigError
from local.host.host import Host, HostOptions
from local.host.logs import LogLevels, configure


def _options() -> HostOptions:
    parser = argparse.ArgumentParser(prog="python -m local.host", description=__doc__)
    parser.add_argument("--app", type=Path, default=Path(), help="the app's folder, with host.json and function_app.py")
    parser.add_argument(
        "--port",
        type=_port,
        help="the port on 127.0.0.1; 0 is a free one (default: Host.LocalHttpPort of local.settings.json, else 7071)",
    )
    parser.add_argument("--data", type=Path, help="the folder of the host's state (default: .local/host in the app)")
    arguments = parser.parse_args()
    app = arguments.app.resolve()
    data = (arguments.data or app / ".local" / "host").resolve()
    return HostOptions(app, data, arguments.port, os.environ.copy())


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port from 0 to 65535")
    return int(text)


async def _run(options: HostOptions) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    starting = asyncio.create_task(Host.start(options))
    waiting = asyncio.create_task(stopped.wait())
    await asyncio.wait([starting, waiting], return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        await asyncio.wait([starting])
        return
    host = starting.result()
    _spare_collections()
    print(f"host ready {host.url}", *host.notice, sep="\n", flush=True)
    await waiting
    await host.stop()


def _spare_collections() -> None:
    """Collect garbage seldom, and never look again at what there is by now: it stays until the end."""
    gc.freeze()
    gc.set_threshold(50_000)


def main() -> int:
    """Run the host; the exit code."""
    configure(LogLevels({}))
    try:
        asyncio.run(_run(_options()))
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
