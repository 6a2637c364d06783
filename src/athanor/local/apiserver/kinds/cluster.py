"""Namespace, Node, PriorityClass, Lease."""

from __future__ import annotations

from collections.abc import Mapping

from athanor.api.meta import JSON
from athanor.local.apiserver import names
from athanor.local.apiserver.errors import (
    Words,
    duplicate,
    not_allowed,
    required,
    unsupported,
    wrong,
)
from athanor.local.apiserver.kinds.base import Strategy
from athanor.local.apiserver.kinds.pod_placing import EFFECTS
from athanor.local.apiserver.kinds.pods import canonical_amounts
from athanor.wire.selector import key_problems
from athanor.wire.status import Cause

HIGHEST_PRIORITY = 1_000_000_000
SYSTEM_CLASSES = ("system-cluster-critical", "system-node-critical")
_TAINT = '{{"Key":"{}","Value":"{}","Effect":"{}","TimeAdded":null}}'


def _label(obj: JSON) -> None:
    meta = obj["metadata"]
    if meta.get("name"):
        meta["labels"] = {**(meta.get("labels") or {}), "kubernetes.io/metadata.name": meta["name"]}


def _new_namespace(obj: JSON) -> None:
    _label(obj)
    spec = obj.setdefault("spec", {})
    found = spec.get("finalizers") or []
    spec["finalizers"] = found if "kubernetes" in found else [*found, "kubernetes"]
    obj["status"] = {"phase": "Active"}


def _update_namespace(new: JSON, old: JSON) -> None:
    _label(new)
    new["spec"] = old.get("spec", {})


_SYSTEM = (
    "architecture", "bootID", "containerRuntimeVersion", "kernelVersion", "kubeProxyVersion",
    "kubeletVersion", "machineID", "operatingSystem", "osImage", "systemUUID",
)  # fmt: skip


def _status_namespace(new: JSON, _: JSON) -> None:
    _label(new)
    status = new.setdefault("status", {})
    if not status.get("phase"):
        status["phase"] = "Active"
    for condition in status.get("conditions") or ():
        condition.setdefault("lastTransitionTime", None)


def _default_node(obj: JSON) -> None:
    obj.setdefault("spec", {})
    status = obj.setdefault("status", {})
    for group in ("capacity", "allocatable"):
        if status.get(group):
            canonical_amounts(status[group])
    if status.get("capacity") and not status.get("allocatable"):
        status["allocatable"] = dict(status["capacity"])
    status.setdefault("daemonEndpoints", {}).setdefault("kubeletEndpoint", {"Port": 0})
    system = status.setdefault("nodeInfo", {})
    for name in _SYSTEM:
        system.setdefault(name, "")
    for condition in status.get("conditions") or ():
        condition.setdefault("lastHeartbeatTime", None)
        condition.setdefault("lastTransitionTime", None)


def _status_node(new: JSON, _: JSON) -> None:
    _default_node(new)


def _check_node(obj: JSON) -> list[Cause]:
    causes, seen = list[Cause](), set[tuple[str, str]]()
    for i, taint in enumerate((obj.get("spec") or {}).get("taints") or []):
        path = f"metadata.taints[{i}]"
        if not taint.get("key"):
            causes.append(required(f"{path}.key"))
        else:
            causes += [wrong(f"{path}.key", taint["key"], p) for p in key_problems(taint["key"])]
        if taint.get("effect") not in EFFECTS:
            causes.append(unsupported(f"{path}.effect", taint.get("effect") or "", EFFECTS))
        here = (taint.get("key"), taint.get("effect"))
        if here in seen:
            detail = "taints must be unique by key and effect pair"
            said = (taint.get(name) or "" for name in ("key", "value", "effect"))
            twice = duplicate(path, Words(_TAINT.format(*said)))
            message = f"{twice.message}: {detail}"
            causes.append(Cause(reason=twice.reason, message=message, field=path))
        seen.add(here)
    return causes


def _update_node(new: JSON, old: JSON) -> list[Cause]:
    before, after = old.get("spec") or {}, new.get("spec") or {}
    if before.get("podCIDR") and after.get("podCIDR") != before["podCIDR"]:
        return [not_allowed("spec.podCIDR", "node updates may not change podCIDR except from '' "
                                            "to valid")]  # fmt: skip
    if before.get("providerID") and after.get("providerID") != before["providerID"]:
        return [not_allowed("spec.providerID", "node updates may not change providerID except from "
                                               "'' to valid")]  # fmt: skip
    return []


def _default_class(obj: JSON) -> None:
    obj.setdefault("value", 0)
    if not obj.get("preemptionPolicy"):
        obj["preemptionPolicy"] = "PreemptLowerPriority"


def _check_class(obj: JSON) -> list[Cause]:
    name, causes = obj["metadata"].get("name", ""), list[Cause]()
    if name.startswith("system-"):
        if name not in SYSTEM_CLASSES:
            causes.append(
                not_allowed(
                    "metadata.name",
                    "priority class names with 'system-' prefix are reserved for system use only. "
                    f"error: {name} is not a known system priority class",
                )
            )
    elif obj.get("value", 0) > HIGHEST_PRIORITY:
        detail = f"maximum allowed value of a user defined priority is {HIGHEST_PRIORITY}"
        causes.append(not_allowed("value", detail))
    words = ("PreemptLowerPriority", "Never")
    if obj.get("preemptionPolicy") not in words:
        causes.append(unsupported("preemptionPolicy", obj.get("preemptionPolicy"), words))
    return causes


def _update_class(new: JSON, old: JSON) -> list[Cause]:
    causes = []
    if new.get("value") != old.get("value"):
        causes.append(not_allowed("value", "may not be changed in an update."))
    if new.get("preemptionPolicy") != old.get("preemptionPolicy"):
        causes.append(wrong("preemptionPolicy", new.get("preemptionPolicy"), "field is immutable"))
    return causes


def _default_lease(obj: JSON) -> None:
    obj.setdefault("spec", {})


def _check_lease(obj: JSON) -> list[Cause]:
    spec, causes = obj.get("spec") or {}, list[Cause]()
    seconds, moves = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
    if seconds is not None and seconds <= 0:
        causes.append(wrong("spec.leaseDurationSeconds", seconds, "must be greater than 0"))
    if moves is not None and moves < 0:
        detail = "must be greater than or equal to 0"
        causes.append(wrong("spec.leaseTransitions", moves, detail))
    return causes


STRATEGIES: Mapping[str, Strategy] = {
    "namespaces": Strategy(
        create=_new_namespace, update=_update_namespace, status=_status_namespace,
        name=names.label, answers_object=True,
    ),
    "nodes": Strategy(
        default=_default_node, status=_status_node, check=_check_node, check_update=_update_node,
        keeps_status=True,
    ),
    "priorityclasses.scheduling.k8s.io": Strategy(
        default=_default_class, check_new=_check_class, check_update=_update_class, generation=True,
        uncounted=frozenset(("description", "globalDefault")),
    ),
    "leases.coordination.k8s.io": Strategy(
        default=_default_lease, check=_check_lease, create_on_update=True, unconditional=False
    ),
}  # fmt: skip
