"""The node agent: follows this node's pods and gives each one a worker."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import os
from collections.abc import Coroutine, Iterator
from pathlib import Path

import athanor_progress
from athanor.api.core import Pod, Service
from athanor.api.meta import JSON
from athanor.api.registry import of
from athanor.client.protocol import Client
from athanor.kit import ready
from athanor.kit.clock import Clock
from athanor.local.agent import leftovers, prepare, reach, recall
from athanor.local.agent.alone import alone, identity
from athanor.local.agent.busy import Busy
from athanor.local.agent.claims import Claims
from athanor.local.agent.devices import Devices, Nvidia, Simulated
from athanor.local.agent.directory import Directory
from athanor.local.agent.egress import Egress
from athanor.local.agent.events import Recorder
from athanor.local.agent.evictions import Evictions
from athanor.local.agent.executed import Executor
from athanor.local.agent.follow import Follower
from athanor.local.agent.heartbeat import Heartbeat
from athanor.local.agent.kubelet.server import Kubelet
from athanor.local.agent.node import Node, Settings
from athanor.local.agent.overlay import Overlays
from athanor.local.agent.peers import Peers
from athanor.local.agent.place import API_PORT
from athanor.local.agent.plan import fit
from athanor.local.agent.plan.environ import Missing
from athanor.local.agent.ports import PortBlocks
from athanor.local.agent.progress import Reports
from athanor.local.agent.relay import Relay
from athanor.local.agent.supervised import Met, Refused, Supervised
from athanor.local.agent.uids import Uids
from athanor.local.agent.worker import Worker
from athanor.wire.status import ApiError

log = logging.getLogger(__name__)
_RETRY = 5.0  # seconds until a worker that failed goes on
REFRESH = 20.0  # seconds between two looks at what volumes are made from


class Agent:
    """The whole agent; `run` works until cancelled. Pods outlive it."""

    def __init__(
        self, settings: Settings, client: Client, clock: Clock, pulse: Client | None = None
    ) -> None:
        """`pulse`: what the heartbeat goes over, where that is not `client`."""
        self.settings = settings
        self._pulse = pulse or client
        network = ipaddress.ip_network(settings.network)
        self._gateway = str(network[1])
        self._free = self._addresses(network)
        self._spare: list[str] = []
        self._taken: set[str] = set()
        self.client = client
        self.clock = clock
        self.supervised = Supervised(settings.data, self._gateway, settings.isolation)
        self._executor = Executor(self.supervised)
        self._ledger = fit.Ledger()
        self.workers: dict[str, Worker] = {}
        self._reports = Reports(settings, self.client, self.workers)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._hello: JSON = {}
        self._listed: list[JSON] = []
        self._sandboxes: dict[str, str] = {}
        self.events = Recorder(client, clock, settings.name)
        fields = f"spec.nodeName={settings.name}"
        self.pods = Follower(client, of(Pod), self._changed, fields)
        self._services = Follower(client, of(Service), self._service_changed)
        self._peers = Peers(client, self.workers, lambda where: self.directory.touch(where))
        self.directory = Directory(
            self.workers, lambda: list(self._services.objects.values()), self._peers.lines,
            self._gateway,
        )  # fmt: skip
        self._relay = Relay(lambda: asyncio.open_connection(*settings.api))
        self._egress = Egress(self.supervised, self._gateway, settings.network)
        self.node: Node | None = None

    async def run(self) -> None:
        """Work until cancelled."""
        for folder in (self.settings.pods, self.settings.logs, self.settings.claims):
            folder.mkdir(parents=True, exist_ok=True)
        prepare.library(self.settings.library, Path(str(athanor_progress.__file__)).parent)
        me = identity(self.settings.data / "node")
        if self.settings.joined is not None:  # before anything is heard of what runs here
            await alone(self._pulse, self.clock, self.settings.name, me)
        self.supervised.told = self._told
        await self.supervised.connect(self._met)
        self.node = Node(
            settings=self.settings, client=self.client, clock=self.clock,
            supervised=self.supervised, hello=self._hello, executor=self._executor,
            devices=self._devices(), ports=PortBlocks(self.settings.data / "node" / "ports.json"),
            uids=Uids(self.settings.data / "node" / "uids.json"),
            overlays=Overlays(self.settings.data / "node" / "overlays"),
            claims=Claims(
                self.client, self.settings.claims, self.settings.name, self._poke_all,
                provisions=self.settings.joined is None,
            ),
        )  # fmt: skip
        await self._open_relay()
        kubelet = Kubelet(self.node, self.workers)
        self._heartbeat = Heartbeat(self.node, await kubelet.start(), self._pulse, me)
        try:
            async with asyncio.TaskGroup() as group:
                for job in self._jobs(kubelet, self.node):
                    group.create_task(job)
        finally:
            for task in self._tasks.values():
                task.cancel()
            await self._relay.close()
            await self._egress.close()
            await kubelet.close()
            await self.supervised.close()

    def _jobs(self, kubelet: Kubelet, node: Node) -> list[Coroutine[None, None, None]]:
        """What goes on until the agent ends."""
        return [
            self.pods.run(), self.events.run(), self._heartbeat.run(), self._sweep(),
            self._reports.run(), Busy(node, self.workers).run(),
            Evictions(self.workers, self.settings.logs).run(),
            self.supervised.run(self._met), self._services.run(), self.directory.run(),
            node.claims.run(), self._announce(), self._refresh(), kubelet.run(),
            *([] if self.settings.joined is None else [self._peers.run()]),
        ]  # fmt: skip

    async def _announce(self) -> None:
        """Tell whoever started us once the node is registered and its pods are known."""
        await self._heartbeat.registered.wait()
        await self.pods.filled.wait()
        ready.announce()

    def _devices(self) -> Devices:
        wish = self.settings.simulate_gpus
        return Devices([Simulated(wish) if wish else Nvidia()])

    def _poke_all(self, namespace: str) -> None:
        for worker in self.workers.values():
            if worker.pod["metadata"]["namespace"] == namespace:
                worker.retry()

    async def _open_relay(self) -> None:
        assert self.node is not None
        if not self.node.apart:
            return
        try:
            await self._relay.at_gateway(self.supervised, self._gateway, API_PORT)
        except (Refused, OSError) as error:  # meeting the next supervisor tries it again
            log.warning("pods cannot reach the API server: %s", error)
        if self.settings.egress:
            await self._egress.open()
            if self._egress.missing:
                self._hello["missing"].append(self._egress.missing)

    def _service_changed(self, key: str, old: JSON | None, new: JSON | None) -> None:
        self.directory.touch(key.partition("/")[0])

    def _changed(self, key: str, old: JSON | None, new: JSON | None) -> None:
        if old is not None and (new is None or old["metadata"]["uid"] != new["metadata"]["uid"]):
            worker = self.workers.get(old["metadata"]["uid"])
            if worker is not None:
                worker.vanish()
        self.directory.touch(key.partition("/")[0])
        if new is None:
            return
        uid = new["metadata"]["uid"]
        worker = self.workers.get(uid)
        if worker is not None:
            worker.update(new)
        else:
            self._adopt(uid, new)

    def _adopt(self, uid: str, pod: JSON) -> None:
        assert self.node is not None
        mine = [seen for seen in self._listed if seen["key"].startswith(uid + "/")]
        runs = recall.recall(pod, mine, self.clock.now())
        over = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
        host = bool(pod["spec"].get("hostNetwork")) or not self.node.apart
        address = "" if host or over else self._sandboxes.get(uid) or self._address()
        preparation = prepare.Preparation(self.node, pod, address, host)
        preparation.sandboxed = uid in self._sandboxes
        keys = [seen["key"] for seen in mine]
        worker = Worker(self.node, pod, preparation, runs, self.events.say, keys)
        preparation.poke = worker.retry
        worker.last_words = lambda: self._reports.last(worker)
        preparation.freed = lambda: self._freed(uid)
        preparation.hosts = lambda: self.directory.text(worker)
        for seen in mine:
            held = (seen.get("labels") or {}).get("devices")
            if held and not seen.get("exit"):
                self.node.devices.restore(uid, seen["key"].split("/")[1], held)
        if not over:
            if not mine and not runs:
                allocatable = self._heartbeat.allocatable()
                worker.refused = self._ledger.refuse(pod["spec"], allocatable)
            if worker.refused is None:
                self._ledger.charge(uid, pod["spec"])
        self.workers[uid] = worker
        self._tasks[uid] = asyncio.ensure_future(self._work(uid, worker))

    async def _work(self, uid: str, worker: Worker) -> None:
        try:
            while True:
                try:
                    return await worker.run()
                except Exception:  # one pod's trouble must never stop the others, nor that pod
                    log.exception("pod %s: its worker failed", worker.pod["metadata"]["name"])
                    await asyncio.sleep(_RETRY)
        finally:
            self.workers.pop(uid, None)
            self._tasks.pop(uid, None)
            self._released(uid)
            if worker.preparation.address:
                self._taken.discard(worker.preparation.address)
                self._spare.append(worker.preparation.address)

    def _freed(self, uid: str) -> None:
        assert self.node is not None
        self.node.devices.release(uid)
        self._ledger.release(uid)

    def _released(self, uid: str) -> None:
        assert self.node is not None
        self._freed(uid)
        self.directory.forget(uid)
        self.node.ports.keep({prepare.gang_of(w.pod) for w in self.workers.values()} - {""})

    def _told(self, event: JSON) -> None:
        if self._executor.told(event):
            return
        uid, _, rest = event["key"].partition("/")
        worker = self.workers.get(uid)
        if worker is None or "/" not in rest:
            return
        name, _, attempt = rest.partition("/")
        worker.ended(name, int(attempt), event["exit"])

    def _met(self, met: Met) -> None:
        """Take in what a supervisor has, before any worker may ask it for anything."""
        self._hello = met.hello
        if os.geteuid() == 0 and met.hello["isolation"] == "process":
            met.hello["missing"] += reach.open_way(self.settings)
        else:
            reach.shut(self.settings)
        self._listed, self._sandboxes = met.containers, met.sandboxes
        self._taken |= {address for address in met.sandboxes.values() if address}
        if self.node is None:
            return
        self.node.hello = met.hello
        known = {seen["key"] for seen in met.containers}
        for worker in self.workers.values():
            worker.lose(known, met.sandboxes)
        for seen in met.containers:
            if seen.get("exit"):
                self._told({"key": seen["key"], "exit": seen["exit"]})
        self._opening = asyncio.ensure_future(self._open_relay())

    async def _refresh(self) -> None:
        """Keep config maps, secrets and tokens in volumes current, until cancelled."""
        while True:
            await asyncio.sleep(REFRESH)
            for worker in [w for w in self.workers.values() if w.preparation.stale()]:
                try:
                    await worker.preparation.refresh()
                except (Missing, ApiError, OSError) as error:
                    log.warning("pod %s: %s", worker.pod["metadata"]["name"], error)

    async def _sweep(self) -> None:
        """After the first list: end what belongs to pods that are no more."""
        await self.pods.filled.wait()
        known, listed = set(self.workers), self._listed
        with contextlib.suppress(Refused):
            for uid in {seen["pod"] for seen in listed} | set(self._sandboxes):
                if uid not in known:
                    await self.supervised.ask("unsandbox", pod=uid)
            stale = [s["key"] for s in listed if s["pod"] not in known]
            await self.supervised.ask("forget", keys=stale)
        await asyncio.to_thread(leftovers.sweep, self.settings, known)

    def _address(self) -> str:
        if self._spare and len(self._spare) > 64:
            address = self._spare.pop(0)
        else:
            address = next(a for a in self._free if a not in self._taken)
        self._taken.add(address)
        return address

    @staticmethod
    def _addresses(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> Iterator[str]:
        for host in network.hosts():
            if host != network[1]:
                yield str(host)
