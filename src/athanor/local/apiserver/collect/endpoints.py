"""Endpoints and EndpointSlices of Services: the addresses of the pods that a selector chooses."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from athanor.api.meta import JSON
from athanor.local.apiserver.catalog import Served
from athanor.local.apiserver.collect.system import change, create, remove, system_call
from athanor.local.apiserver.collect.work import Work
from athanor.local.apiserver.core import Core, decode
from athanor.local.store.model import Key

SETTLE = 0.3
"""Seconds that changes are gathered for: a starting gang is a few writes, not a thousand."""
SLICE = 100
"""Most endpoints in one slice (kube-controller-manager's `--max-endpoints-per-slice`)."""
_MANAGER = "endpointslice-controller.k8s.io"
_SLICES = "endpointslices.discovery.k8s.io"


class EndpointCollector:
    """Items: ("service", namespace, name)."""

    FOLLOWS: tuple[str, ...] = ("services", "pods")

    def __init__(self, core: Core, work: Work) -> None:
        self._core, self._work = core, work
        self._selectors: dict[str, dict[str, dict[str, str]]] = {}
        work.on("service", self.look)

    def load(self) -> None:
        """Know the stored services, and look at each once."""
        for row in self._core.store.rows("services"):
            self._learn(decode(row.body))

    def _learn(self, service: JSON) -> None:
        meta, selector = service["metadata"], (service.get("spec") or {}).get("selector") or {}
        known = self._selectors.setdefault(meta["namespace"], {})
        known.pop(meta["name"], None)
        if selector:
            known[meta["name"]] = selector
            self._work.add("service", meta["namespace"], meta["name"], after=SETTLE)

    def observe(self, served: Served, old: JSON | None, new: JSON | None) -> None:
        """A service or a pod that one selects has changed."""
        if served.key == "services":
            if new is not None:
                self._learn(new)
            elif old is not None:
                meta = old["metadata"]
                self._selectors.get(meta["namespace"], {}).pop(meta["name"], None)
                self._work.add("service", meta["namespace"], meta["name"])
        elif served.key == "pods" and self._selectors:
            one = new if new is not None else old
            known = self._selectors.get(one["metadata"]["namespace"]) if one is not None else None
            if known and (new is None or old is None or _facts(old) != _facts(new)):
                for name in self._chosen_by(known, old) | self._chosen_by(known, new):
                    namespace = (one or {})["metadata"]["namespace"]
                    self._work.add("service", namespace, name, after=SETTLE)

    def _chosen_by(self, known: dict[str, dict[str, str]], pod: JSON | None) -> set[str]:
        """The services that select a pod."""
        if pod is None:
            return set()
        have = (pod["metadata"].get("labels") or {}).items()
        return {name for name, selector in known.items() if selector.items() <= have}

    async def look(self, namespace: str, name: str) -> None:
        """Write what the service's endpoints are now, if that is not what is written."""
        core = self._core
        service = core.latest("services", namespace, name)
        if service is None:
            await self._clear(namespace, name)
            return
        selector = (service.get("spec") or {}).get("selector") or {}
        if not selector or service["metadata"].get("deletionTimestamp"):
            return
        # labels stand in the JSON as they are: most pods need no decoding to be passed over
        marks = [msgspec.json.encode({k: v})[1:-1] for k, v in selector.items()]
        pods = [
            pod
            for row in core.store.rows("pods", namespace)
            if marks[0] in row.body
            and _selected(selector, pod := decode(row.body))
            and _address(pod)
        ]
        await self._endpoints(service, pods)
        await self._slices(service, pods)

    async def _clear(self, namespace: str, name: str) -> None:
        """The endpoints of a service that is gone; its slices go with their owner."""
        served = self._core.catalog.by_name("endpoints")
        found = self._core.latest("endpoints", namespace, name)
        if served is not None and found is not None:
            await remove(self._core, system_call(served, Key("endpoints", namespace, name)))

    async def _endpoints(self, service: JSON, pods: Sequence[JSON]) -> None:
        ready = [_old_address(p) for p in pods if _ready(p)]
        others = [_old_address(p) for p in pods if not _ready(p) and not _gone(p)]
        subset: JSON = {}
        if ready:
            subset["addresses"] = ready
        if others:
            subset["notReadyAddresses"] = others
        ports = _ports(service, pods)
        if subset and ports:
            subset["ports"] = ports
        await self._write("endpoints", service, service["metadata"]["name"], {
            "metadata": {"labels": {"endpoints.kubernetes.io/managed-by": "endpoint-controller"}},
            "subsets": [subset] if subset else [],
        })  # fmt: skip

    async def _slices(self, service: JSON, pods: Sequence[JSON]) -> None:
        meta = service["metadata"]
        wanted = {}
        for start in range(0, max(1, len(pods)), SLICE):
            name = f"{meta['name']}-{_suffix(meta['uid'], start)}"
            wanted[name] = {
                "metadata": {
                    "generateName": f"{meta['name']}-",
                    "labels": {
                        "endpointslice.kubernetes.io/managed-by": _MANAGER,
                        "kubernetes.io/service-name": meta["name"],
                    },
                },
                "addressType": "IPv4",
                "endpoints": [_endpoint(p) for p in pods[start : start + SLICE]],
                "ports": _ports(service, pods),
            }
        for name, obj in wanted.items():
            await self._write(_SLICES, service, name, obj)
        prefix = f"{meta['name']}-"
        served = self._core.catalog.by_name(_SLICES)
        for row in self._core.store.rows(_SLICES, meta["namespace"]):
            if row.key.name.startswith(prefix) and row.key.name not in wanted:
                found = decode(row.body)
                labels = found["metadata"].get("labels") or {}
                if labels.get("kubernetes.io/service-name") == meta["name"] and served:
                    await remove(self._core, system_call(served, row.key))

    async def _write(self, resource: str, service: JSON, name: str, obj: JSON) -> None:
        core, meta = self._core, service["metadata"]
        served = core.catalog.by_name(resource)
        if served is None:
            return
        head = {**obj["metadata"], "name": name, "namespace": meta["namespace"]}
        if resource == _SLICES:
            head["ownerReferences"] = [
                {
                    "apiVersion": "v1", "kind": "Service", "name": meta["name"],
                    "uid": meta["uid"], "controller": True, "blockOwnerDeletion": True,
                }
            ]  # fmt: skip
        key = Key(served.key, meta["namespace"], name)
        if core.latest(*key) is None:
            await create(core, served, {**obj, "metadata": head})
            return
        body = {k: v for k, v in obj.items() if k != "metadata"}
        await change(core, system_call(served, key), lambda old: {**old, **body}, missing=True)


def _facts(pod: JSON) -> tuple[object, ...]:
    status, meta = pod.get("status") or {}, pod["metadata"]
    return (
        meta.get("labels"), status.get("podIP"), _ready(pod), status.get("phase"),
        bool(meta.get("deletionTimestamp")),
    )  # fmt: skip


def _selected(selector: dict[str, str], pod: JSON | None) -> bool:
    if pod is None:
        return False
    labels = pod["metadata"].get("labels") or {}
    return all(labels.get(key) == value for key, value in selector.items())


def _address(pod: JSON) -> str:
    return str((pod.get("status") or {}).get("podIP") or "")


def _gone(pod: JSON) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def _ready(pod: JSON) -> bool:
    if pod["metadata"].get("deletionTimestamp"):
        return False
    return any(
        c.get("type") == "Ready" and c.get("status") == "True"
        for c in (pod.get("status") or {}).get("conditions") or ()
    )


def _reference(pod: JSON) -> JSON:
    meta = pod["metadata"]
    return {
        "kind": "Pod", "namespace": meta["namespace"], "name": meta["name"], "uid": meta["uid"],
    }  # fmt: skip


def _old_address(pod: JSON) -> JSON:
    found = {"ip": _address(pod), "targetRef": _reference(pod)}
    spec = pod["spec"]
    if spec.get("nodeName"):
        found["nodeName"] = spec["nodeName"]
    if spec.get("hostname"):
        found["hostname"] = spec["hostname"]
    return found


def _endpoint(pod: JSON) -> JSON:
    leaving = bool(pod["metadata"].get("deletionTimestamp"))
    spec, ready = pod["spec"], _ready(pod)
    found: JSON = {
        "addresses": [_address(pod)],
        "conditions": {"ready": ready, "serving": ready, "terminating": leaving},
        "targetRef": _reference(pod),
    }
    if spec.get("nodeName"):
        found["nodeName"] = spec["nodeName"]
    if spec.get("hostname"):
        found["hostname"] = spec["hostname"]
    return found


def _ports(service: JSON, pods: Sequence[JSON]) -> list[JSON]:
    """The service's ports as the pods have them; a name is looked up in the first pod."""
    ports = []
    for port in (service.get("spec") or {}).get("ports") or ():
        target = port.get("targetPort", port.get("port"))
        if isinstance(target, str):
            target = next(
                (
                    p["containerPort"]
                    for pod in pods
                    for c in pod["spec"]["containers"]
                    for p in c.get("ports") or ()
                    if p.get("name") == target
                ),
                None,
            )
        if target is not None:
            ports.append(
                {
                    "name": port.get("name", ""), "port": target,
                    "protocol": port.get("protocol", "TCP"),
                }
            )  # fmt: skip
    return ports


def _suffix(uid: str, start: int) -> str:
    digest = hashlib.sha256(f"{uid}/{start}".encode()).digest()
    letters = "bcdfghjklmnpqrstvwxz2456789"
    return "".join(letters[b % len(letters)] for b in digest[:5])
