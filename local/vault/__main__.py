"""`python -m local.vault --config FILE.json --port N`: the service as a process of its own."""

import argparse
import logging
from pathlib import Path

from aiohttp import web

from local.vault.config import VaultConfig
from local.vault.service import create_app

# Addresses to poll are longer than 1 KB and come back in request lines.
_LINE_LIMIT = 32 << 10


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("azure").setLevel(logging.WARNING)
    config = VaultConfig.model_validate_json(options.config.read_text())
    web.run_app(
        create_app(config),
        host="127.0.0.1",
        port=options.port,
        print=lambda _text: None,
        access_log=None,
        shutdown_timeout=1,
        max_line_size=_LINE_LIMIT,
    )


if __name__ == "__main__":
    main()
