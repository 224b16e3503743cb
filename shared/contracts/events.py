"""Events for the ticketing system: CloudEvents 1.0 in JSON. Their JSON Schema is docs/restore-event.schema.json.

Readers ignore names that they do not know, so that the schema may grow; that is why it forbids none.
"""

import json
import uuid
from typing import Annotated, Literal

from pydantic import AwareDatetime, ConfigDict, Field, TypeAdapter

from shared.contracts.base import Contract, Json
from shared.contracts.decisions import Verdict
from shared.contracts.progress import Phase

_IDS = uuid.UUID("6f0c0f4e-5d0e-4b7e-9c43-6f1a0a3b1c52")
"""The namespace of event ids."""

WEBHOOK_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$"
"""What the operator may call a webhook: no address is such a name, so that none is told where a name is."""


def event_id(*facts: str | int) -> str:
    """The id of the event that these facts tell of: always the same, and without a full stop.

    The webhook's signature separates by full stops, which request ids may hold
    (standard-webhooks/standard-webhooks, spec/standard-webhooks.md, "Signature scheme").
    """
    return str(uuid.uuid5(_IDS, json.dumps(facts)))


class _Told(Contract):
    model_config = ConfigDict(
        extra="ignore", use_attribute_docstrings=True, json_schema_serialization_defaults_required=True
    )


class Problem(_Told):
    """Why something failed."""

    code: str
    """A word for programs."""
    message: str
    details: tuple[str, ...] = ()


class DecisionData(_Told):
    """What was decided of a plan, by whom and why; the last two are empty when nobody decided in time."""

    verdict: Verdict
    by: str
    reason: str
    at: AwareDatetime


class ApprovalData(_Told):
    """Until when a plan can be approved or rejected; after that the restore is Rejected."""

    deadline: AwareDatetime
    decision: DecisionData | None = None
    """None while the restore waits for it."""


class CancellationData(_Told):
    """Who cancelled a restore, and why."""

    by: str
    reason: str


class PhaseData(_Told):
    """Where a restore stands."""

    phase: Phase
    message: str
    started_at: AwareDatetime
    """When the restore began: with `sequence` the order of events of a request id that was sent again."""
    errors: tuple[Problem, ...] = ()
    container: str = ""
    """The landing container, once there is one."""
    job: str = ""
    """The backup job's id, once there is one."""
    report: dict[str, str] | None = None
    """The addresses of the report's forms, `json` and `page`, when the restore has ended."""
    approval: ApprovalData | None = None
    """What is known of the approval that the restore needs, from the phase AwaitingApproval on."""
    cancelled: CancellationData | None = None
    """Set once somebody has cancelled the restore."""


class DuplicateData(_Told):
    """Where the restore stands that an earlier request has started."""

    phase: Phase
    message: str


class RejectionData(_Told):
    """What is wrong with a message."""

    phase: Literal[Phase.REJECTED] = Phase.REJECTED
    message: str
    errors: tuple[str, ...] = ()
    body: str
    """The beginning and the end of the message."""


class FileData(_Told):
    """A file that nothing is done with, and why."""

    container: str
    name: str
    message: str


class StuckData(_Told):
    """A restore that does not go on."""

    phase: Phase
    """The phase that it is in, or was when its orchestration was ended from outside."""
    since: AwareDatetime
    """When it entered that phase."""
    ended: Phase | None
    """The end that it is listed with from now on, where nothing works for it any more; None where it still runs."""
    message: str


class RemovedData(_Told):
    """Something of the app's own that was deleted."""

    kind: str
    """A word for programs: files, report, records, history, database, reservation, place."""
    name: str
    restore: str
    """The restore that had made it."""
    why: str
    count: int
    """Of how many files, documents or instances it was made."""


class NotRemovedData(_Told):
    """Something that was to be deleted and could not be; it is tried again next time."""

    kind: str
    name: str
    message: str


class HousekeepingData(_Told):
    """What a chore of housekeeping has done."""

    removed: tuple[RemovedData, ...] = ()
    failed: tuple[NotRemovedData, ...] = ()


class _Event(_Told):
    """A CloudEvent; `id` is stable, so that a repeated delivery can be told."""

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: Literal["/flex-restore"] = "/flex-restore"
    subject: str
    """The request id, or what the event is about where there is none."""
    time: AwareDatetime
    datacontenttype: Literal["application/json"] = "application/json"


class PhaseEntered(_Event):
    """A restore has entered a phase."""

    type: Literal["flexrestore.phase"] = "flexrestore.phase"
    sequence: Annotated[str, Field(pattern=r"^\d{6}$")]
    """The event's place among those of its restore, from 000001, without gaps; to be compared as text."""
    data: PhaseData


class RequestDuplicate(_Event):
    """A message asks for a restore that exists."""

    type: Literal["flexrestore.request.duplicate"] = "flexrestore.request.duplicate"
    data: DuplicateData


class MessageRejected(_Event):
    """A message names no request, or could not be handled."""

    type: Literal["flexrestore.message.rejected"] = "flexrestore.message.rejected"
    data: RejectionData


class FileUnclaimed(_Event):
    """A restored file has landed that no restore and no automatic import claims."""

    type: Literal["flexrestore.file.unclaimed"] = "flexrestore.file.unclaimed"
    data: FileData


class FileUnknown(_Event):
    """A blob of unknown name lies in a landing container."""

    type: Literal["flexrestore.file.unknown"] = "flexrestore.file.unknown"
    data: FileData


class RestoreStuck(_Event):
    """A restore is in a phase for longer than it may be, or its orchestration was ended from outside; told once."""

    type: Literal["flexrestore.restore.stuck"] = "flexrestore.restore.stuck"
    data: StuckData


class HousekeepingDone(_Event):
    """Housekeeping has deleted something, or could not; the subject is the chore."""

    type: Literal["flexrestore.housekeeping"] = "flexrestore.housekeeping"
    data: HousekeepingData


type Event = (
    PhaseEntered | RequestDuplicate | MessageRejected | FileUnclaimed | FileUnknown | RestoreStuck | HousekeepingDone
)


def event_schema() -> Json:
    """The JSON Schema of every event."""
    events: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="type")])
    return {"title": "RestoreEvent", **events.json_schema(mode="serialization", by_alias=True)}


class Delivery(Contract):
    """An event on its way to a webhook."""

    event: Json
    webhook: str = ""
    """The webhook's name, never its address; the default one's is empty."""
    tries: int = 0
    """How often it was offered."""
