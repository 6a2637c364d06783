"""The node's own object and its Lease: what the machine has, how it is, that it lives."""

from __future__ import annotations

import asyncio
import base64
import logging
import os
import platform
import shutil
import socket
from collections.abc import Sequence

from athanor.api import core, metrics
from athanor.api.labels import GIVES_DEVICES
from athanor.api.meta import JSON
from athanor.api.processes import TAINT
from athanor.api.registry import by_kind, of
from athanor.client.protocol import Client
from athanor.kit.times import rfc3339, rfc3339_micro
from athanor.local.agent.alone import LEASE_SECONDS, LEASES, Identity
from athanor.local.agent.devices import LABELS, SIMULATED
from athanor.local.agent.node import Node
from athanor.wire import calls
from athanor.wire.status import ApiError

log = logging.getLogger(__name__)
_BEAT = 10.0
_AGAIN = 0.3
_SELDOM = 60.0
_REFUSALS = (400, 401, 403, 422)
_REFUSED = "the cluster refuses to register node %s: %s; it is asked again, every minute at last"
LOW = 5 << 30, 0.1
"""With less of the disk free than so many bytes, and than this share of it, there is pressure;
it is over with twice as much.
"""
_SAY_AGAIN = 300.0
"""Seconds after which a status that did not change is written again (the kubelet's own habit)."""
_NODES, _LEASES = of(core.Node), of(core.Lease)
ROLE = "node-role.kubernetes.io/simulated-gpus"
"""Shown by `kubectl get nodes`; in other people's clusters NodeRestriction forbids it to nodes."""
_DECLARED = ["ExtendWebSocketsToKubelet"]
"""API servers from 1.36 on pass WebSockets on to nodes that say so, instead of speaking SPDY."""


class Heartbeat:
    """Registers the node and renews its lease; the status is written when it changes.

    `client` has a connection of its own: a thousand pods that start must not delay the beat.
    """

    def __init__(self, node: Node, port: int, client: Client, me: Identity | None = None) -> None:
        """`me`: who the node is."""
        self._node = node
        self._me = me or Identity()
        self._full = False
        self._client = client
        self._port = port
        self._reported: JSON = {}
        self._reported_at = 0.0
        self._since: dict[str, tuple[str, str]] = {}
        self._offered: frozenset[str] = frozenset()
        self.registered = asyncio.Event()
        settings = node.settings
        self._addresses = [{"type": "InternalIP", "address": settings.address}]
        if settings.joined is None or _leads_to(settings.name, settings.address):
            # API servers try names first: one that leads nowhere would hide the address
            self._addresses.append({"type": "Hostname", "address": settings.name})
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        self._machine = {
            "cpu": str(os.cpu_count() or 1),
            "memory": f"{memory // 1024}Ki",
            "pods": str(node.settings.max_pods),
            "ephemeral-storage": f"{shutil.disk_usage(node.settings.data).total // 1024}Ki",
        }

    async def register(self) -> None:
        """Make the Node object if it is not there, and report its status."""
        name = self._node.settings.name
        labels = {
            "kubernetes.io/hostname": name,
            "kubernetes.io/os": platform.system().lower(),
            "kubernetes.io/arch": {"x86_64": "amd64", "aarch64": "arm64"}.get(
                platform.machine(), platform.machine()
            ),
            "athanor.dev/isolation": str(self._node.hello["isolation"]),
            GIVES_DEVICES: "true",
            **self._node.devices.labels(),
        }
        joined = self._node.settings.joined
        if joined is None:
            labels |= {ROLE: ""} if SIMULATED in labels else {}
        else:
            labels |= joined.labels
        manifest: JSON = {
            "apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels},
            "spec": {"taints": list(joined.taints)} if joined else {},
        }  # fmt: skip
        try:
            known = await self._client(calls.create(_NODES, manifest))
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
            mine = LABELS if joined else (*LABELS, ROLE)
            gone = dict.fromkeys(set(mine) - set(labels))
            body = {"metadata": {"labels": {**labels, **gone}}}
            known = await self._client(calls.patch(_NODES, name, None, body))
            if joined is not None:
                known = await self._tainted(known, joined.taints)
        self._reported = {}
        self._offered = frozenset((known.get("status") or {}).get("capacity") or ())
        self._since = {
            one["type"]: (one["status"], one["lastTransitionTime"])
            for one in (known.get("status") or {}).get("conditions") or ()
            if one.get("lastTransitionTime")
        }
        await self.report()
        await self._renew()
        if joined is None:
            await self._announce()

    async def _tainted(self, known: JSON, wanted: Sequence[JSON]) -> JSON:
        """Give a node that exists the taint it was started with, or take it away.

        Only an administrator's kubeconfig may: NodeRestriction lets no node change its own taints.
        """
        name, key = self._node.settings.name, TAINT["key"]
        taints: list[JSON] = (known.get("spec") or {}).get("taints") or []
        if bool(wanted) == any(taint["key"] == key for taint in taints):
            return known
        others = [taint for taint in taints if taint["key"] != key]
        version = known["metadata"]["resourceVersion"]
        body = {
            "metadata": {"resourceVersion": version}, "spec": {"taints": [*others, *wanted]},
        }  # fmt: skip
        try:
            known = await self._client(calls.patch(_NODES, name, None, body))
        except ApiError as error:
            if error.code != 403:
                raise
            log.warning(
                "node %s %s the taint %s, and a node may not change its own taints; an "
                "administrator may: kubectl taint node %s %s%s",
                name, "lacks" if wanted else "keeps", key,
                name, key, f":{TAINT['effect']}" if wanted else "-",
            )  # fmt: skip
        return known

    async def _announce(self) -> None:
        """Tell the API server that metrics.k8s.io is answered here, where it has a place for it."""
        settings = self._node.settings
        resource = by_kind("apiregistration.k8s.io/v1", "APIService")
        assert resource is not None
        service = {"name": metrics.DOOR, "namespace": metrics.HOME, "port": self._port}
        authority = base64.b64encode(settings.ca.encode()).decode()
        body = {"spec": {"service": service, "caBundle": authority}}
        try:
            await self._client(calls.patch(resource, metrics.SERVICE, None, body))
        except ApiError as error:
            if error.code not in (403, 404):
                raise

    async def run(self) -> None:
        """Register, then beat, until cancelled; a server that is away is asked again soon.

        Who was not heard for a while may be taken for dead, and says all again.
        """
        clock = self._node.clock
        beaten = clock.monotonic()
        pause, refused, said = _AGAIN, "", ""
        while True:
            try:
                if self.registered.is_set():
                    await self._renew()
                    if clock.monotonic() - beaten > 2 * _BEAT:
                        self._reported = {}
                    beaten = clock.monotonic()
                    self._node.devices.look()
                    await self.report()
                else:
                    await self.register()
                    self.registered.set()
                pause, refused, said = _BEAT, "", ""
            except ApiError as error:
                if error.code == 404:
                    self.registered.clear()
                if error.code in _REFUSALS and not self.registered.is_set():
                    pause = min(2 * pause, _SELDOM) if refused else _AGAIN
                    if refused != str(error):
                        refused = str(error)
                        log.error(_REFUSED, self._node.settings.name, refused)
                else:
                    if said != str(error):  # once, not three times a second for as long as it lasts
                        said = str(error)
                        log.warning("heartbeat: %s", said)
                    pause = _AGAIN
            await asyncio.sleep(pause)

    async def report(self) -> None:
        """Write the node's status where it differs from the last one written, or that is old."""
        status, seconds = self._status(), self._node.clock.now()
        if status == self._reported and 0 <= seconds - self._reported_at < _SAY_AGAIN:
            return
        now = rfc3339(seconds)
        for condition in status["conditions"]:
            said, since = self._since.get(condition["type"], ("", now))
            since = since if said == condition["status"] else now
            self._since[condition["type"]] = condition["status"], since
            condition.update(lastHeartbeatTime=now, lastTransitionTime=since)
        gone = dict.fromkeys(self._offered - set(status["capacity"]))
        for amounts in (status["capacity"], status["allocatable"]):
            amounts.update(gone)  # devices that were here once
        name = self._node.settings.name
        await self._client(
            calls.patch(_NODES, name, None, {"status": status}, subresource="status")
        )
        self._reported, self._reported_at = self._status(), seconds
        self._offered = frozenset(self._reported["capacity"])

    def allocatable(self) -> dict[str, str]:
        """What pods may have of this machine: resource → quantity."""
        return {**self._machine, **self._node.devices.allocatable()}

    def _status(self) -> JSON:
        node, hello = self._node, self._node.hello
        missing = [*hello["missing"]]
        if not {"memory", "cpu", "pids"} <= set(hello["cgroups"]):
            missing.append(f"control groups can limit only: {', '.join(hello['cgroups']) or '-'}")
        weak = bool(missing)
        return {
            "capacity": {**self._machine, **node.devices.capacity()},
            "allocatable": self.allocatable(),
            "addresses": self._addresses,
            "declaredFeatures": _DECLARED,
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self._port}},
            "nodeInfo": _info(self._me),
            "conditions": [
                _condition("Ready", "True", "KubeletReady", "the node agent runs"),
                _condition("MemoryPressure", "False", "KubeletHasSufficientMemory", ""),
                self._disk(),
                _condition("PIDPressure", "False", "KubeletHasSufficientPID", ""),
                _condition(
                    "athanor.dev/WeakIsolation", "True" if weak else "False",
                    "PartsMissing" if weak else "Complete",
                    "; ".join(missing) or f"class {hello['isolation']}",
                ),
            ],
        }  # fmt: skip

    def _disk(self) -> JSON:
        """Whether the disk of the data is nearly full: a cluster sends no pods there then."""
        bytes_, share = LOW
        disk = shutil.disk_usage(self._node.settings.data)
        enough = min(bytes_, int(disk.total * share))
        self._full = disk.free < (2 * enough if self._full else enough)
        if not self._full:
            return _condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "")
        said = f"less than {2 * enough >> 20} MiB are free in {self._node.settings.data}"
        return _condition("DiskPressure", "True", "KubeletHasDiskPressure", said)

    async def _renew(self) -> None:
        name = self._node.settings.name
        now = rfc3339_micro(self._node.clock.now())
        spec = {
            "holderIdentity": name, "leaseDurationSeconds": LEASE_SECONDS, "renewTime": now,
        }  # fmt: skip
        try:
            await self._client(calls.patch(_LEASES, name, LEASES, {"spec": spec}))
        except ApiError as error:
            if error.code != 404:
                raise
            manifest = {
                "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                "metadata": {"name": name, "namespace": LEASES}, "spec": spec,
            }  # fmt: skip
            await self._client(calls.create(_LEASES, manifest))


def _leads_to(name: str, address: str) -> bool:
    try:
        return any(found[4][0] == address for found in socket.getaddrinfo(name, None))
    except OSError:
        return False


def _condition(kind: str, status: str, reason: str, message: str) -> JSON:
    return {"type": kind, "status": status, "reason": reason, "message": message}


def _info(me: Identity) -> JSON:
    return {
        "machineID": "", "systemUUID": me.data, "bootID": me.boot,
        "kernelVersion": platform.release(), "osImage": platform.platform(),
        "containerRuntimeVersion": "athanor://0.1", "kubeletVersion": "v1.36.0-athanor",
        "kubeProxyVersion": "", "operatingSystem": platform.system().lower(),
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(
            platform.machine(), platform.machine()
        ),
    }  # fmt: skip
