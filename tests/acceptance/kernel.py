"""Runs cells in a real Jupyter kernel; started with the interpreter of Jupyter's environment.

Standard input: a JSON list of [source, seconds after which it is interrupted, or null]. Standard
output: for each cell its status, its text, and every version of what it displayed as HTML.
"""

from __future__ import annotations

import json
import queue
import sys
import threading
from typing import Any

from jupyter_client.manager import KernelManager, start_new_kernel  # type: ignore[import-not-found]


def run(kernel: KernelManager, client: Any, source: str, interrupt: float | None) -> dict[str, Any]:
    """One cell, to its end."""
    told: dict[str, Any] = {"status": "", "text": "", "html": []}
    asked = client.execute(source)
    timer = threading.Timer(interrupt, kernel.interrupt_kernel) if interrupt is not None else None
    if timer:
        timer.start()
    while True:
        message = client.get_iopub_msg(timeout=60)
        if message["parent_header"].get("msg_id") != asked:
            continue
        kind, content = message["msg_type"], message["content"]
        if kind == "stream":
            told["text"] += content["text"]
        elif kind in ("display_data", "update_display_data", "execute_result"):
            told["text"] += content["data"].get("text/plain", "") + "\n"
            told["html"].append(content["data"].get("text/html", ""))
        elif kind == "error":
            told["text"] += f"{content['ename']}: {content['evalue']}\n"
        elif kind == "status" and content["execution_state"] == "idle":
            break
    if timer:
        timer.cancel()
    reply = client.get_shell_msg(timeout=60)
    while reply["parent_header"].get("msg_id") != asked:
        reply = client.get_shell_msg(timeout=60)
    told["status"] = reply["content"]["status"]
    return told


if __name__ == "__main__":
    manager, blocking = start_new_kernel()
    try:
        found = [run(manager, blocking, *cell) for cell in json.load(sys.stdin)]
    except queue.Empty:
        sys.exit("the kernel did not answer within a minute")
    finally:
        blocking.stop_channels()
        manager.shutdown_kernel(now=True)
    print(json.dumps(found))
