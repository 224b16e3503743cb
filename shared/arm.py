"""Azure Resource Manager: resource ids, which come in several casings, and errors, which come in several shapes."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from azure.core.exceptions import HttpResponseError, ServiceRequestError, ServiceResponseError

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


def describe(error: Any) -> tuple[str, str]:
    """Code and text of an ARM error object: its messages, and what the service recommends, each said once.

    The user-facing part lies in `additionalInfo[].info` (validation) or in nested `details` (jobs).
    """
    if not isinstance(error, dict):
        return "Unknown", str(error)
    return str(error.get("code") or "Unknown"), " ".join(dict.fromkeys(_lines(error)))


_DEPTH = 20
"""Errors within errors that are read; the service nests three or four."""


def _lines(error: Any, depth: int = 0) -> Iterator[str]:
    """The sentences of an error object; what has another shape than it should says nothing, or itself."""
    if isinstance(error, str) and error.strip():
        yield error.strip()
    if not isinstance(error, dict) or depth > _DEPTH:
        return
    if text := str(error.get("message") or "").strip():
        yield text
    for action in _listed(error.get("recommendedAction")):
        yield str(action).strip()
    inner = _named(_named(error.get("innerError")).get("additionalInfo"))
    if detail := inner.get("DetailedNonLocalisedMessage"):
        yield str(detail)
    for entry in _listed(error.get("additionalInfo")):
        yield from _lines(_named(_named(entry).get("info")), depth + 1)
    for nested in _listed(error.get("details")):
        yield from _lines(nested, depth + 1)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] if value else []


def _named(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


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
    except HttpResponseError as error:
        code, text = describe(_body(error))
        message = f"While {doing}: {code}: {text}"
        if watching or error.status_code in {408, 429} or (error.status_code or 500) >= 500:
            raise ServiceBusy(message) from error
        raise refusal(code, message) from error


def refusal(code: str, message: str) -> VaultBusy | VaultRefused:
    """The exception of a refusal: some codes say that another moment may be better."""
    return VaultBusy(message) if code in _BUSY_CODES else VaultRefused(message)


def _body(error: HttpResponseError) -> Any:
    try:
        body = json.loads(error.response.text()) if error.response is not None else {}
    except ValueError:
        body = {}
    found = body.get("error") if isinstance(body, dict) else None
    return found or {"code": f"HTTP {error.status_code}", "message": error.message}
