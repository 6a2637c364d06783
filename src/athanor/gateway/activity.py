"""What is done in workspaces, told in their status: web, kernels, terminals, processors.

What counts: requests that change something, and connections being opened (a page that only polls
counts for nothing); what JupyterLab says of kernels and terminals; how long processes worked, when
the node says so. Other programs than JupyterLab: every byte that a browser sends.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping

import msgspec
from msgspec import Struct

from athanor.api import labels, reach
from athanor.api.core import Pod
from athanor.api.meta import JSON, to_manifest
from athanor.api.registry import of
from athanor.api.workspaces import Activity, Workspace
from athanor.client.protocol import Client
from athanor.kit.clock import Clock
from athanor.kit.exchange import Unreachable
from athanor.kit.onward import Onward
from athanor.kit.times import parse_rfc3339, rfc3339
from athanor.wire import calls
from athanor.wire.status import ApiError

log = logging.getLogger(__name__)
WORKSPACES = of(Workspace)

EVERY = 10.0
"""Seconds between two looks; also how exactly use is measured."""
RECENT = 2 * EVERY

Seen = dict[str, float]
"""Kind of activity → when (seconds since the epoch)."""


class Watcher(Struct):
    """What is known of one workspace since its last look."""

    uid: str
    seen: Seen = msgspec.field(default_factory=dict)
    looked: float = 0.0
    gpu_measured: bool = False


class Activities:
    """Notes what the proxy sees, asks programs what they know, writes both down."""

    def __init__(
        self, client: Client, clock: Clock, secret: str, road: Callable[[Workspace], Onward | None]
    ) -> None:
        """`road`: how a workspace's program is reached, None when it is not."""
        self._client = client
        self._clock = clock
        self._secret = secret
        self._road = road
        self._watched: dict[str, Watcher] = {}

    def note(self, uid: str, kind: str = "web") -> None:
        """Somebody does something in a workspace now."""
        self._watched.setdefault(uid, Watcher(uid)).seen[kind] = self._clock.now()

    async def run(self, up: Callable[[], Mapping[str, Workspace]]) -> None:
        """Look at all workspaces that run, now and then, until cancelled."""
        while True:
            await asyncio.sleep(EVERY)
            running = up()
            for uid in self._watched.keys() - running.keys():
                del self._watched[uid]
            await asyncio.gather(*(self._look(one) for one in running.values()))

    async def _look(self, workspace: Workspace) -> None:
        uid = workspace.metadata.uid
        watcher = self._watched.setdefault(uid, Watcher(uid))
        if workspace.spec.app == "jupyter":
            with contextlib.suppress(Unreachable, msgspec.MsgspecError):
                for kind, at in (await self._asked(workspace)).items():
                    watcher.seen[kind] = max(at, watcher.seen.get(kind, 0.0))
        for kind, at in (await self._worked(workspace, watcher)).items():
            watcher.seen[kind] = max(at, watcher.seen.get(kind, 0.0))
        now = self._clock.now()
        passed = min(now - watcher.looked, RECENT) if watcher.looked else 0.0
        watcher.looked = now
        known = workspace.status.activity or Activity()
        if watcher.gpu_measured and known.gpu_busy_seconds is None:
            known = msgspec.structs.replace(known, gpu_busy_seconds=0.0)
        told = news(known, watcher.seen, passed, now) or known
        if told == workspace.status.activity or told == Activity():
            return
        meta = workspace.metadata
        body = {"metadata": {"uid": uid}, "status": {"activity": to_manifest(told)}}
        try:
            await self._client(
                calls.patch(WORKSPACES, meta.name, meta.namespace, body, subresource="status")
            )
        except ApiError as problem:
            log.info("activity of %s/%s: %s", meta.namespace, meta.name, problem.message)

    async def _worked(self, workspace: Workspace, watcher: Watcher) -> Seen:
        """What the node says of the pod's processors and GPUs."""
        meta = workspace.metadata
        try:
            pod = await self._client(calls.get(Pod, reach.pod(meta.name), meta.namespace))
        except ApiError:
            return {}  # it is on its way, or gone: there is another look soon
        notes = pod.metadata.annotations
        watcher.gpu_measured = labels.GPU_BUSY in notes
        kinds = {"cpu": labels.BUSY, "gpu": labels.GPU_BUSY}
        return {kind: parse_rfc3339(notes[note]) for kind, note in kinds.items() if notes.get(note)}

    async def _asked(self, workspace: Workspace) -> Seen:
        """What JupyterLab says of its kernels and terminals."""
        road, meta = self._road(workspace), workspace.metadata
        if road is None:
            return {}
        base = f"http://localhost{reach.path(meta.namespace, meta.name)}api"
        headers = {"Authorization": f"token {reach.token(self._secret, meta.uid)}"}
        found: Seen = {}
        kernels = msgspec.json.decode(await road.fetch(f"{base}/kernels", headers))
        terminals = msgspec.json.decode(await road.fetch(f"{base}/terminals", headers))
        for kernel in kernels:
            busy = kernel.get("execution_state") == "busy"
            at = self._clock.now() if busy else parse_rfc3339(kernel["last_activity"])
            found["kernel"] = max(at, found.get("kernel", 0.0))
        for terminal in terminals:
            at = parse_rfc3339(terminal["last_activity"])
            found["terminal"] = max(at, found.get("terminal", 0.0))
        return found


def news(old: Activity, seen: Seen, passed: float, now: float) -> Activity | None:
    """The activity to write down; None when nothing was done since it was written last."""
    told: JSON = {}
    for kind, at in seen.items():
        stamp = rfc3339(at)
        if stamp > getattr(old, kind):
            told[kind] = stamp
    if not told:
        return None
    recent = any(now - parse_rfc3339(stamp) <= RECENT for stamp in told.values())
    busy = old.busy_seconds + (passed if recent else 0.0)
    gpu = old.gpu_busy_seconds
    if "gpu" in told:
        gpu = round((gpu or 0.0) + (passed if recent else 0.0), 1)
    return msgspec.structs.replace(old, **told, busy_seconds=round(busy, 1), gpu_busy_seconds=gpu)
