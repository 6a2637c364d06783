"""Everything a pod's containers need before they start: volumes, network, environment, files."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from msgspec import structs

from athanor.api.meta import JSON
from athanor.kit import quantity
from athanor.local.agent import (
    contain,
    images,
    outward,
    overlay,
    permits,
    ports,
    progress_file,
    reach,
)
from athanor.local.agent.datagrams import DatagramRelay
from athanor.local.agent.devices import Device, NotEnough, chosen_for
from athanor.local.agent.images import Environment
from athanor.local.agent.node import ROOT_CA, Node, log_path
from athanor.local.agent.place import API_PORT, HOME, Place
from athanor.local.agent.plan import environ, names, probes, security
from athanor.local.agent.plan.environ import Missing
from athanor.local.agent.plan.observed import Hold
from athanor.local.agent.relay import Relay
from athanor.local.agent.volumes import Volumes

REQUIREMENTS = "athanor.dev/requirements"
_MESSAGE_LIMIT = 4096
_LINES_LIMIT = 2048


class Preparation:
    """One pod's; `address` is its own where pods have networks of their own."""

    def __init__(self, node: Node, pod: JSON, address: str, host_network: bool) -> None:
        self._node = node
        self._pod = pod
        self.address = address
        self.sandboxed = False
        self.poke: Callable[[], None] = lambda: None
        self.freed: Callable[[], None] = lambda: None
        self.hosts: Callable[[], str] = lambda: ""
        self._relays: list[Relay | DatagramRelay] = []
        self._host_network = host_network
        self._lock = asyncio.Lock()
        self._found: dict[tuple[str, str], JSON | None] = {}
        self._ready = False
        self.folder = node.settings.pods / pod["metadata"]["uid"]
        self.place = self._place(os.getuid())
        self.volumes = Volumes(node, self.place, pod, self._lookup, node.claims.folder)

    @property
    def reached_at(self) -> str:
        """The pod's address, or the node's where it shares that."""
        return self.address or self._node.settings.address

    def refer(self, pod: JSON) -> None:
        """The pod as it is now."""
        self._pod = pod
        self.volumes.refer(pod)

    async def pod(self) -> None:
        """Volumes and namespaces. Raises Missing, Refused, ApiError."""
        async with self._lock:
            if not self._ready:
                uid = await self._node.uid_of(self._pod["metadata"]["namespace"])
                self.place = self._place(uid)
                self.volumes.place = self.place
                await self._fetch()
                self._own_files()
                await self.volumes.prepare(self._facts())
                self._ready = True
            if not self.sandboxed:
                await self._node.supervised.ask(
                    "sandbox", pod=self._pod["metadata"]["uid"], hostname=names.hostname(self._pod),
                    address="" if self._host_network else self.address,
                )  # fmt: skip
                self.sandboxed = True
                await self._host_ports()

    def stale(self) -> bool:
        """Whether what the volumes were made from may have changed, or a token runs out."""
        if not self._ready:
            return False
        renew = self.volumes.renew_at
        if renew is not None and renew <= self._node.clock.now():
            return True
        return any(name != ROOT_CA for _, name in _references(self._pod)) or _reflects(self._pod)

    async def refresh(self) -> None:
        """Make the volumes current. Raises Missing, ApiError."""
        async with self._lock:
            if self._ready:
                await self._fetch()
                await self.volumes.prepare(self._facts())

    async def container(self, name: str, attempt: int) -> JSON:
        """What the supervisor is to start. Raises Missing."""
        container = self.container_of(name)
        if any("grpc" in (container.get(kind) or {}) for kind in probes.KINDS):
            raise Missing("this node has no grpc probes; use exec, httpGet or tcpSocket")
        place = self.place
        network = place.permit.host_network or not place.apart
        if why := security.objection(
            self._pod, container, place.uid, place.gid, host_network=network
        ):
            raise Missing(why)
        await self._fetch()
        try:
            env = images.resolve(container.get("image") or "")
        except images.NoImage as error:
            missing = Missing(str(error))
            missing.hold = error.hold
            raise missing from None
        if not self.place.permit.everything:
            self.place.permit.check_environment(env.needs, images.homes())
        env = self._overlaid(self._named(env, name))
        given = self._devices(container)
        base = contain.base_environment(self._pod, env, self.place, self._api())
        base |= progress_file.variables(self.place, name)
        fixed = {**self._node.devices.environment(given), **self._ports()}
        variables = environ.environment(
            self._pod, container, self._lookup, self._facts(), base, fixed
        )
        contain.own_files(self.place, name)
        progress_file.prepare(self.place, name)
        spec = self._spec(container, attempt, env, variables)
        for device in given:
            spec["mounts"] += [{"source": f, "target": f} for f in device.files]
        held = self._node.devices.held(self._pod["metadata"]["uid"], name)
        return {**spec, "labels": {"devices": held} if held else {}}

    def last_words(self, name: str, attempt: int, code: int) -> str:
        """A container's termination message."""
        path = self.folder / "containers" / name / "message"
        try:
            text: str = path.read_bytes()[:_MESSAGE_LIMIT].decode(errors="replace")
            path.write_bytes(b"")
        except OSError:
            text = ""
        if text or not code:
            return text
        if self.container_of(name).get("terminationMessagePolicy") != "FallbackToLogsOnError":
            return ""
        try:
            tail = log_path(self._node.settings, self._pod, name, attempt).read_bytes()[-8192:]
        except OSError:
            return ""
        lines = [row.split(b" ", 3)[-1] for row in tail.splitlines()]
        return b"\n".join(lines)[-_LINES_LIMIT:].decode(errors="replace")

    async def release(self) -> None:
        """Give the folder and the ports back."""
        self.freed()
        for relay in self._relays:
            await relay.close()
        self._relays = []
        await asyncio.to_thread(self.volumes.remove)
        self._ready = False
        self.sandboxed = False

    def container_of(self, name: str) -> JSON:
        """A container's spec, init containers included."""
        spec = self._pod["spec"]
        every: list[JSON] = [*spec["containers"], *(spec.get("initContainers") or [])]
        return next(c for c in every if c["name"] == name)

    def _place(self, uid: int) -> Place:
        hello = self._node.hello
        gid = uid if os.getuid() == 0 else os.getgid()
        apart = hello["isolation"] != "process"
        walls = ["seccomp"] if apart else ["landlock", "seccomp"]
        return Place(
            uid=uid, gid=gid, folder=self.folder, data=self._node.settings.data,
            library=self._node.settings.library, apart=self._node.apart, walls=tuple(walls),
            cgroups=frozenset(hello["cgroups"]),
            permit=permits.permit(
                self._pod, uid, self._node.settings.data,
                stamped=self._node.settings.joined is None, ours=os.getuid(),
            ),
        )  # fmt: skip

    def _spec(
        self, container: JSON, attempt: int, env: Environment, variables: Mapping[str, str]
    ) -> JSON:
        uid = self._pod["metadata"]["uid"]
        name = container["name"]
        place = self.place
        spec = {
            "pod": uid,
            "group": f"{uid}_{name}",
            "log": str(log_path(self._node.settings, self._pod, name, attempt)),
            "argv": contain.command(container, env, variables),
            "env": {**variables, "ATHANOR_CONTAINER": f"{uid}/{name}/{attempt}"},
            "cwd": container.get("workingDir") or HOME,
            "uid": place.uid,
            "gid": place.gid,
            "groups": [],
            "mounts": [],
            "limits": contain.limits(container, place),
            "walls": list(place.walls),
            "stdin": bool(container.get("stdin")),
            "tty": bool(container.get("tty")),
        }
        if not place.apart:
            return contain.share(spec, self._pod, container, place, self.volumes.sources)
        spec["mounts"] = contain.mounts(
            self._pod, container, env, place, self.volumes.sources, variables
        )
        return spec

    def _own_files(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        reach.let_in(self.folder, self.place.gid)
        hosts = self.hosts()
        user = f"athanor:x:{self.place.uid}:{self.place.gid}::{HOME}:/bin/sh\n"
        own = {  # Java, for one, needs its user to have a name
            "hosts": hosts,
            "resolv.conf": self._resolv_conf(),
            "passwd": "root:x:0:0:root:/root:/bin/sh\n" + (user if self.place.uid else ""),
        }
        for name, text in own.items():
            path = self.folder / name
            if not path.exists():
                path.write_text(text)
                path.chmod(0o644)

    def _resolv_conf(self) -> str:
        machine = ""
        with contextlib.suppress(FileNotFoundError):
            machine = Path("/etc/resolv.conf").read_text(encoding="utf-8")
        if self._host_network:
            return machine
        if not self._node.settings.egress:
            return "options timeout:1 attempts:1\n"
        return outward.resolv_conf(
            machine, str(ipaddress.ip_network(self._node.settings.network)[1])
        )

    async def _host_ports(self) -> None:
        """Let this machine's ports lead into the pod, as its hostPorts ask. Raises Missing."""
        if not self.address:
            return
        uid = self._pod["metadata"]["uid"]
        for container in self._pod["spec"]["containers"]:
            for port in container.get("ports") or []:
                kind = port.get("protocol", "TCP")
                if not port.get("hostPort"):
                    continue
                if kind not in ("TCP", "UDP"):
                    raise Missing(
                        f"hostPort {port['hostPort']}: this node has no {kind} host ports"
                    )
                inside = port["containerPort"]
                relay = (
                    Relay(partial(self._node.dial, uid, self.address, inside))
                    if kind == "TCP"
                    else DatagramRelay(
                        partial(self._node.dial_datagrams, uid, self.address, inside)
                    )
                )
                here = port.get("hostIP") or self._node.settings.address
                try:
                    await relay.here(here, port["hostPort"])
                except OSError as error:
                    raise Missing(f"hostPort {port['hostPort']} of {here}: {error}") from None
                self._relays.append(relay)

    def _facts(self) -> dict[str, str]:
        return {
            "podIP": self.reached_at,
            "hostIP": self._node.settings.address,
        }

    def _api(self) -> dict[str, str]:
        host, port = self._node.settings.api
        if self._node.apart and not self._host_network:
            host, port = "kubernetes.default.svc", API_PORT
        return {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": str(port)}

    def _named(self, env: Environment, container: str) -> Environment:
        """The environment with its interpreter under the names that scripts use."""
        if not env.unnamed:
            return env
        folder = self.folder / "containers" / container / "bin"
        folder.mkdir(parents=True, exist_ok=True)
        for name in images.NAMES:
            if not (folder / name).is_symlink():
                (folder / name).symlink_to(env.python)
        found = str(folder)
        return structs.replace(env, path=(found, *env.path), needs=(*env.needs, found))

    def _overlaid(self, env: Environment) -> Environment:
        """The environment with the pod's requirements over it. Raises Missing until it is built."""
        notes = self._pod["metadata"].get("annotations") or {}
        wish = notes.get(REQUIREMENTS, "").strip()
        if not wish:
            return env
        try:
            if not self.place.permit.everything:
                overlay.check(wish, env, images.homes())
            path = self._node.overlays.get(wish, env, self.poke)
        except overlay.Failed as error:
            raise Missing(f"requirements: {error}") from None
        if path is None:
            missing = Missing("installing the requirements")
            missing.hold = Hold("ContainerCreating", "installing the requirements")
            raise missing
        (self.folder / overlay.USED).mkdir(parents=True, exist_ok=True)
        (self.folder / overlay.USED / path.name).touch()
        return structs.replace(
            env, path=(f"{path}/bin", *env.path), needs=(*env.needs, str(path)),
            libraries=(*env.libraries, str(path)),
        )  # fmt: skip

    def _devices(self, container: JSON) -> list[Device]:
        wishes = self._wishes(container)
        chosen = chosen_for(self._pod["metadata"])
        uid, spec = self._pod["metadata"]["uid"], self._pod["spec"]
        every = spec["containers"] + (spec.get("initContainers") or [])
        try:
            if chosen and not any(map(self._wishes, every)):  # it has a share of them
                return self._node.devices.share(uid, container["name"], chosen)
            return self._node.devices.assign(uid, container["name"], wishes, chosen)
        except NotEnough as error:
            raise Missing(str(error)) from None

    def _wishes(self, container: JSON) -> dict[str, int]:
        """How many whole devices a container asks for."""
        most = (container.get("resources") or {}).get("limits") or {}
        known = set(self._node.devices.names())
        return {name: quantity.whole(text) for name, text in most.items() if name in known}

    def _ports(self) -> dict[str, str]:
        gang = gang_of(self._pod)
        if not gang or (self._node.apart and not self._host_network):
            return {}
        first = self._node.ports.first_of(gang)
        each = {f"ATHANOR_PORT_{n}": str(first + n) for n in range(ports.SIZE)}
        return {"ATHANOR_PORT": str(first), **each}

    async def _fetch(self) -> None:
        """Read the config maps and secrets that the pod refers to."""
        namespace = self._pod["metadata"]["namespace"]
        for kind, name in sorted(_references(self._pod)):
            self._found[kind, name] = await self._node.read(kind, namespace, name)
        for volume in self._pod["spec"].get("volumes") or []:
            if claim := volume.get("persistentVolumeClaim"):
                await self._node.claims.look(namespace, claim["claimName"])

    def _lookup(self, kind: str, name: str) -> JSON | None:
        return self._found.get((kind, name))


def gang_of(pod: JSON) -> str:
    """namespace/name of the Gang a pod belongs to, or ""."""
    meta = pod["metadata"]
    gang = (meta.get("labels") or {}).get("athanor.dev/gang")
    return f"{meta['namespace']}/{gang}" if gang else ""


def _reflects(pod: JSON) -> bool:
    """Whether a volume shows the pod's own labels or annotations, which may change."""
    return any(
        (item.get("fieldRef") or {})
        .get("fieldPath", "")
        .startswith(("metadata.labels", "metadata.ann"))
        for volume in pod["spec"].get("volumes") or []
        for part in (volume, *((volume.get("projected") or {}).get("sources") or []))
        for item in (part.get("downwardAPI") or {}).get("items") or []
    )


def _references(pod: JSON) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()

    def walk(value: object) -> None:
        if isinstance(value, list):
            for item in value:
                walk(item)
        if not isinstance(value, dict):
            return
        for key, inner in value.items():
            if isinstance(inner, dict):
                if key in ("configMap", "configMapRef", "configMapKeyRef"):
                    found.add(("ConfigMap", inner.get("name", "")))
                elif key in ("secret", "secretRef", "secretKeyRef"):
                    found.add(("Secret", inner.get("secretName") or inner.get("name", "")))
            walk(inner)

    walk(pod["spec"])
    return {pair for pair in found if pair[1]}


def library(path: Path, source: Path) -> None:
    """Put athanor_progress, alone, into a folder for PYTHONPATH."""
    target = path / "athanor_progress"
    target.mkdir(parents=True, exist_ok=True)
    for file in source.glob("*.py"):
        fresh = target / (file.name + ".new")
        fresh.write_bytes(file.read_bytes())
        fresh.chmod(0o644)
        fresh.replace(target / file.name)
