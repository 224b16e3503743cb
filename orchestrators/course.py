"""The course of a restore: its phases as they are entered, shown in the status and published as events."""

import azure.durable_functions as df

from orchestrators.steps import Steps, attempt, was_cancelled
from shared.contracts.outcome import Failure
from shared.contracts.progress import FileProgress, Phase, PhaseEntry, RestoreProgress
from shared.contracts.status import About


class Stopped(Exception):
    """The restore ends here: in which phase, and why. Unwinds the orchestrator's own frames and goes no further."""

    def __init__(self, phase: Phase, error: Failure) -> None:
        super().__init__(error.message)
        self.phase = phase
        self.error = error


class Course:
    """Where a restore stands; the only place that writes its custom status."""

    def __init__(self, context: df.DurableOrchestrationContext) -> None:
        self._context = context
        self._about = About.of(context.get_input()["request"])
        self.progress = RestoreProgress(phase=Phase.ACCEPTED)
        self.files: tuple[FileProgress, ...] = ()
        """What came of the restored files, for the report."""
        self.vault_may_write = False
        """Whether a restore was asked for whose end is not known: then its container must not be given away."""
        self.brought = ""
        """The landing container that this restore's own backup job has filled."""
        self.import_may_run = False
        """Whether files may have landed whose import has not ended."""
        self._told = 0
        """How many of the phases are published."""

    def enter(self, phase: Phase, message: str = "", errors: tuple[Failure, ...] = ()) -> Steps[None]:
        """Enter a phase: the status shows it, an event tells it.

        An event that cannot be published stops nothing; it is told with the next one. A cancelled restore enters no
        further phase but the terminal one.
        """
        entry = PhaseEntry(phase=phase, at=self._context.current_utc_datetime.isoformat())
        self.note(phase=phase, message=message, phases=(*self.progress.phases, entry), errors=errors)
        outcome = yield from attempt(
            self._context,
            "publish_phase",
            {
                "requestId": self._context.instance_id,
                "told": self._told,
                "progress": self.progress.to_wire(),
                "about": self._about.to_wire(),
                "notify": self._context.get_input()["request"].get("notify"),
            },
        )
        if outcome.ok:
            self._told = len(self.progress.phases)
        if not phase.is_terminal:
            yield from self._require_running()

    def _require_running(self) -> Steps[None]:
        """Go no further in a restore that was cancelled."""
        outcome = yield from attempt(self._context, "check_running", {"requestId": self._context.instance_id})
        if outcome.error is not None:
            raise Stopped(Phase.CANCELLED if was_cancelled(outcome.error) else Phase.FAILED, outcome.error)

    def note(self, **changes: object) -> None:
        """Change what the status shows."""
        self.progress = self.progress.model_copy(update=changes)
        self._context.set_custom_status(self.progress.shown().to_wire())
