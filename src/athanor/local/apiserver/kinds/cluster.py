"""Namespace, Node, PriorityClass, Lease, ResourceQuota."""

from __future__ import annotations

from collections.abc import Mapping

from athanor.api.meta import JSON
from athanor.kit.quantity import NANO, parse
from athanor.local.apiserver import names
from athanor.local.apiserver.errors import duplicate, not_allowed, required, unsupported, wrong
from athanor.local.apiserver.kinds.base import Strategy
from athanor.local.apiserver.kinds.pods import canonical_amounts
from athanor.wire.selector import key_problems
from athanor.wire.status import Cause

HIGHEST_PRIORITY = 1_000_000_000
SYSTEM_CLASSES = ("system-cluster-critical", "system-node-critical")
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


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
        if taint.get("effect") not in _EFFECTS:
            causes.append(unsupported(f"{path}.effect", taint.get("effect") or "", _EFFECTS))
        here = (taint.get("key"), taint.get("effect"))
        if here in seen:
            detail = "taints must be unique by key and effect pair"
            twice = duplicate(path, taint)
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


_QUOTA = frozenset(
    ("cpu", "memory", "storage", "ephemeral-storage", "pods", "services", "configmaps", "secrets",
     "resourcequotas", "replicationcontrollers", "persistentvolumeclaims", "services.nodeports",
     "services.loadbalancers", "requests.cpu", "requests.memory", "requests.storage",
     "requests.ephemeral-storage", "limits.cpu", "limits.memory", "limits.ephemeral-storage")
)  # fmt: skip


_WHOLE = frozenset(
    ("pods", "services", "configmaps", "secrets", "resourcequotas", "replicationcontrollers",
     "persistentvolumeclaims", "services.nodeports", "services.loadbalancers")
)  # fmt: skip
"""What is counted in whole numbers."""


def _default_quota(obj: JSON) -> None:
    spec = obj.setdefault("spec", {})
    if spec.get("hard"):
        canonical_amounts(spec["hard"])


def _check_quota(obj: JSON) -> list[Cause]:
    causes = []
    for name, amount in ((obj.get("spec") or {}).get("hard") or {}).items():
        path = f"spec.hard[{name}]"
        if "/" not in name and name not in _QUOTA and not name.startswith("requests."):
            detail = "must be a standard resource type or fully qualified"
            causes.append(wrong(path, name, detail))
            causes.append(wrong(path, name, "must be a standard resource for quota"))
        try:
            if parse(amount).nano < 0:
                causes.append(wrong(path, amount, "must be greater than or equal to 0"))
            elif name in _WHOLE and parse(amount).nano % NANO:
                causes.append(wrong(path, amount, "must be an integer"))
        except ValueError as no_quantity:
            causes.append(wrong(path, amount, str(no_quantity)))
    return causes


def _update_quota(new: JSON, old: JSON) -> list[Cause]:
    before, after = old.get("spec") or {}, new.get("spec") or {}
    if (before.get("scopes") or []) != (after.get("scopes") or []):
        return [wrong("spec.scopes", after.get("scopes"), "field is immutable")]
    return []


def _new_quota(obj: JSON) -> None:
    obj["status"] = {}


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
        default=_default_class, check=_check_class, check_update=_update_class, generation=True,
        uncounted=frozenset(("description", "globalDefault")),
    ),
    "leases.coordination.k8s.io": Strategy(
        default=_default_lease, check=_check_lease, create_on_update=True, unconditional=False
    ),
    "resourcequotas": Strategy(
        default=_default_quota, create=_new_quota, check=_check_quota,
        check_update=_update_quota, answers_object=True,
    ),
}  # fmt: skip
