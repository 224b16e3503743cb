"""Azure Resource Manager: resource ids, which come in several casings, and errors, which come in several shapes."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from azure.core.exceptions import DecodeError, HttpResponseError, ServiceRequestError, ServiceResponseError

from shared.errors import ServiceBusy, VaultBusy, VaultRefused

_ID = re.compile(
    r"^/subscriptions/(?P<subscription>[^/]+)/resourceGroups/(?P<group>[^/]+)/providers/[^/]+/(?P<rest>.+)$",
    re.IGNORECASE,
)

_BUSY_CODES = frozenset({"UserErrorMaxConcurrentOperationLimitReached"})
"""Refusals that another moment may lift."""


@dataclass(frozen=True, slots=True)
class ResourceId:
    """An ARM id taken apart; names keep their casing, kinds are for comparing in any casing."""

    subscription: str
    resource_group: str
    names: tuple[str, ...]
    """The resource's name, with its parents' in front."""

    @classmethod
    def parse(cls, text: str) -> "ResourceId":
        """Take an ARM id apart.

        Raises:
            ValueError: the text is no ARM id.
        """
        found = _ID.match(text)
        if found is None:
            raise ValueError(f"not an ARM id: {text!r}")
        names = found["rest"].strip("/").split("/")[1::2]
        if not all(names) or not names:
            raise ValueError(f"an ARM id without a name: {text!r}")
        return cls(found["subscription"], found["group"], tuple(names))

    @property
    def name(self) -> str:
        """The resource's own name."""
        return self.names[-1]


def same_id(one: str | None, other: str | None) -> bool:
    """Whether two ARM ids or names mean the same resource."""
    return one is not None and other is not None and one.rstrip("/").lower() == other.rstrip("/").lower()


def last_segment(text: str) -> str:
    """`571e2403…` of an ARM id; a bare name stays as it is (cross-region jobs come that way)."""
    return text.rstrip("/").rsplit("/", 1)[-1]


_NO_CODE = "Unknown"


@dataclass(frozen=True, slots=True)
class _Cause:
    """One level of an error."""

    code: str
    message: str
    actions: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.message if self.code == _NO_CODE else f"{self.code}: {self.message}"


def describe(error: Any) -> tuple[str, str]:
    """Code and text of an ARM error object: what happened, the innermost cause, what the service recommends.

    The user-facing part lies in `additionalInfo[].info` (validation) or in nested `details` (jobs), each with an
    `innerError` that may hold another. What is said twice is told once.
    """
    if not isinstance(error, Mapping):
        return _NO_CODE, str(error)
    first, *inner = _causes(error)
    cause = next((one for one in reversed(inner) if one.message and one.message != first.message), None)
    told = [first.message, f"The cause: {cause}" if cause else ""]
    actions = dict.fromkeys(action for one in reversed([first, *inner]) for action in one.actions)
    if actions:
        told.append(f"The service recommends: {' '.join(actions)}")
    return first.code, " ".join(filter(None, told))


_DEPTH = 20
"""Errors within errors that are read; the service nests three or four."""


def _causes(error: Any, depth: int = 0) -> Iterator[_Cause]:
    """The error itself, then what caused it, the innermost last; what has another shape says nothing, or itself."""
    if isinstance(error, str) and error.strip():
        yield _Cause(_NO_CODE, error.strip())
    if not isinstance(error, Mapping) or depth > _DEPTH:
        return
    actions = tuple(text for one in _list(error.get("recommendedAction")) if (text := str(one).strip()))
    yield _Cause(_code(error), str(error.get("message") or "").strip(), actions)
    yield from _inner(error.get("innerError"))
    for entry in _list(error.get("additionalInfo")):
        yield from _causes(entry.get("info") if isinstance(entry, Mapping) else None, depth + 1)
    for nested in _list(error.get("details")):
        yield from _causes(nested, depth + 1)


def _inner(error: Any) -> Iterator[_Cause]:
    for _ in range(_DEPTH):
        if not isinstance(error, Mapping):
            return
        more = error.get("additionalInfo")
        detail = more.get("DetailedNonLocalisedMessage") if isinstance(more, Mapping) else None
        yield _Cause(_code(error), str(detail or error.get("message") or "").strip())
        error = error.get("embeddedInnerError")


def _code(error: Mapping[str, Any]) -> str:
    return str(error.get("code") or _NO_CODE)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] if value else []


def retry_after(headers: Mapping[str, str]) -> float:
    """Seconds that an answer asks to wait: `Retry-After` in seconds or as an HTTP date; 0 without, or with nonsense."""
    header = (headers.get("Retry-After") or "").strip()
    if header.isdecimal():
        return float(header)
    try:
        date = parsedate_to_datetime(header)
    except ValueError:
        return 0.0
    moment = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


@contextmanager
def arm_errors(doing: str, *, watching: bool = False) -> Iterator[None]:
    """Turn the SDK's exceptions into ours: busy or unreachable means try again, anything else is the service's no.

    Args:
        doing: what was being done, for the message: `reading backup instance orders`.
        watching: whether a status is looked at that exists. Then no answer is a no: a passing 403 or 404 must not end
            what still runs.
    """
    try:
        yield
    except (ServiceRequestError, ServiceResponseError) as error:
        raise ServiceBusy(f"While {doing}: Azure Resource Manager did not answer ({type(error).__name__}).") from error
    except DecodeError as error:
        raise ServiceBusy(f"While {doing}: the answer of Azure Resource Manager was cut off or is no JSON.") from error
    except HttpResponseError as error:
        code, text = describe(_body(error))
        message = f"While {doing}: {code}: {text}"
        answer: Any = error.response
        wait = retry_after(answer.headers) if answer is not None else 0.0
        passing = error.status_code in {408, 429} or (error.status_code or 500) >= 500
        if watching or (passing and code not in _BUSY_CODES):
            raise ServiceBusy(message, retry_after=wait) from error
        raise refusal(code, message, wait) from error


def refusal(code: str, message: str, wait: float = 0) -> VaultBusy | VaultRefused:
    """The exception of a refusal: some codes say that another moment may be better."""
    return VaultBusy(message, retry_after=wait) if code in _BUSY_CODES else VaultRefused(message)


def _body(error: HttpResponseError) -> Any:
    try:
        body = json.loads(error.response.text()) if error.response is not None else {}
    except ValueError:
        body = {}
    found = body.get("error") if isinstance(body, dict) else None
    return found or {"code": f"HTTP {error.status_code}", "message": error.message}
