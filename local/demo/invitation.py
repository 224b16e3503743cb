"""What `--stay` prints: every address, every key, and messages to paste."""

import shlex
import sys

from local.demo.restore import message_of, request_for, status_url
from local.environment import Environment
from shared.topology import REQUEST_QUEUE

_SEND = (
    "import sys; from azure.storage.queue import QueueClient as Queue; "
    "Queue.from_connection_string(*sys.argv[1:3]).send_message(sys.argv[3])"
)


def invitation(environment: Environment, request_id: str) -> str:
    """How to use a running environment."""
    storage = environment.azurite
    message = message_of(request_for(request_id))
    put = shlex.join([sys.executable, "-c", _SEND, storage.connection_string, REQUEST_QUEUE, message])
    key = f"x-functions-key: {environment.function_key}"
    post = ["curl", "-i", "-H", key, "-H", "content-type: application/json"]
    post += ["-d", message_of(request_for(f"{request_id}-http")), f"{environment.url}/api/restores"]
    look = ["curl", "-s", "-H", key, status_url(environment, request_id)]
    servers = {"source": environment.source, "target": environment.target}
    return "\n".join(
        [
            "",
            f"functions host   {environment.url}   {key}",
            f"backup vault     {environment.vault.url}",
            *(
                f"storage          {url}"
                for url in (storage.blob_endpoint, storage.queue_endpoint, storage.table_endpoint)
            ),
            f"                 {storage.connection_string}",
            *(f"{name:<16} {server.name}: {server.url()}" for name, server in servers.items()),
            "",
            "A restore, by a message on the queue:",
            f"  {put}",
            "by HTTP:",
            f"  {shlex.join(post)}",
            "and how it goes:",
            f"  {shlex.join(look)}",
            "",
            "Ctrl-C stops everything.",
        ]
    )
