"""The built-in kinds as rows: for every resource its columns, and a function for the cells."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from athanor.api.meta import JSON
from athanor.kit.times import parse_rfc3339
from athanor.wire.printing import pods
from athanor.wire.printing.duration import UNKNOWN, human, since
from athanor.wire.printing.pods import NONE

UNSET = "<unset>"
Cells = Callable[[Any, float], list[Any]]
"""The cells of an object as `read` gives it, at a time in seconds since the epoch."""

decode: Callable[[bytes], JSON] = msgspec.json.Decoder(dict).decode


class Printer(Struct, frozen=True):
    """How a kind prints. A column: name, or name:type, with `+` or after `|` only with -o wide."""

    columns: tuple[tuple[str, str, int], ...]
    cells: Cells
    read: Callable[[bytes], Any]


def _printer(columns: str, cells: Cells, read: Callable[[bytes], Any] = decode) -> Printer:
    usual, _, wide = columns.partition("|")
    found = []
    for priority, part in enumerate((usual, wide)):
        for column in filter(None, map(str.strip, part.split(","))):
            name, _, type_ = column.partition(":")
            wider = name.endswith("+")
            found.append((name.rstrip("+"), type_ or "string", 1 if wider else priority))
    return Printer(tuple(found), cells, read)


def _name(obj: JSON) -> str:
    name: str = obj["metadata"].get("name", "")
    return name


def _age(obj: JSON, now: float) -> str:
    return since(obj["metadata"].get("creationTimestamp"), now)


def _created(obj: JSON, _: float) -> list[Any]:
    return [_name(obj), obj["metadata"].get("creationTimestamp")]


DEFAULT = _printer("Name, Created At:date", _created)
"""Kinds without columns of their own."""


def _labels(labels: Mapping[str, str] | None) -> str:
    return ",".join(f"{key}={labels[key]}" for key in sorted(labels)) if labels else NONE


# --- core -------------------------------------------------------------------------------------


def _node(obj: JSON, now: float) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    ready = next((c for c in status.get("conditions") or () if c.get("type") == "Ready"), None)
    said = "Unknown" if ready is None else "Ready" if ready.get("status") == "True" else "NotReady"
    if spec.get("unschedulable"):
        said += ",SchedulingDisabled"
    info = status.get("nodeInfo") or {}
    places = status.get("addresses") or ()
    return [
        _name(obj), said, _roles(obj["metadata"].get("labels") or {}), _age(obj, now),
        info.get("kubeletVersion", ""), _address(places, "InternalIP"),
        _address(places, "ExternalIP"), info.get("osImage") or UNKNOWN,
        _kernel(info), info.get("containerRuntimeVersion") or UNKNOWN,
    ]  # fmt: skip


def _kernel(info: JSON) -> str:
    kernel, architecture = info.get("kernelVersion") or UNKNOWN, info.get("architecture")
    return f"{kernel} ({architecture})" if architecture else kernel


def _roles(labels: Mapping[str, str]) -> str:
    prefix = "node-role.kubernetes.io/"
    roles = {key.removeprefix(prefix) for key in labels if key.startswith(prefix)}
    roles.add(labels.get("kubernetes.io/role", ""))
    return ",".join(sorted(filter(None, roles))) or NONE


def _address(addresses: Iterable[JSON], type_: str) -> str:
    return next((a.get("address", "") for a in addresses if a.get("type") == type_), NONE)


def _service(obj: JSON, now: float) -> list[Any]:
    spec = obj.get("spec") or {}
    internal = (spec.get("clusterIPs") or [spec.get("clusterIP") or NONE])[0]
    return [
        _name(obj), spec.get("type", ""), internal or NONE,
        _external(spec, obj.get("status") or {}),
        ",".join(map(_port, spec.get("ports") or ())) or NONE, _age(obj, now),
        _labels(spec.get("selector")),
    ]  # fmt: skip


def _external(spec: JSON, status: JSON) -> str:
    addresses = list(spec.get("externalIPs") or ())
    match spec.get("type"):
        case "ExternalName":
            return str(spec.get("externalName", ""))
        case "LoadBalancer":
            ingress = (status.get("loadBalancer") or {}).get("ingress") or ()
            given = [i.get("ip") or i.get("hostname", "") for i in ingress]
            return ",".join(given + addresses) or "<pending>"
    return ",".join(addresses) or NONE


def _port(port: JSON) -> str:
    outside = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port.get('port')}{outside}/{port.get('protocol', 'TCP')}"


def _phase(obj: JSON, now: float) -> list[Any]:
    return [_name(obj), (obj.get("status") or {}).get("phase", ""), _age(obj, now)]


def _config_map(obj: JSON, now: float) -> list[Any]:
    count = len(obj.get("data") or ()) + len(obj.get("binaryData") or ())
    return [_name(obj), count, _age(obj, now)]


def _secret(obj: JSON, now: float) -> list[Any]:
    return [_name(obj), obj.get("type", ""), len(obj.get("data") or ()), _age(obj, now)]


def _aged(obj: JSON, now: float) -> list[Any]:
    return [_name(obj), _age(obj, now)]


def _endpoints(obj: JSON, now: float) -> list[Any]:
    found = [
        _joined(address.get("ip", ""), port)
        for subset in obj.get("subsets") or ()
        for port in subset.get("ports") or (None,)
        for address in subset.get("addresses") or ()
    ]
    return [_name(obj), _first(found, "+ {} more...", NONE), _age(obj, now)]


def _joined(address: str, port: JSON | None) -> str:
    if port is None:
        return address
    host = f"[{address}]" if ":" in address else address
    return f"{host}:{port.get('port')}"


def _first(items: list[str], more: str, none: str) -> str:
    """At most three of the items, and how many more there are."""
    if not items:
        return none
    shown = ",".join(items[:3])
    return f"{shown} {more.format(len(items) - 3)}" if len(items) > 3 else shown


def _event(obj: JSON, now: float) -> list[Any]:
    about = obj.get("involvedObject") or obj.get("regarding") or {}
    source = obj.get("source") or obj.get("deprecatedSource") or {}
    first = obj.get("firstTimestamp") or obj.get("deprecatedFirstTimestamp") or obj.get("eventTime")
    last = obj.get("lastTimestamp") or obj.get("deprecatedLastTimestamp") or first
    count = obj.get("count") or obj.get("deprecatedCount") or 1
    if series := obj.get("series"):
        last, count = series.get("lastObservedTime"), series.get("count", count)
    kind, name = about.get("kind", "").lower(), about.get("name")
    by = [source.get("component", ""), source.get("host", "")]
    if not by[0]:
        controller = obj.get("reportingComponent") or obj.get("reportingController")
        by = [controller or "", obj.get("reportingInstance", "")]
    message = obj.get("message") or obj.get("note") or ""
    return [
        since(last, now), obj.get("type", ""), obj.get("reason", ""),
        f"{kind}/{name}" if name else kind, about.get("fieldPath", ""),
        ", ".join(part for i, part in enumerate(by) if part or i == 0), message.strip(),
        since(first, now), count, _name(obj),
    ]  # fmt: skip


_MODES = {
    "ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX",
    "ReadWriteOncePod": "RWOP",
}  # fmt: skip


def _modes(modes: Iterable[str] | None) -> str:
    given = set(modes or ())
    return ",".join(short for mode, short in _MODES.items() if mode in given)


def _ending(obj: JSON) -> str:
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    return str((obj.get("status") or {}).get("phase", ""))


def _storage_class_of(obj: JSON) -> str:
    annotations = obj["metadata"].get("annotations") or {}
    old = annotations.get("volume.beta.kubernetes.io/storage-class")
    return str(old or (obj.get("spec") or {}).get("storageClassName") or "")


def _claim(obj: JSON, now: float) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    bound = bool(spec.get("volumeName"))
    return [
        _name(obj), _ending(obj), spec.get("volumeName", ""),
        str((status.get("capacity") or {}).get("storage", "0")) if bound else "",
        _modes(status.get("accessModes")) if bound else "", _storage_class_of(obj),
        spec.get("volumeAttributesClassName") or UNSET, _age(obj, now),
        spec.get("volumeMode") or UNSET,
    ]  # fmt: skip


def _volume(obj: JSON, now: float) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    claim = spec.get("claimRef")
    return [
        _name(obj), str((spec.get("capacity") or {}).get("storage", "0")),
        _modes(spec.get("accessModes")), spec.get("persistentVolumeReclaimPolicy", ""),
        _ending(obj), f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else "",
        _storage_class_of(obj), spec.get("volumeAttributesClassName") or UNSET,
        status.get("reason", ""), _age(obj, now), spec.get("volumeMode") or UNSET,
    ]  # fmt: skip


def _quota(obj: JSON, now: float) -> list[Any]:
    status = obj.get("status") or {}
    hard, used = status.get("hard") or {}, status.get("used") or {}
    requests: list[str] = []
    limits: list[str] = []
    for name in sorted(hard):
        said = f"{name}: {used.get(name, '0')}/{hard[name]}"
        (limits if name.startswith("limits") else requests).append(said)
    return [_name(obj), ", ".join(requests), ", ".join(limits), _age(obj, now)]


def _pod_template(obj: JSON, _: float) -> list[Any]:
    template = obj.get("template") or {}
    names, images = _containers(template)
    return [_name(obj), names, images, _labels((template.get("metadata") or {}).get("labels"))]


def _containers(template: JSON) -> tuple[str, str]:
    found = (template.get("spec") or {}).get("containers") or ()
    return ",".join(c.get("name", "") for c in found), ",".join(c.get("image", "") for c in found)


# --- other groups -----------------------------------------------------------------------------


def _lease(obj: JSON, now: float) -> list[Any]:
    return [_name(obj), (obj.get("spec") or {}).get("holderIdentity") or "", _age(obj, now)]


def _endpoint_slice(obj: JSON, now: float) -> list[Any]:
    ports = [str(p.get("port")) if p.get("port") else "*" for p in obj.get("ports") or ()]
    found = [a for e in obj.get("endpoints") or () for a in e.get("addresses") or ()]
    return [
        _name(obj), obj.get("addressType", ""), _first(ports, "+ {} more...", UNSET),
        _first(found, "+ {} more...", UNSET), _age(obj, now),
    ]  # fmt: skip


def _priority_class(obj: JSON, now: float) -> list[Any]:
    return [
        _name(obj), obj.get("value", 0), bool(obj.get("globalDefault")), _age(obj, now),
        obj.get("preemptionPolicy") or "",
    ]  # fmt: skip


def _storage_class(obj: JSON, now: float) -> list[Any]:
    annotations = obj["metadata"].get("annotations") or {}
    default = annotations.get("storageclass.kubernetes.io/is-default-class") == "true"
    return [
        _name(obj) + (" (default)" if default else ""), obj.get("provisioner", ""),
        obj.get("reclaimPolicy") or "Delete", obj.get("volumeBindingMode") or UNSET,
        bool(obj.get("allowVolumeExpansion")), _age(obj, now),
    ]  # fmt: skip


def _binding(obj: JSON, now: float) -> list[Any]:
    role = obj.get("roleRef") or {}
    by_kind: dict[str, list[str]] = {"User": [], "Group": [], "ServiceAccount": []}
    for subject in obj.get("subjects") or ():
        name = subject.get("name", "")
        if subject.get("kind") == "ServiceAccount":
            name = f"{subject.get('namespace', '')}/{name}"
        by_kind.setdefault(subject.get("kind", ""), []).append(name)
    who = [", ".join(by_kind[kind]) for kind in ("User", "Group", "ServiceAccount")]
    return [_name(obj), f"{role.get('kind', '')}/{role.get('name', '')}", _age(obj, now), *who]


def _api_service(obj: JSON, now: float) -> list[Any]:
    service = (obj.get("spec") or {}).get("service")
    where = f"{service.get('namespace')}/{service.get('name')}" if service else "Local"
    conditions = (obj.get("status") or {}).get("conditions") or ()
    available = next((c for c in conditions if c.get("type") == "Available"), None)
    said = "Unknown"
    if available is not None:
        said = str(available.get("status"))
        if said != "True":
            said = f"{said} ({available.get('reason', '')})"
    return [_name(obj), where, said, _age(obj, now)]


def _job(obj: JSON, now: float) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    names, images = _containers(spec.get("template") or {})
    wanted, done = spec.get("completions"), status.get("succeeded", 0)
    if wanted is None:
        parallel = spec.get("parallelism") or 0
        completions = f"{done}/1 of {parallel}" if parallel > 1 else f"{done}/1"
    else:
        completions = f"{done}/{wanted}"
    selector = (spec.get("selector") or {}).get("matchLabels")
    return [
        _name(obj), _job_state(obj), completions, _job_time(status, now), _age(obj, now),
        names, images, _labels(selector),
    ]  # fmt: skip


def _job_state(obj: JSON) -> str:
    conditions = (obj.get("status") or {}).get("conditions") or ()
    true = {c.get("type") for c in conditions if c.get("status") == "True"}
    if "Complete" in true:
        return "Complete"
    if "Failed" in true:
        return "Failed"
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    named = (("Suspended", "Suspended"), ("FailureTarget", "FailureTarget"),
             ("SuccessCriteriaMet", "SuccessCriteriaMet"))  # fmt: skip
    return next((word for type_, word in named if type_ in true), "Running")


def _job_time(status: JSON, now: float) -> str:
    started, ended = status.get("startTime"), status.get("completionTime")
    if not started:
        return ""
    try:
        end = parse_rfc3339(ended) if ended else now
        return human(end - parse_rfc3339(started))
    except ValueError:
        return "<invalid>"


def _cron_job(obj: JSON, now: float) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    template = ((spec.get("jobTemplate") or {}).get("spec") or {}).get("template") or {}
    names, images = _containers(template)
    last = status.get("lastScheduleTime")
    return [
        _name(obj), spec.get("schedule", ""), spec.get("timeZone") or NONE,
        str(bool(spec.get("suspend"))), len(status.get("active") or ()),
        since(last, now) if last else NONE, _age(obj, now), names, images, NONE,
    ]  # fmt: skip


_EVENT = _printer(
    "Last Seen, Type, Reason, Object, Subobject+, Source+, Message, First Seen+, Count+, Name+",
    _event,
)

PRINTERS: Mapping[str, Printer] = {
    "pods": _printer(
        "Name, Ready, Status, Restarts, Age | IP, Node, Nominated Node, Readiness Gates",
        pods.cells,
        pods.read,
    ),
    "nodes": _printer(
        "Name, Status, Roles, Age, Version | Internal-IP, External-IP, OS-Image, Kernel-Version, "
        "Container-Runtime",
        _node,
    ),
    "services": _printer("Name, Type, Cluster-IP, External-IP, Port(s), Age | Selector", _service),
    "namespaces": _printer("Name, Status, Age", _phase),
    "configmaps": _printer("Name, Data, Age", _config_map),
    "secrets": _printer("Name, Type, Data, Age", _secret),
    "serviceaccounts": _printer("Name, Age", _aged),
    "endpoints": _printer("Name, Endpoints, Age", _endpoints),
    "events": _EVENT,
    "events.events.k8s.io": _EVENT,
    "persistentvolumeclaims": _printer(
        "Name, Status, Volume, Capacity, Access Modes, StorageClass, VolumeAttributesClass, Age | "
        "VolumeMode",
        _claim,
    ),
    "persistentvolumes": _printer(
        "Name, Capacity, Access Modes, Reclaim Policy, Status, Claim, StorageClass, "
        "VolumeAttributesClass, Reason, Age | VolumeMode",
        _volume,
    ),
    "resourcequotas": _printer("Name, Request, Limit, Age", _quota),
    "podtemplates": _printer("Name, Containers, Images, Pod Labels", _pod_template),
    "leases.coordination.k8s.io": _printer("Name, Holder, Age", _lease),
    "endpointslices.discovery.k8s.io": _printer(
        "Name, AddressType, Ports, Endpoints, Age", _endpoint_slice
    ),
    "priorityclasses.scheduling.k8s.io": _printer(
        "Name, Value:integer, Global-Default:boolean, Age, PreemptionPolicy", _priority_class
    ),
    "storageclasses.storage.k8s.io": _printer(
        "Name, Provisioner, ReclaimPolicy, VolumeBindingMode, AllowVolumeExpansion, Age",
        _storage_class,
    ),
    "rolebindings.rbac.authorization.k8s.io": _printer(
        "Name, Role, Age | Users, Groups, ServiceAccounts", _binding
    ),
    "clusterrolebindings.rbac.authorization.k8s.io": _printer(
        "Name, Role, Age | Users, Groups, ServiceAccounts", _binding
    ),
    "apiservices.apiregistration.k8s.io": _printer("Name, Service, Available, Age", _api_service),
    "jobs.batch": _printer(
        "Name, Status, Completions, Duration, Age | Containers, Images, Selector", _job
    ),
    "cronjobs.batch": _printer(
        "Name, Schedule, Timezone, Suspend:boolean, Active:integer, Last Schedule, Age | "
        "Containers, Images, Selector",
        _cron_job,
    ),
}
"""By the resource's name; every other built-in kind prints DEFAULT's columns."""
