"""Reports of a rank whose machine has no agent of ours: through the API server, to the gateway.

A thread sends the newest word, so that training never waits for the network; what was said last is
sent before the program ends. Standard library only.
"""

from __future__ import annotations

import atexit
import calendar
import http.client
import json
import os
import threading
import time

from athanor_progress import remote

EVERY = 5.0
"""Seconds between two reports of one rank."""
_PATH = "/apis/gateway.athanor.dev/v1alpha1/namespaces/{}/podreports/{}"


def is_there() -> bool:
    """Whether this is a rank, with an account that may speak to the API server."""
    account = os.environ.get("ATHANOR_ACCOUNT", remote.ACCOUNT)
    known = ("KUBERNETES_SERVICE_HOST", "ATHANOR_JOB", "ATHANOR_ROLE", "ATHANOR_RANK")
    return all(name in os.environ for name in known) and os.path.exists(f"{account}/token")


class Reporter:
    """Sends the newest report now and then, and knows what was answered."""

    def __init__(self) -> None:
        self.asked = 0.0
        self._lock = threading.Lock()
        self._said: dict[str, object] = {}
        self._owed = False
        self._heard = False
        self._started = False

    def tell(self, said: dict[str, object]) -> None:
        """The newest report; it goes out soon."""
        with self._lock:
            self._said, self._owed = dict(said), True
            if not self._started:
                self._started = True
                atexit.register(self._end)
                threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            self._send()  # also when nothing is new: the answer may be
            time.sleep(EVERY)

    def _send(self) -> None:
        with self._lock:
            said, self._owed = self._said, False
        try:
            stamp = put(said)
        except (OSError, http.client.HTTPException, ValueError):
            self._owed = True  # nobody takes it: the next turn tries again
            self._heard = False
        else:
            self.asked, self._heard = _seconds(stamp), True

    def _end(self) -> None:
        """The last word, where it has not gone out and somebody has listened so far."""
        if self._owed and self._heard:
            self._send()


def put(said: dict[str, object]) -> str:
    """Send one report; since when a checkpoint is asked for, "" when none is.

    Raises OSError, HTTPException or ValueError when it was not taken.
    """
    names = (os.environ[f"ATHANOR_{part}"] for part in ("JOB", "ROLE", "RANK"))
    connection, host, headers = remote.connect()
    asked = http.client.HTTPConnection(host)
    asked.sock = connection
    try:
        connection.settimeout(30)
        path = _PATH.format(remote.namespace(), "-".join(names))
        headers = {**headers, "Content-Type": "application/json"}
        asked.request("PUT", path, json.dumps(said).encode(), headers)
        answer = asked.getresponse()
        body = answer.read()
    finally:
        asked.close()
    if answer.status != 200:
        raise ValueError(remote.message(body) or f"the server answers {answer.status}")
    return str(json.loads(body).get("checkpointRequested") or "")


def _seconds(stamp: str) -> float:
    """A time as seconds since 1970; 0 for none."""
    try:
        return float(calendar.timegm(time.strptime(stamp[:19], "%Y-%m-%dT%H:%M:%S")))
    except ValueError:
        return 0.0
