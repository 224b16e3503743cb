"""Which slices of a database are loaded, so that another attempt goes on where one was ended."""

import secrets
import threading
import time

from shared.errors import LoadInterrupted
from shared.postgres import temporary
from shared.postgres.blocks import NO_SHELF, Shelf
from shared.postgres.server import Connection
from shared.postgres.temporary import Underway
from shared.postgres.tolerance import Findings, merged


class SliceLedger:
    """Keeps in the comment of a temporary database what is loaded of it; threads may share it.

    It writes on the connection that holds the load's lock: whoever has lost the lock writes nothing. What it writes is
    committed synchronously, and with it all that slices have committed before.
    """

    def __init__(
        self, connection: Connection, name: str, underway: Underway | None = None, shelf: Shelf = NO_SHELF
    ) -> None:
        self.shelf = shelf
        self._attempt = secrets.token_hex(8)
        self._connection = connection
        self._name = name
        self._mutex = threading.Lock()
        self.underway = underway
        """None before the first slice that can be started over, and after the last one."""
        self.started = underway.started if underway else time.time()
        """Seconds since 1970."""

    def begin(self, underway: Underway) -> None:
        """Everything that must be there for the slices is; from here on another attempt can go on."""
        self._write(underway)

    def take_over(self) -> None:
        """Go on in place of another attempt, which may not know yet that it has lost the load's lock."""
        self._write(self.underway)

    def require(self, connection: Connection) -> None:
        """See to it that this attempt is the one that goes on; asked by who holds a slice's lock.

        Raises:
            LoadInterrupted: another one does.
        """
        if self.underway is None:
            return
        database = temporary.by_name(connection, self._name)
        if database is None or database.underway is None or database.underway.attempt != self._attempt:
            raise LoadInterrupted(f"another attempt goes on with database {self._name}")

    @property
    def findings(self) -> Findings:
        """Of everything so far."""
        return Findings(self.underway.notes, self.underway.absent) if self.underway else Findings()

    @property
    def done(self) -> frozenset[int]:
        """The slices that are loaded."""
        return frozenset(self.underway.done if self.underway else ())

    def mark(self, number: int, findings: Findings) -> None:
        """A slice is loaded; before `begin` that is not kept."""
        with self._mutex:
            if self.underway is None:
                return
            total = merged([self.findings, findings])
            changes = {"done": (*self.underway.done, number), "notes": total.notes, "absent": total.absent}
            self._write(self.underway.model_copy(update=changes))

    def end(self) -> Findings:
        """All slices are loaded, and what comes now cannot be gone on with; what was found so far."""
        findings = self.findings
        self._write(None)
        return findings

    def _write(self, underway: Underway | None) -> None:
        mine = underway.model_copy(update={"attempt": self._attempt}) if underway else None
        temporary.comment(self._connection, self._name, mine.model_dump_json() if mine else None)
        self.underway = mine
