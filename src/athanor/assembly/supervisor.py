"""Talking to a node's supervisor from outside: who it is, and that it should end.

Standard library only: the watchman imports it. The agent starts the supervisor and keeps it.
"""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from athanor.assembly import processes

GRACE = 40
"""Seconds that the pods get to end before the supervisor is killed."""


def ask(run: Path, operation: str) -> dict[str, Any] | None:
    """One request to the supervisor whose socket is in `run`; None when nobody answers."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(5)
    try:
        sock.connect(str(run / "supervisor.sock"))
        sock.sendall(json.dumps({"id": 1, "op": operation}).encode() + b"\n")
        said = b""
        while not said.endswith(b"\n"):
            part = sock.recv(1 << 16)
            if not part:
                return None
            said += part
        answer: dict[str, Any] = json.loads(said.splitlines()[0])
        return answer
    except (OSError, ValueError):
        return None
    finally:
        sock.close()


def shut_down(run: Path) -> bool:
    """End the supervisor and its pods; returns when it is gone, False when there was none."""
    hello = ask(run, "hello")
    if hello is None or not hello.get("pid"):
        return False
    process = processes.seen(int(hello["pid"]))
    ask(run, "shutdown")
    if not processes.wait_gone(process, GRACE):
        processes.stop(process, 2)
    return True
