"""Keeps one server process on a leash: when its owner goes, by whatever death, the server goes too.

Run as a script by `local.servers.process`, never imported. The owner holds the other end of this process's standard
input, the rope. A rope that ends without a word means that the owner died, also by SIGKILL: the server is stopped and
the folders given with --remove are deleted. Any word on it means an orderly stop: the folders stay.

PR_SET_PDEATHSIG alone would not do: it fires when the *thread* that started the child ends, is Linux only, and cannot
clean up. Here it only covers the death of the leash itself.

The first line on standard output is the process id of the server; the server's own output goes to standard error.
"""

import argparse
import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys

_PR_SET_PDEATHSIG = 1


def main() -> int:
    """Start the server, wait for its end or the owner's, and leave nothing behind."""
    options = _options()
    children = _child_ends()
    server = _start(options)
    print(server.pid, flush=True)
    owner_died = _wait(server, children)
    if server.poll() is None:
        _stop(server, options.signal, options.grace)
    _kill_group(server.pid)
    if owner_died:
        for folder in options.remove:
            shutil.rmtree(folder, ignore_errors=True)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--signal", type=int, default=signal.SIGTERM, help="asks the server to stop")
    parser.add_argument("--grace", type=float, default=10.0, help="seconds until SIGKILL follows")
    parser.add_argument("--user", type=int)
    parser.add_argument("--group", type=int)
    parser.add_argument("--remove", action="append", default=[])
    parser.add_argument("command", nargs="+")
    return parser.parse_args()


def _child_ends() -> int:
    """A file descriptor that becomes readable when a child process ends."""
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.set_wakeup_fd(writable)
    return readable


def _start(options: argparse.Namespace) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        options.command,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        user=options.user,
        group=options.group,
        extra_groups=[] if options.user is not None else None,
        process_group=0,
        preexec_fn=_die_with_parent,  # noqa: PLW1509 - this process has one thread: code before exec is safe
    )


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _wait(server: subprocess.Popen[bytes], children: int) -> bool:
    """Wait for the end of the server or of the rope; True when the owner died."""
    rope = sys.stdin.fileno()
    while server.poll() is None:
        ready, _, _ = select.select([rope, children], [], [])
        if rope in ready:
            return not os.read(rope, 64)
        os.read(children, 64)
    return False


def _stop(server: subprocess.Popen[bytes], number: int, grace: float) -> None:
    server.send_signal(number)
    try:
        server.wait(grace)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return  # the server left no children, as it should


if __name__ == "__main__":
    sys.exit(main())
