"""A burst of requests: many restores and dry runs, many of them sent again, some bad; and what must become of each."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from local.environment import TARGET, alias
from shared.contracts.progress import Phase

_SHARES = {"restore": 0.2, "dry run": 0.3, "again": 0.35, "bad": 0.15}
"""What the requests are."""


@dataclass(frozen=True)
class Sent:
    """One message of the burst."""

    body: str
    request_id: str = ""
    """Empty where the message names none that a restore could have."""
    expected: Phase | None = None
    """The phase in which its restore must end."""
    restores: bool = False
    """Whether the vault is to restore files for it."""


def burst(count: int, instances: int, *, seed: int = 1) -> list[Sent]:
    """So many messages for so many backup instances, in an order that the seed decides."""
    chance = random.Random(seed)  # noqa: S311 -- a burst has to be repeatable
    numbers = {kind: round(share * count) for kind, share in _SHARES.items()}
    restores = [_restore(f"L{number:04}", chance, instances) for number in range(numbers["restore"])]
    dry_runs = [_dry_run(f"D{number:04}", chance, instances) for number in range(numbers["dry run"])]
    bad = [sent for _, sent in zip(range(numbers["bad"]), _bad(chance), strict=False)]
    again = chance.choices([*restores, *dry_runs], k=count - len(restores) - len(dry_runs) - len(bad))
    messages = [*restores, *dry_runs, *bad, *again]
    chance.shuffle(messages)
    return messages


def _request(request_id: str, chance: random.Random, instances: int, **more: Any) -> dict[str, Any]:
    return {
        "version": "1",
        "requestId": request_id,
        "source": {"backupInstance": alias(chance.randint(1, instances))},
        "target": TARGET,
        "priority": chance.choice(["low", "normal", "normal", "high"]),
        **more,
    }


_ALONE = {"roles": "none", "owners": "drop", "grants": "drop"}
"""Nothing but the database: roles would be imported by each restore."""


def _restore(request_id: str, chance: random.Random, instances: int) -> Sent:
    databases = [{"name": "app", "as": f"app_{request_id.lower()}"}]
    request = _request(request_id, chance, instances, databases=databases, **_ALONE)
    return Sent(json.dumps(request), request_id, Phase.COMPLETED, restores=True)


def _dry_run(request_id: str, chance: random.Random, instances: int) -> Sent:
    request = _request(request_id, chance, instances, dryRun=True)
    return Sent(json.dumps(request), request_id, Phase.COMPLETED)


def _bad(chance: random.Random) -> Iterator[Sent]:
    """Bad requests without end: those that are no request, and those that ask for what is not there."""
    number = 0
    while True:
        number += 1
        request_id = f"B{number:04}"
        request = _request(request_id, chance, 1)
        yield Sent(json.dumps(request)[: chance.randint(1, 60)])
        yield Sent(json.dumps({**request, "requestId": "no id: too many odd characters"}))
        yield from (
            Sent(json.dumps({**request, **wrong, "requestId": f"{request_id}-{letter}"}), f"{request_id}-{letter}", end)
            for letter, wrong, end in (
                ("instance", {"source": {"backupInstance": "nobody"}}, Phase.REJECTED),
                ("target", {"target": "nowhere"}, Phase.REJECTED),
                ("field", {"databses": ["app"]}, Phase.REJECTED),
                ("point", {"source": {"backupInstance": alias(1), "recoveryPoint": "0" * 32}}, Phase.REJECTED),
            )
        )
