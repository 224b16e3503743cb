"""Who calls, and what they may do."""

from dataclasses import dataclass
from enum import StrEnum

from shared.contracts.base import Contract

NAME_LIMIT = 90
"""Characters of a name, so that two of them and a word fit where one is recorded."""


class Right(StrEnum):
    """What a caller may do; each is an app role of the app's registration in Entra, and none implies another."""

    READ = "Restores.Read"
    START = "Restores.Start"
    APPROVE = "Restores.Approve"


class Identity(Contract):
    """Somebody whom Entra has signed in: a person, or a program's service principal."""

    object_id: str
    name: str
    """For people; another one may be called the same."""

    def speaking(self, said: str) -> str:
        """This name, and whom it says it speaks for."""
        if said.casefold() in {"", self.name.casefold()}:
            return self.name
        return f"{self.name} for {said[:NAME_LIMIT]}"


class Requester(Identity):
    """Who sent a request over HTTP."""

    on_behalf_of: str = ""
    """Whom the request itself names; that is the requester's word."""


@dataclass(frozen=True)
class Caller:
    """Who calls the API."""

    rights: frozenset[Right]
    identity: Identity | None = None
    """None where a function key lets everybody in who knows it."""
