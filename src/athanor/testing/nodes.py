"""Simulated nodes: agents that play pods by a script instead of running processes.

They speak the same API as a real agent: a Node, its Lease, pod status, deletion confirmed at the
end of the grace period. How long pods take and how they end is data.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any

from msgspec import Struct

from athanor.api import labels
from athanor.api.core import Lease, Node, Pod
from athanor.api.meta import JSON, to_manifest
from athanor.api.registry import of
from athanor.client.protocol import Client
from athanor.features.scheduling.nodes import amounts
from athanor.features.scheduling.pods import requests
from athanor.kit.clock import Clock
from athanor.kit.times import rfc3339, rfc3339_micro
from athanor.runtime.cache import Cache, Changed, Key, key_of
from athanor.runtime.informer import Informer
from athanor.wire import calls
from athanor.wire.status import ApiError

log = logging.getLogger(__name__)

NODES, PODS, LEASES = of(Node), of(Pod), of(Lease)
HEARTBEAT = 10.0
LEASE_NAMESPACE = "kube-node-lease"


class Life(Struct, frozen=True):
    """How one pod lives: seconds until it runs, seconds it runs, and how it ends.

    `runs` None: until it is deleted. `refused`: the node's reason not to start it (OutOfcpu).
    `goes` is how long it takes to stop once it is deleted, `leaves` the exit code it has then
    (None: nobody hears of it).
    """

    starts: float = 0.2
    runs: float | None = None
    exit_code: int = 0
    reason: str = ""
    refused: str = ""
    goes: float = 0.1
    leaves: int | None = None
    progress: str = ""


Script = Callable[[Pod], Life]


def forever(pod: Pod) -> Life:
    """Pods that run until they are deleted."""
    return Life()


class SimulatedNode:
    """One node and its agent. `kill` stops the agent dead; `run` again brings it back.

    `strict`: it refuses pods that it has no room for, in the words of a kubelet.
    """

    def __init__(
        self,
        client: Client,
        name: str,
        clock: Clock,
        script: Script,
        *,
        capacity: JSON | None = None,
        labels: JSON | None = None,
        dice: Callable[[], float] = lambda: 0.5,
        strict: bool = False,
    ) -> None:
        self.name = name
        self._client = client
        self._clock = clock
        self._script = script
        self._capacity = capacity or {"cpu": "8", "memory": "32Gi", "pods": "110"}
        self._labels = {"kubernetes.io/hostname": name, **(labels or {})}
        self._dice = dice
        self._room = amounts(self._capacity) if strict else {}
        self._taken: dict[str, dict[str, int]] = {}
        self._players: dict[str, asyncio.Task[None]] = {}
        self.played: dict[str, int] = {}
        self.alive: dict[Key, str] = {}
        """Pods whose process runs on this node now, by key: their uid."""
        self.registered = asyncio.Event()

    async def run(self) -> None:
        """Register, heartbeat, play pods until cancelled."""
        cache: Cache[Pod] = Cache()
        informer = Informer(self._client, Pod, cache, self._changed, self._dice)
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                tasks.create_task(self._heartbeat())
                tasks.create_task(informer.run())
        finally:
            self._players.clear()
            self._taken.clear()
            self.alive.clear()

    async def _heartbeat(self) -> None:
        await self._insist(self._register)
        self.registered.set()
        while True:
            await self._insist(self._renew)
            await asyncio.sleep(HEARTBEAT)

    async def _register(self) -> None:
        node = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": self.name, "labels": self._labels},
        }
        await self._ignoring("AlreadyExists", calls.create(NODES, node))
        stamp = rfc3339(self._clock.now())
        status = {
            "capacity": self._capacity,
            "allocatable": self._capacity,
            "conditions": [
                {"type": "Ready", "status": "True", "reason": "AgentReady",
                 "message": "", "lastTransitionTime": stamp, "lastHeartbeatTime": stamp},
            ],
        }  # fmt: skip
        await self._client(
            calls.patch(NODES, self.name, None, {"status": status}, subresource="status")
        )
        lease = {
            "apiVersion": LEASES.api_version,
            "kind": "Lease",
            "metadata": {"name": self.name, "namespace": LEASE_NAMESPACE},
            "spec": {"holderIdentity": self.name, "leaseDurationSeconds": 40},
        }
        await self._ignoring("AlreadyExists", calls.create(LEASES, lease))

    async def _renew(self) -> None:
        renewed = {"spec": {"renewTime": rfc3339_micro(self._clock.now())}}
        await self._client(calls.patch(LEASES, self.name, LEASE_NAMESPACE, renewed))

    def _changed(self, change: Changed[Pod]) -> None:
        pod = change.newest
        if pod.spec.node_name != self.name:
            return
        uid = pod.metadata.uid
        if change.after is None or pod.status.phase in ("Succeeded", "Failed"):
            self._taken.pop(uid, None)
        if change.after is None:
            player = self._players.pop(uid, None)
            if player is not None:
                player.cancel()
            self.alive.pop(key_of(pod), None)
        elif uid not in self._players and pod.status.phase not in ("Succeeded", "Failed"):
            self._players[uid] = self._tasks.create_task(self._play(pod))
        if change.after is not None and pod.metadata.deletion_timestamp is not None:
            stopper = f"stop/{uid}"
            if stopper not in self._players:
                self._players[stopper] = self._tasks.create_task(self._stop(pod))

    async def _play(self, pod: Pod) -> None:
        life = self._script(pod)
        uid = pod.metadata.uid
        self.played[uid] = self.played.get(uid, 0) + 1
        if pod.status.phase == "Running":
            await self._end(pod, 137, "ContainerStatusUnknown", "its end was not seen")
            return
        if refused := life.refused or self._lacks(pod):
            await self._report(pod, {"phase": "Failed", "reason": refused,
                                     "message": "the node refuses the pod"})  # fmt: skip
            return
        await asyncio.sleep(life.starts)
        self.alive[key_of(pod)] = uid
        started = rfc3339(self._clock.now())
        await self._report(pod, _running(pod, started))
        if life.progress:
            note = {"metadata": {"annotations": {labels.PROGRESS: life.progress}}}
            await self._insist(
                lambda: self._client(
                    calls.patch(PODS, pod.metadata.name, pod.metadata.namespace, note)
                )
            )
        if life.runs is not None:
            await asyncio.sleep(life.runs)
            self.alive.pop(key_of(pod), None)
            await self._end(pod, life.exit_code, life.reason, "")

    def _lacks(self, pod: Pod) -> str:
        """Why there is no room for a pod beside those that have some; "" where it gets its own."""
        wanted = amounts(requests(to_manifest(pod.spec))) if self._room else {}
        for name, room in self._room.items():
            used = sum(taken.get(name, 0) for taken in self._taken.values())
            if wanted.get(name, 0) > room - used:
                return f"OutOf{name}"
        self._taken[pod.metadata.uid] = wanted
        return ""

    async def _end(self, pod: Pod, code: int, reason: str, message: str) -> None:
        await self._report(pod, _ended(pod, code, reason, message, rfc3339(self._clock.now())))

    async def _stop(self, pod: Pod) -> None:
        life = self._script(pod)
        await asyncio.sleep(life.goes)
        player = self._players.pop(pod.metadata.uid, None)
        if player is not None:
            player.cancel()
        if self.alive.pop(key_of(pod), None) is not None and life.leaves is not None:
            await self._end(pod, life.leaves, "", "")
            await asyncio.sleep(0.5)  # a kubelet clears away before it confirms
        call = calls.delete(
            PODS, pod.metadata.name, pod.metadata.namespace, uid=pod.metadata.uid, grace_seconds=0
        )
        while True:
            try:
                await self._client(call)
            except ApiError as problem:
                if problem.reason not in ("NotFound", "Conflict"):
                    await asyncio.sleep(0.5)
                    continue
            return

    async def _report(self, pod: Pod, status: JSON) -> None:
        meta = pod.metadata
        body = {"metadata": {"uid": meta.uid}, "status": status}

        async def once() -> None:
            try:
                held = await self._client(calls.get(Pod, meta.name, meta.namespace))
                if held.metadata.uid == meta.uid:
                    await self._client(
                        calls.patch(PODS, meta.name, meta.namespace, body, subresource="status")
                    )
            except ApiError as problem:
                if problem.reason != "NotFound":
                    raise

        await self._insist(once)

    async def _ignoring(self, reason: str, call: calls.Call[JSON]) -> None:
        try:
            await self._client(call)
        except ApiError as problem:
            if problem.reason != reason:
                raise

    async def _insist(self, work: Callable[[], Any]) -> None:
        while True:
            try:
                await work()
            except ApiError as problem:
                log.info("%s tries again: %s", self.name, problem.message)
                await asyncio.sleep(0.5)
            else:
                return


def _running(pod: Pod, started: str) -> JSON:
    return {
        "phase": "Running",
        "startTime": started,
        "podIP": "127.0.0.1",
        "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": started}],
        "containerStatuses": [
            {"name": c.name, "image": c.image, "imageID": "", "ready": True, "restartCount": 0,
             "state": {"running": {"startedAt": started}}}
            for c in pod.spec.containers
        ],
    }  # fmt: skip


def _ended(pod: Pod, code: int, reason: str, message: str, finished: str) -> JSON:
    ended = {
        "exitCode": code,
        "reason": reason or ("Completed" if code == 0 else "Error"),
        "message": message,
        "finishedAt": finished,
    }
    return {
        "phase": "Succeeded" if code == 0 else "Failed",
        "conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": finished}],
        "containerStatuses": [
            {"name": c.name, "image": c.image, "imageID": "", "ready": False, "restartCount": 0,
             "state": {"terminated": ended}}
            for c in pod.spec.containers
        ],
    }  # fmt: skip


def nodes(
    client: Client, names: Iterable[str], clock: Clock, script: Script, **more: Any
) -> list[SimulatedNode]:
    """Several equal nodes."""
    return [SimulatedNode(client, name, clock, script, **more) for name in names]
