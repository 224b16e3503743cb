"""Imports: how many file sets are brought into one target server at once.

Who imports holds a place: a document created with `If-None-Match: *`, of which a server has as many as the operator
allows. Who finds none waits in the server's line.
"""

from collections.abc import Callable
from urllib.parse import quote, unquote

from shared.contracts.request import Priority
from shared.errors import PermanentError
from shared.storage import documents, waiting
from shared.storage.accounts import control_container
from shared.storage.waiting import Wait

_FOLDER = "imports/"
_LINE = "import-"


def line(target: str) -> str:
    """The name of the line before a target server."""
    return f"{_LINE}{quote(target, safe='')}"


def is_line(name: str) -> bool:
    """Whether it is the name of such a line."""
    return name.startswith(_LINE)


def reserve(
    target: str,
    request_id: str,
    priority: Priority,
    limit: int,
    *,
    still_wanted: Callable[[], None] = lambda: None,
) -> Wait | None:
    """Take one of the target's places, or keep the one that was taken before; or why there is none yet.

    `still_wanted` raises when the restore has ended: it is asked at last, so that whoever comes late keeps nothing that
    nobody would give back.
    """
    wait = _reserve(target, request_id, priority, limit)
    try:
        still_wanted()
    except PermanentError:
        release(target, request_id)
        raise
    return wait


def _reserve(target: str, request_id: str, priority: Priority, limit: int) -> Wait | None:
    first = waiting.join(line(target), request_id, priority)
    holders = importing(target)  # after that: who gives a place up meanwhile finds in the line whom to wake
    if request_id in holders.values():
        waiting.leave(line(target), request_id)
        return None
    free = [place for number in range(limit) if (place := f"{_folder(target)}{number}.json") not in holders]
    free = free[: max(0, limit - len(holders))]
    for place in free if len(first) < len(free) else ():
        # Whose it is when the answer to a first try was lost, only the document tells.
        standing = documents.create_or_read(control_container(), place, {"requestId": request_id})
        if standing is not None and standing["requestId"] == request_id:
            waiting.leave(line(target), request_id)
            return None
    taken = [f"restore {holder} imports into {target}" for holder in holders.values()]
    before = [f"restore {other} is first" for other in first[: waiting.CALLED]]
    return Wait((*taken, *before) or ("somebody else was faster",), len(first))


def release(target: str, request_id: str) -> None:
    """Give up the place, and the wait for one."""
    waiting.leave(line(target), request_id)
    for place in importing(target):
        document, version = documents.read_version(control_container(), place)
        if document is not None and document["requestId"] == request_id:
            documents.delete_version(control_container(), place, version)


def importing(target: str) -> dict[str, str]:
    """The places that are held, and the restores that hold them."""
    blobs = control_container().list_blobs(name_starts_with=_folder(target))
    held = {blob.name: documents.read(control_container(), blob.name) for blob in blobs}
    return {place: str(document["requestId"]) for place, document in held.items() if document is not None}


def held() -> list[tuple[str, str]]:
    """The target servers, and the restores that import into them."""
    blobs = control_container().list_blobs(name_starts_with=_FOLDER)
    targets = sorted({unquote(blob.name.removeprefix(_FOLDER).partition("/")[0]) for blob in blobs})
    return [(target, holder) for target in targets for holder in importing(target).values()]


def _folder(target: str) -> str:
    return f"{_FOLDER}{quote(target, safe='')}/"
