"""Log lines that say what they are about, whoever writes them: `… [restore=INC-4711 phase=Importing database=shop]`.

The fields stand in the text, for the Functions worker sends nothing but the text to the host, and with it to
Application Insights. They are attributes of the record too, under the names that spans use.
"""

import json
import logging
import re
from collections.abc import Mapping

from shared.telemetry.about import known

_PLAIN = re.compile(r"[^\s\"=\[\]\\]+")
_CHATTER = ("azure.core", "azure.identity", "azure.monitor")


class AboutRecord(logging.LogRecord):
    """A record that knows what the work was about in which it was made."""

    _suffix = ""

    def tell(self, fields: Mapping[str, str]) -> None:
        """Put the fields behind the text, and beside it."""
        self._suffix = f" [{' '.join(f'{name}={_value(text)}' for name, text in fields.items())}]"
        vars(self).update({f"flexrestore.{name}": text for name, text in fields.items()})

    def getMessage(self) -> str:  # noqa: N802 -- logging's name
        """The text with the fields behind it."""
        return super().getMessage() + self._suffix


def install() -> None:
    """Have every record of this process say what it is about; a second time changes nothing."""
    logging.setLogRecordFactory(_record)
    for name in _CHATTER:  # at INFO, lines on each request to storage and each token would be most of the log
        logging.getLogger(name).setLevel(logging.WARNING)


def _record(*args: object, **kwargs: object) -> AboutRecord:
    record = AboutRecord(*args, **kwargs)  # type: ignore[arg-type]  # as logging calls its factory
    if fields := known():
        record.tell(fields)
    return record


def _value(text: str) -> str:
    """As it is where it is one word; else as a JSON string, so that no value begins a line or another field."""
    return text if text.isascii() and text.isprintable() and _PLAIN.fullmatch(text) else json.dumps(text)
