"""Sessions on the server by their names: what fences work that outlives the lock it was begun under."""

import threading
import time

from shared.postgres.destination import Destination
from shared.postgres.server import Connection

LOOKS_EVERY = 0.05
"""Seconds between two looks for a session."""


def end_sessions(destination: Destination, lock: Connection, prefix: str) -> None:
    """End the sessions of earlier attempts, whose names begin so, and wait until they are gone."""
    query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE starts_with(application_name, %s)"
    while lock.execute(query, [prefix]).fetchall():
        destination.deadline.left()
        destination.still_wanted()
        time.sleep(LOOKS_EVERY)


def has_begun(lock: Connection, session: str, ended: threading.Event) -> bool:
    """Wait until the session is there, which also tells that the lock still is; false when there will be none."""
    query = "SELECT FROM pg_stat_activity WHERE application_name = %s"
    while not lock.execute(query, [session]).fetchall():
        if ended.wait(LOOKS_EVERY):
            return False
    return True
