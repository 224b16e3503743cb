"""The fixed names of queues, containers and tasks: code, Bicep and the local environment agree on these."""

REQUEST_QUEUE = "restore-requests"
EVENT_QUEUE = "restore-events"
WEBHOOK_QUEUE = "restore-webhook"
"""Events on their way to webhooks."""

LANDING_CONTAINERS = ("landing-1", "landing-2")
"""Containers of the landing account that the vault restores into; each has its own blob trigger."""
CONTROL_CONTAINER = "restore-control"
"""Reservations and the ledger; in the app's own storage account."""
REPORT_CONTAINER = "restore-reports"

SYSTEM_DATABASES = frozenset({"postgres", "template0", "template1", "azure_sys", "azure_maintenance"})
"""Databases that every flexible server has of its own; their files come with each restore."""

APP_STORAGE = "AzureWebJobsStorage"
"""The connection setting of the app's own account: requests, events, control, reports."""
LANDING_STORAGE = "LandingStorage"
"""The connection setting of the landing account."""


HOUSEKEEPING = ":housekeeping"
"""The one orchestration instance of housekeeping; no restore and no child of one is called so."""


def import_instance(request_id: str) -> str:
    """The orchestration instance that imports a restore's file set, whoever starts it first."""
    return child_instance(request_id, "import")


def child_instance(request_id: str, name: str) -> str:
    """An instance that works for a restore; the colon is in no request id, so that none can be mistaken for it."""
    return f"{request_id}:{name}"


WATCHES = ("approval", "validation", "landing", "start", "job", "imported", "import")
"""The names of the instances that sleep for a restore between two looks."""
WAKE = "Wake"
"""The event that has a sleeping instance look at once."""
