"""The app: every function is registered here, none is defined here."""

import azure.durable_functions as df
import azure.functions as func

from activities import (
    backup_job,
    databases,
    decisions,
    events,
    housekeeping,
    instances,
    landing,
    plan,
    report,
    scripts,
    targets,
)
from orchestrators.clear_landing import clear_landing
from orchestrators.housekeeping import housekeeping as keep_house
from orchestrators.import_database import import_database
from orchestrators.import_set import import_set
from orchestrators.restore import restore
from orchestrators.share_load import share_load
from orchestrators.watch_job import watch_job
from shared.settings import platform_signs_in
from shared.telemetry import logs
from shared.topology import APP_STORAGE, LANDING_CONTAINERS, LANDING_STORAGE, REQUEST_QUEUE, WEBHOOK_QUEUE
from triggers.blob import file_landed
from triggers.http.answers import answering
from triggers.http.console import get_console, get_console_file
from triggers.http.endpoints import ENDPOINTS
from triggers.http.openapi import get_openapi
from triggers.queue import request_poisoned, request_queued
from triggers.timer import housekeeping_due, schedule
from triggers.webhook import delivery_due

logs.install()
app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS if platform_signs_in() else func.AuthLevel.FUNCTION)

for orchestrator in (restore, watch_job, import_set, import_database, share_load, clear_landing, keep_house):
    app.orchestration_trigger(context_name="context")(orchestrator)

for activity in (
    plan.make_plan,
    backup_job.start_validation,
    backup_job.check_operation,
    backup_job.start_restore,
    backup_job.check_job,
    backup_job.find_job,
    landing.reserve_landing,
    landing.survey_landing,
    landing.settle_landing,
    landing.close_landing,
    landing.release_landing,
    targets.enter_target,
    targets.leave_target,
    scripts.import_roles,
    scripts.run_script,
    databases.load_database,
    databases.load_pieces,
    databases.verify_database,
    databases.promote_database,
    databases.discard_database,
    databases.verify_restore,
    report.write_report,
    events.publish_phase,
    decisions.check_running,
    decisions.check_approval,
    decisions.close_restore,
    housekeeping.tell_housekeeping,
):
    app.activity_trigger(input_name="subject")(activity)

for client_activity in (
    instances.open_import,
    instances.check_import,
    instances.open_clearing,
    instances.call_next,
    housekeeping.report_stuck,
    housekeeping.find_abandoned,
    housekeeping.give_back_landing,
    housekeeping.remove_places,
    housekeeping.drop_databases,
    housekeeping.delete_files,
    housekeeping.delete_reports,
    housekeeping.purge_histories,
    housekeeping.delete_records,
):
    app.activity_trigger(input_name="subject")(app.durable_client_input(client_name="client")(client_activity))

app.queue_trigger(arg_name="message", queue_name=REQUEST_QUEUE, connection=APP_STORAGE)(
    app.durable_client_input(client_name="client")(request_queued)
)
app.queue_trigger(arg_name="message", queue_name=f"{REQUEST_QUEUE}-poison", connection=APP_STORAGE)(request_poisoned)
app.queue_trigger(arg_name="message", queue_name=WEBHOOK_QUEUE, connection=APP_STORAGE)(delivery_due)

app.timer_trigger(arg_name="timer", schedule=schedule())(
    app.durable_client_input(client_name="client")(housekeeping_due)
)

for endpoint in ENDPOINTS:
    answered = app.durable_client_input(client_name="client")(answering(endpoint.handler, endpoint.needs))
    app.route(route=endpoint.route, methods=[endpoint.method])(answered)
for route, handler in (
    ("openapi.json", get_openapi),
    ("console", get_console),
    ("console/{file}", get_console_file),
):
    app.route(route=route, methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)(handler)

for container in LANDING_CONTAINERS:
    landed = app.durable_client_input(client_name="client")(file_landed)
    landed = app.blob_trigger(
        arg_name="blob",
        path=f"{container}/{{name}}",
        connection=LANDING_STORAGE,
        source=func.BlobSource.EVENT_GRID,
    )(landed)
    app.function_name(f"file_landed_in_{container.replace('-', '_')}")(landed)
