"""What may be wrong with a pod beyond its fields' types; each part has its own module.

The order is that of Kubernetes' own validation (core/v1 `ValidatePodSpec`), so that an error lists
its causes as there. What a pod does not say is not looked for: a plain pod costs microseconds.
"""

from __future__ import annotations

from collections.abc import Sequence

from athanor.api.meta import JSON
from athanor.local.apiserver import names
from athanor.local.apiserver.errors import duplicate, not_allowed, required, unsupported, wrong
from athanor.local.apiserver.kinds import pod_containers, pod_security
from athanor.local.apiserver.kinds.pod_containers import LIVELY, Around
from athanor.local.apiserver.kinds.pod_placing import (
    check_affinity,
    check_gates,
    check_spreading,
    check_tolerations,
)
from athanor.local.apiserver.kinds.pod_volumes import check_volumes
from athanor.local.apiserver.metadata import labels
from athanor.wire.selector import key_problems
from athanor.wire.status import Cause

_MOST = 2**31 - 1
_POLICIES = ("Always", "OnFailure", "Never")
_DNS = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_MOST_SERVERS, _MOST_SEARCHES, _LONGEST_SEARCH = 3, 32, 2048
_SYSTEMS = ("linux", "windows")


def check(pod: JSON) -> Sequence[Cause]:
    """What is wrong with a pod's spec."""
    spec = pod.get("spec") or {}
    causes: list[Cause] = []
    around = _around(spec, causes)
    padded = _containers(spec, around, causes)
    if spec.get("hostNetwork"):
        _host_network(spec, causes)
    if (policy := spec.get("restartPolicy")) not in _POLICIES:
        causes.append(unsupported("spec.restartPolicy", policy, _POLICIES))
    if (policy := spec.get("dnsPolicy")) not in _DNS:
        causes.append(unsupported("spec.dnsPolicy", policy, _DNS))
    if selector := spec.get("nodeSelector"):
        causes += labels(selector, "spec.nodeSelector")
    if context := spec.get("securityContext"):
        pod_security.check_pod(context, spec, "spec.securityContext", causes)
    elif spec.get("shareProcessNamespace"):
        pod_security.check_pod({}, spec, "spec.securityContext", causes)
    if affinity := spec.get("affinity"):
        check_affinity(affinity, "spec.affinity", causes)
    if policy == "None" or spec.get("dnsConfig") is not None:
        _dns(spec, causes)
    for i, gate in enumerate(spec.get("readinessGates") or ()):
        path, kind = f"spec.readinessGates[{i}].conditionType", gate.get("conditionType") or ""
        causes += [wrong(path, kind, problem) for problem in key_problems(kind)]
    if gates := spec.get("schedulingGates"):
        check_gates(gates, "spec.schedulingGates", causes)
    if constraints := spec.get("topologySpreadConstraints"):
        check_spreading(constraints, "spec.topologySpreadConstraints", causes)
    _names(spec, causes)
    if tolerations := spec.get("tolerations"):
        check_tolerations(tolerations, "spec.tolerations", causes)
    _rest(spec, causes)
    for path in padded:
        group, index = path.partition("[")[0].rpartition(".")[2], path.partition("[")[2]
        image = spec[group][int(index.partition("]")[0])]["image"]
        causes.append(wrong(path, image, "must not have leading or trailing whitespace"))
    return causes


def check_new(pod: JSON) -> Sequence[Cause]:
    """What is wrong with a new pod, which may say less than an old one."""
    spec, causes = pod["spec"], [*check(pod)]
    if spec.get("ephemeralContainers"):
        causes.append(not_allowed("spec.ephemeralContainers", "cannot be set on create"))
    if spec.get("schedulingGates") and spec.get("nodeName"):
        detail = "cannot be set until all schedulingGates have been cleared"
        causes.append(not_allowed("spec.nodeName", detail))
    return causes


def _around(spec: JSON, causes: list[Cause]) -> Around:
    found, claims = spec.get("volumes"), spec.get("resourceClaims")
    return Around(
        check_volumes(found, "spec.volumes", causes) if found else {},
        tuple(claim.get("name", "") for claim in claims) if claims else (),
        spec.get("terminationGracePeriodSeconds"),
        spec.get("hostUsers") is not False,
    )


def _containers(spec: JSON, around: Around, causes: list[Cause]) -> list[str]:
    """Answers the images with spaces around them, which are spoken of last."""
    containers = spec.get("containers") or ()
    if not containers:
        causes.append(required("spec.containers"))
    taken: set[str] = set()
    ports, padded = False, list[str]()
    for group, found in (
        ("containers", containers),
        ("initContainers", spec.get("initContainers")),
    ):
        for i, container in enumerate(found or ()):
            at, name = f"spec.{group}[{i}]", container.get("name") or ""
            pod_containers.check(container, at, around, causes)
            if name in taken and name:
                causes.append(duplicate(f"{at}.name", name))
            taken.add(name)
            if not LIVELY.isdisjoint(container):
                init = group == "initContainers"
                pod_containers.check_life(container, at, around, causes, init=init)
            ports = ports or "ports" in container
            image = container.get("image") or ""
            if image != image.strip():
                padded.append(f"{at}.image")
    if ports:
        pod_containers.check_host_ports(list(containers), "spec.containers", causes)
    return padded


def _host_network(spec: JSON, causes: list[Cause]) -> None:
    for i, container in enumerate(spec.get("containers") or ()):
        for j, port in enumerate(container.get("ports") or ()):
            if (on_host := port.get("hostPort") or 0) != (port.get("containerPort") or 0):
                detail = "must match `containerPort` when `hostNetwork` is true"
                path = f"spec.containers[{i}].ports[{j}].hostPort"
                causes.append(wrong(path, on_host, detail))


def _dns(spec: JSON, causes: list[Cause]) -> None:
    path, config, alone = "spec.dnsConfig", spec.get("dnsConfig"), spec.get("dnsPolicy") == "None"
    if config is None:
        causes.append(required(path, "must provide `dnsConfig` when `dnsPolicy` is None"))
        return
    servers, searches = config.get("nameservers") or (), config.get("searches") or ()
    if alone and not servers:
        detail = "must provide at least one DNS nameserver when `dnsPolicy` is None"
        causes.append(required(f"{path}.nameservers", detail))
        return
    if len(servers) > _MOST_SERVERS:
        detail = f"must not have more than {_MOST_SERVERS} nameservers"
        causes.append(wrong(f"{path}.nameservers", servers, detail))
    for i, server in enumerate(servers):
        causes += [wrong(f"{path}.nameservers[{i}]", server, p) for p in names.address(server)]
    if len(searches) > _MOST_SEARCHES:
        detail = f"must not have more than {_MOST_SEARCHES} search paths"
        causes.append(wrong(f"{path}.searches", searches, detail))
    if len(" ".join(searches)) > _LONGEST_SEARCH:
        detail = f"must not have more than {_LONGEST_SEARCH} characters (including spaces) in the "
        causes.append(wrong(f"{path}.searches", searches, f"{detail}search list"))
    for i, search in enumerate(searches):
        if search != ".":
            said = search.removesuffix(".")
            problems = names.search_domain(said)
            causes += [wrong(f"{path}.searches[{i}]", said, problem) for problem in problems]
    for i, option in enumerate(config.get("options") or ()):
        if not option.get("name"):
            causes.append(required(f"{path}.options[{i}]", "must not be empty"))


def _names(spec: JSON, causes: list[Cause]) -> None:
    for field in ("serviceAccountName", "nodeName"):
        if value := spec.get(field):
            causes += [wrong(f"spec.{field}", value, p) for p in names.subdomain(value)]
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and not 1 <= deadline <= _MOST:
        detail = f"must be between 1 and {_MOST}, inclusive"
        causes.append(wrong("spec.activeDeadlineSeconds", deadline, detail))
    for field in ("hostname", "subdomain"):
        if value := spec.get(field):
            causes += [wrong(f"spec.{field}", value, p) for p in names.label(value)]


def _rest(spec: JSON, causes: list[Cause]) -> None:
    for i, alias in enumerate(spec.get("hostAliases") or ()):
        path, address = f"spec.hostAliases[{i}]", alias.get("ip") or ""
        causes += [wrong(f"{path}.ip", address, p) for p in names.address(address)]
        for j, name in enumerate(alias.get("hostnames") or ()):
            causes += [wrong(f"{path}.hostnames[{j}]", name, p) for p in names.subdomain(name)]
    for field in ("priorityClassName", "runtimeClassName"):
        if value := spec.get(field):
            causes += [wrong(f"spec.{field}", value, p) for p in names.subdomain(value)]
    if (system := spec.get("os")) is not None:
        if not (name := system.get("name")):
            causes.append(required("spec.os.name"))
        elif name not in _SYSTEMS:
            causes.append(unsupported("spec.os", name, _SYSTEMS))
