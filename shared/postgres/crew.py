"""Threads that do the pieces of a load side by side, until none is left or one of them has failed."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import replace

from shared.errors import LoadInterrupted, PermanentError
from shared.postgres.board import Board, Held
from shared.postgres.pg_restore import Restorer
from shared.postgres.server import server_errors
from shared.postgres.tolerance import Findings

log = logging.getLogger(__name__)

PAUSES = (2.0, 5.0)
"""Seconds after which a piece whose connection broke is tried again; after that the whole load is."""

type Work = Callable[[Restorer, Held], Findings]


class Crew:
    """Does pieces; the first one that fails stops the others."""

    def __init__(
        self, board: Board, restorer: Restorer, work: Work, *, pauses: Sequence[float] = (), until: float | None = None
    ) -> None:
        """Work for a board.

        Args:
            board: it hands out the pieces.
            restorer: what they are done with; the crew's end is its end.
            work: does one of them.
            pauses: seconds after which a piece that can start over is tried again.
            until: as of time.monotonic(); no piece is begun later.
        """
        self._board = board
        destination = restorer.destination
        self._restorer = replace(restorer, destination=replace(destination, still_wanted=self._go_on))
        self._still_wanted = destination.still_wanted
        self._deadline = destination.deadline
        self._work = work
        self._pauses = pauses
        self._until = until
        self._tries = Counter[int]()
        self._stop = threading.Event()
        self._failures: list[BaseException] = []
        """The first one is why the others were stopped."""

    def run(self, jobs: int) -> None:
        """Do pieces over that many connections.

        Raises:
            FlexRestoreError: as `Restorer.run`.
        """
        with ThreadPoolExecutor(jobs, thread_name_prefix="piece") as pool:
            futures = [pool.submit(copy_context().run, self._serve) for _ in range(jobs)]
            try:
                wait(futures, return_when=FIRST_EXCEPTION)
            finally:
                self._stop.set()
        if self._failures:
            raise self._failures[0]

    def _serve(self) -> None:
        try:
            while self._one():
                pass
        except BaseException as error:
            self._failures.append(error)
            self._stop.set()
            raise

    def _one(self) -> bool:
        """Do the next piece; false when there is none."""
        with server_errors(), self._board.hold(self._has_time) as held:
            if held is None:
                return False
            pause = self._try(held)
        self._stop.wait(pause)
        return True

    def _try(self, held: Held) -> float:
        """Do a piece; seconds to wait where it is to be tried again.

        Raises:
            FlexRestoreError: it failed for good, or once too often.
        """
        number = held.piece.number
        try:
            with server_errors():
                self._board.mark(held, self._work(self._restorer, held))
        except PermanentError:
            raise
        except Exception:
            if self._stop.is_set() or self._tries[number] >= len(self._pauses):
                raise
            log.warning("piece %s is tried once more", number, exc_info=True)
            self._tries[number] += 1
            return self._pauses[self._tries[number] - 1]
        return 0.0

    def _has_time(self) -> bool:
        """Whether another piece may be begun."""
        if self._stop.is_set() or (self._until is not None and time.monotonic() >= self._until):
            return False
        self._deadline.left()
        self._still_wanted()
        return True

    def _go_on(self) -> None:
        if self._stop.is_set():
            raise LoadInterrupted("another part of the database could not be loaded")
        self._still_wanted()
