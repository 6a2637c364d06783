"""What may be wrong with one container of a pod (core/v1 Container)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from athanor.api.meta import JSON
from athanor.local.apiserver import names
from athanor.local.apiserver.errors import absent, duplicate, not_allowed, required, wrong
from athanor.local.apiserver.errors import unsupported as unknown
from athanor.local.apiserver.kinds.pod_environment import check_environment, check_imports
from athanor.local.apiserver.kinds.pod_resources import check_resources
from athanor.local.apiserver.kinds.pod_security import check_container
from athanor.local.apiserver.kinds.pod_volumes import descending
from athanor.wire.status import Cause

PORT_RANGE = "must be between 1 and 65535, inclusive"
_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
LIVELY = frozenset(("lifecycle", "restartPolicy", *_PROBES))
"""Fields of a container's life, which most containers leave out."""
_SECONDS = (
    "initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold",
    "failureThreshold",
)  # fmt: skip
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_PULLS = ("Always", "IfNotPresent", "Never")
_RESTARTS = ("Always", "Never", "OnFailure")
_MESSAGES = ("File", "FallbackToLogsOnError")
_PROPAGATIONS = ("Bidirectional", "HostToContainer", "None")
_RECURSIVE = ("Disabled", "Enabled", "IfPossible")
_HEADER = re.compile(r"[-A-Za-z0-9]+")
_HEADER_RULE = (
    "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', "
    "regex used for validation is '[-A-Za-z0-9]+')"
)
_BLOCK = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
_ONLY_SIDECARS = "may not be set for init containers without restartPolicy=Always"


class Around(NamedTuple):
    """What a container's checks need of its pod."""

    volumes: Mapping[str, JSON]
    claims: tuple[str, ...]
    grace: int | None
    """Seconds of grace at the end."""
    host_users: bool


def check(container: JSON, at: str, around: Around, causes: list[Cause]) -> None:
    """What is wrong with a container of any kind, at `at`."""
    name = container.get("name") or ""
    if not name:
        causes.append(required(f"{at}.name"))
    elif problems := names.label(name):
        causes += [wrong(f"{at}.name", name, problem) for problem in problems]
    if not container.get("image"):
        causes.append(required(f"{at}.image"))
    if (policy := container.get("terminationMessagePolicy")) not in _MESSAGES:
        causes.append(unknown(f"{at}.terminationMessagePolicy", policy, _MESSAGES))
    if ports := container.get("ports"):
        _ports(ports, f"{at}.ports", causes)
    if variables := container.get("env"):
        check_environment(variables, f"{at}.env", causes)
    if imports := container.get("envFrom"):
        check_imports(imports, f"{at}.envFrom", causes)
    if container.get("volumeMounts"):
        _mounts(container, f"{at}.volumeMounts", around.volumes, causes)
    if container.get("volumeDevices"):
        _devices(container, f"{at}.volumeDevices", around.volumes, causes)
    if (policy := container.get("imagePullPolicy")) not in _PULLS:
        causes.append(unknown(f"{at}.imagePullPolicy", policy, _PULLS))
    if resources := container.get("resources"):
        check_resources(resources, f"{at}.resources", around.claims, causes)
    if context := container.get("securityContext"):
        check_container(context, f"{at}.securityContext", causes, host_users=around.host_users)


def check_life(
    container: JSON, at: str, around: Around, causes: list[Cause], *, init: bool
) -> None:
    """Its hooks, probes and restarts; most of them are not for ordinary init containers."""
    policy = container.get("restartPolicy")
    if init and policy != "Always":
        if policy is not None:
            _restarts(policy, at, causes)
        causes += [
            not_allowed(f"{at}.{name}", _ONLY_SIDECARS)
            for name in ("lifecycle", *_PROBES)
            if container.get(name) is not None
        ]
        return
    for name in ("postStart", "preStop"):
        if (hook := (container.get("lifecycle") or {}).get(name)) is not None:
            _handler(hook, f"{at}.lifecycle.{name}", around.grace, causes)
    for name in _PROBES:
        if (probe := container.get(name)) is not None:
            _probe(name, probe, f"{at}.{name}", around.grace, causes)
    if policy is not None:
        _restarts(policy, at, causes)


def _restarts(policy: str, at: str, causes: list[Cause]) -> None:
    if policy not in _RESTARTS:
        causes.append(unknown(f"{at}.restartPolicy", policy, _RESTARTS))


def _ports(ports: list[JSON], path: str, causes: list[Cause]) -> None:
    taken: set[str] = set()
    for i, port in enumerate(ports):
        number, name = port.get("containerPort", 0), port.get("name")
        if name:
            if problems := names.port_name(name):
                causes += [wrong(f"{path}[{i}].name", name, problem) for problem in problems]
            elif name in taken:
                causes.append(duplicate(f"{path}[{i}].name", name))
            taken.add(name)
        if not number:
            causes.append(required(f"{path}[{i}].containerPort"))
        elif not 1 <= number <= 65535:
            causes.append(wrong(f"{path}[{i}].containerPort", number, PORT_RANGE))
        if (on_host := port.get("hostPort")) and not 1 <= on_host <= 65535:
            causes.append(wrong(f"{path}[{i}].hostPort", on_host, PORT_RANGE))
        if (protocol := port.get("protocol")) not in _PROTOCOLS:
            causes.append(unknown(f"{path}[{i}].protocol", protocol, _PROTOCOLS))


def check_host_ports(containers: list[JSON], path: str, causes: list[Cause]) -> None:
    """No two containers that run together take one port of the host."""
    taken: set[str] = set()
    for i, container in enumerate(containers):
        for j, port in enumerate(container.get("ports") or ()):
            if not (number := port.get("hostPort")):
                continue
            known = f"{port.get('protocol', 'TCP')}/{port.get('hostIP', '')}/{number}"
            if known in taken:
                causes.append(duplicate(f"{path}[{i}].ports[{j}].hostPort", known))
            taken.add(known)


def _mounts(container: JSON, path: str, volumes: Mapping[str, JSON], causes: list[Cause]) -> None:
    taken: set[str] = set()
    for i, mount in enumerate(container["volumeMounts"]):
        name, where = mount.get("name") or "", mount.get("mountPath") or ""
        if not name:
            causes.append(required(f"{path}[{i}].name"))
        if name not in volumes:
            causes.append(absent(f"{path}[{i}].name", name))
        if not where:
            causes.append(required(f"{path}[{i}].mountPath"))
        if where in taken:
            causes.append(wrong(f"{path}[{i}].mountPath", where, "must be unique"))
        taken.add(where)
        if len(mount) > 2:
            _mount(mount, i, path, container, causes)
    for device in container.get("volumeDevices") or ():
        for i, mount in enumerate(container["volumeMounts"]):
            if mount.get("name") == device.get("name"):
                detail = "must not already exist in volumeDevices"
                causes.append(wrong(f"{path}[{i}].name", mount.get("name"), detail))


def _mount(mount: JSON, i: int, path: str, container: JSON, causes: list[Cause]) -> None:
    below, computed = mount.get("subPath") or "", mount.get("subPathExpr") or ""
    if below:
        descending(below, f"{path}.subPath", causes)
    if computed:
        if below:
            detail = "subPathExpr and subPath are mutually exclusive"
            causes.append(wrong(f"{path}[{i}].subPathExpr", computed, detail))
        descending(computed, f"{path}.subPathExpr", causes)
    propagation = mount.get("mountPropagation")
    if propagation is not None and propagation not in _PROPAGATIONS:
        causes.append(unknown(f"{path}.mountPropagation", propagation, _PROPAGATIONS))
    privileged = (container.get("securityContext") or {}).get("privileged")
    if propagation == "Bidirectional" and not privileged:
        detail = "Bidirectional mount propagation is available only to privileged containers"
        causes.append(not_allowed(f"{path}.mountPropagation", detail))
    recursive, at = mount.get("recursiveReadOnly"), f"{path}.recursiveReadOnly"
    if recursive in ("Enabled", "IfPossible"):
        if not mount.get("readOnly"):
            causes.append(not_allowed(at, "may only be specified when readOnly is true"))
        if propagation not in (None, "None"):
            detail = "may only be specified when mountPropagation is None or not specified"
            causes.append(not_allowed(at, detail))
    elif recursive not in (None, "Disabled"):
        causes.append(unknown(at, recursive, _RECURSIVE))


def _devices(container: JSON, path: str, volumes: Mapping[str, JSON], causes: list[Cause]) -> None:
    named, taken = set[str](), set[str]()
    mounted = {mount.get("name") for mount in container.get("volumeMounts") or ()}
    for i, device in enumerate(container["volumeDevices"]):
        at, name, where = f"{path}[{i}]", device.get("name") or "", device.get("devicePath") or ""
        volume = volumes.get(name)
        if not name:
            causes.append(required(f"{at}.name"))
        if name in named:
            causes.append(wrong(f"{at}.name", name, "must be unique"))
        if volume is None:
            causes.append(absent(f"{at}.name", name))
        elif volume.get("persistentVolumeClaim") is None and volume.get("ephemeral") is None:
            causes.append(wrong(f"{at}.name", name, _BLOCK))
        if not where:
            causes.append(required(f"{at}.devicePath"))
        if where in taken:
            causes.append(wrong(f"{at}.devicePath", where, "must be unique"))
        if ".." in where.split("/"):
            causes.append(wrong(f"{at}.devicePath", where, "can not contain backsteps ('..')"))
        if name in mounted:
            causes.append(wrong(f"{at}.name", name, "must not already exist in volumeMounts"))
        named.add(name)
        taken.add(where)


def _probe(name: str, probe: JSON, path: str, grace: int | None, causes: list[Cause]) -> None:
    _handler(probe, path, grace, causes)
    detail = "must be greater than or equal to 0"
    causes += [
        wrong(f"{path}.{field}", probe[field], detail)
        for field in _SECONDS
        if (probe.get(field) or 0) < 0
    ]
    last = probe.get("terminationGracePeriodSeconds")
    at = f"{path}.terminationGracePeriodSeconds"
    if last is not None and last <= 0:
        causes.append(wrong(at, last, "must be greater than 0"))
    if name == "readinessProbe":
        if last is not None:
            causes.append(wrong(at, last, "must not be set for readinessProbes"))
    elif (needed := probe.get("successThreshold")) != 1:
        causes.append(wrong(f"{path}.successThreshold", needed, "must be 1"))


def _handler(handler: JSON, path: str, grace: int | None, causes: list[Cause]) -> None:
    given = [name for name in _HANDLERS if handler.get(name) is not None]
    if not given:
        causes.append(required(path, "must specify a handler type"))
        return
    _action(given[0], handler[given[0]], f"{path}.{given[0]}", grace, causes)
    detail = "may not specify more than 1 handler type"
    causes += [not_allowed(f"{path}.{extra}", detail) for extra in given[1:]]


def _action(kind: str, action: JSON, path: str, grace: int | None, causes: list[Cause]) -> None:
    if kind == "exec":
        if not action.get("command"):
            causes.append(required(f"{path}.command"))
    elif kind == "sleep":
        seconds = action.get("seconds", 0)
        if grace is not None and not 0 <= seconds <= grace:
            detail = f"must be non-negative and less than terminationGracePeriodSeconds ({grace})"
            causes.append(wrong(path, seconds, detail))
    else:
        port_or_name(action.get("port", 0), f"{path}.port", causes)
    if kind == "httpGet":
        if (scheme := action.get("scheme")) not in ("HTTP", "HTTPS"):
            causes.append(unknown(f"{path}.scheme", scheme, ("HTTP", "HTTPS")))
        causes += [
            wrong(f"{path}.httpHeaders", header.get("name") or "", _HEADER_RULE)
            for header in action.get("httpHeaders") or ()
            if not _HEADER.fullmatch(header.get("name") or "")
        ]


def port_or_name(port: str | int, path: str, causes: list[Cause]) -> None:
    """A port's number or its name."""
    if isinstance(port, str):
        causes += [wrong(path, port, problem) for problem in names.port_name(port)]
    elif not 1 <= port <= 65535:
        causes.append(wrong(path, port, PORT_RANGE))
