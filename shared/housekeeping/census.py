"""The census: which restores there are, which of them run, and when the others ended."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shared.contracts.status import RestoreSummary
from shared.storage import register


@dataclass(frozen=True)
class Census:
    """The register at one moment. A restore that it does not know neither runs nor has ended."""

    rows: dict[str, RestoreSummary]
    taken: datetime

    @classmethod
    def take(cls) -> "Census":
        """Read the register."""
        return cls({row.request_id: row for row in register.restores()}, datetime.now(UTC))

    @property
    def running(self) -> list[RestoreSummary]:
        """The restores without an end."""
        return [row for row in self.rows.values() if not row.phase.is_terminal]

    def runs(self, request_id: str) -> bool:
        """Whether the restore has no end yet."""
        row = self.rows.get(request_id)
        return row is not None and not row.phase.is_terminal

    def ended(self, request_id: str) -> datetime | None:
        """When the restore ended; None while it runs, and where it is not known."""
        row = self.rows.get(request_id)
        return datetime.fromisoformat(row.updated_at) if row is not None and row.phase.is_terminal else None

    def ended_before(self, moment: datetime) -> list[str]:
        """The restores that had ended by then, the oldest first."""
        known = ((self.ended(request_id), request_id) for request_id in self.rows)
        return [request_id for at, request_id in sorted((at, one) for at, one in known if at and at < moment)]

    def before(self, days: float) -> datetime:
        """The moment so many days ago."""
        return self.taken - timedelta(days=days)
