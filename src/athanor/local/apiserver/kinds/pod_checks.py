"""What may be wrong with a pod beyond its fields' types, and what an update may change."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from athanor.api.meta import JSON
from athanor.kit.quantity import NANO, parse
from athanor.local.apiserver import names
from athanor.local.apiserver.errors import (
    duplicate,
    not_allowed,
    required,
    unsupported,
    wrong,
)
from athanor.wire.status import Cause

_PORT_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_PLAIN_ENV = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NATIVE = frozenset(("cpu", "memory", "ephemeral-storage"))
TOLERATED: list[JSON] = [
    {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute",
     "tolerationSeconds": 300}
    for key in ("not-ready", "unreachable")
]  # fmt: skip
"""What every pod tolerates unless it says otherwise."""
_MAY_CHANGE = (
    "pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only "
    "additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set "
    "to 1 if it was previously negative)"
)
_MOST = 2**31 - 1
_POLICIES = ("Always", "OnFailure", "Never")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")


def check(pod: JSON) -> Sequence[Cause]:
    """What is wrong with a pod's spec."""
    return check_spec(pod.get("spec") or {}, "spec")


def check_spec(spec: JSON, path: str) -> list[Cause]:
    """What is wrong with a pod's spec at `path`."""
    causes: list[Cause] = []
    found = spec.get("volumes")
    volumes = _volumes(found, f"{path}.volumes", causes) if found else set()
    if not spec.get("containers"):
        causes.append(required(f"{path}.containers"))
    taken: set[str] = set()
    for group in ("containers", "initContainers"):
        for i, container in enumerate(spec.get(group) or []):
            at = f"{path}.{group}[{i}]"
            _container(container, at, taken, volumes, causes)
    _numbers(spec, path, causes)
    if node := spec.get("nodeName"):
        causes += [wrong(f"{path}.nodeName", node, p) for p in names.subdomain(node)]
    for name in ("hostname", "subdomain"):
        if value := spec.get(name):
            causes += [wrong(f"{path}.{name}", value, p) for p in names.label(value)]
    for i, toleration in enumerate(spec.get("tolerations") or ()):
        if toleration not in TOLERATED:
            _toleration(toleration, f"{path}.tolerations[{i}]", causes)
    return causes


def _numbers(spec: JSON, path: str, causes: list[Cause]) -> None:
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and not 1 <= deadline <= _MOST:
        causes.append(
            wrong(
                f"{path}.activeDeadlineSeconds", deadline,
                "must be between 1 and 2147483647, inclusive",
            )
        )  # fmt: skip
    policy = spec.get("restartPolicy")
    if policy not in _POLICIES:
        causes.append(unsupported(f"{path}.restartPolicy", policy, _POLICIES))


def _volumes(volumes: list[JSON], path: str, causes: list[Cause]) -> set[str]:
    found: set[str] = set()
    for i, volume in enumerate(volumes):
        name = volume.get("name") or ""
        if not name:
            causes.append(required(f"{path}[{i}].name"))
        elif name in found:
            causes.append(duplicate(f"{path}[{i}].name", name))
        elif problems := names.label(name):
            causes += [wrong(f"{path}[{i}].name", name, p) for p in problems]
        found.add(name)
        if len(volume) <= 2:
            continue
        sources = [k for k, v in volume.items() if k != "name" and v is not None]
        for source in sources[1:]:
            detail = "may not specify more than 1 volume type"
            causes.append(not_allowed(f"{path}[{i}].{source}", detail))
    return found


def _container(
    container: JSON, at: str, taken: set[str], volumes: set[str], causes: list[Cause]
) -> None:
    name = container.get("name") or ""
    if not name:
        causes.append(required(f"{at}.name"))
    elif name in taken:
        causes.append(duplicate(f"{at}.name", name))
    elif problems := names.label(name):
        causes += [wrong(f"{at}.name", name, problem) for problem in problems]
    taken.add(name)
    if not container.get("image"):
        causes.append(required(f"{at}.image"))
    if ports := container.get("ports"):
        _ports(ports, f"{at}.ports", causes)
    if variables := container.get("env"):
        _environment(variables, f"{at}.env", causes)
    if mounts := container.get("volumeMounts"):
        _mounts(mounts, f"{at}.volumeMounts", volumes, causes)
    for probe in _PROBES:
        if (given := container.get(probe)) is not None:
            _probe(given, f"{at}.{probe}", causes)
    if resources := container.get("resources"):
        check_resources(resources, f"{at}.resources", causes)


def _ports(ports: list[JSON], path: str, causes: list[Cause]) -> None:
    taken: set[str] = set()
    for i, port in enumerate(ports):
        number, name = port.get("containerPort", 0), port.get("name")
        if name:
            if len(name) > 15 or not _PORT_NAME.fullmatch(name) or name.isdigit():
                detail = "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"
                causes.append(wrong(f"{path}[{i}].name", name, detail))
            elif name in taken:
                causes.append(duplicate(f"{path}[{i}].name", name))
            taken.add(name)
        if not number:
            causes.append(required(f"{path}[{i}].containerPort"))
        elif not 1 <= number <= 65535:
            detail = "must be between 1 and 65535, inclusive"
            causes.append(wrong(f"{path}[{i}].containerPort", number, detail))


def _environment(variables: list[JSON], path: str, causes: list[Cause]) -> None:
    plain = _PLAIN_ENV.fullmatch
    for i, variable in enumerate(variables):
        name, source = variable.get("name") or "", variable.get("valueFrom")
        if source is None and plain(name):
            continue
        if not name:
            causes.append(required(f"{path}[{i}].name"))
        elif problems := names.env_name(name):
            causes += [wrong(f"{path}[{i}].name", name, problem) for problem in problems]
        if source is not None:
            _source(source, variable, f"{path}[{i}].valueFrom", causes)


def _source(source: JSON, variable: JSON, path: str, causes: list[Cause]) -> None:
    if variable.get("value"):
        causes.append(wrong(path, "", "may not be specified when `value` is not empty"))
    elif not any(value is not None for value in source.values()):
        detail = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` "
        causes.append(wrong(path, "", detail + "or `secretKeyRef`"))


def _mounts(mounts: list[JSON], path: str, volumes: set[str], causes: list[Cause]) -> None:
    taken: set[str] = set()
    for i, mount in enumerate(mounts):
        name, where = mount.get("name") or "", mount.get("mountPath") or ""
        if not name:
            causes.append(required(f"{path}[{i}].name"))
        elif name not in volumes:
            causes.append(
                Cause(
                    reason="FieldValueNotFound", message=f'Not found: "{name}"',
                    field=f"{path}[{i}].name",
                )
            )  # fmt: skip
        if not where:
            causes.append(required(f"{path}[{i}].mountPath"))
        elif where in taken:
            causes.append(wrong(f"{path}[{i}].mountPath", where, "must be unique"))
        taken.add(where)


def _probe(probe: JSON, path: str, causes: list[Cause]) -> None:
    handlers = [h for h in _HANDLERS if probe.get(h) is not None]
    if not handlers:
        causes.append(required(path, "must specify a handler type"))
    for extra in handlers[1:]:
        detail = "may not specify more than 1 handler type"
        causes.append(not_allowed(f"{path}.{extra}", detail))
    for name, value in probe.items():
        if isinstance(value, int) and value < 0:
            detail = "must be greater than or equal to 0"
            causes.append(wrong(f"{path}.{name}", value, detail))


def _toleration(toleration: JSON, path: str, causes: list[Cause]) -> None:
    key, operator = toleration.get("key"), toleration.get("operator") or "Equal"
    if not key and operator != "Exists":
        causes.append(
            wrong(
                f"{path}.operator", operator,
                "operator must be Exists when `key` is empty, which means \"match all values and "
                'all keys"',
            )
        )  # fmt: skip
    if operator not in ("Equal", "Exists"):
        causes.append(unsupported(f"{path}.operator", operator, ("Equal", "Exists")))
    if operator == "Exists" and toleration.get("value"):
        detail = "value must be empty when `operator` is 'Exists'"
        causes.append(wrong(f"{path}.operator", toleration["value"], detail))


def check_resources(resources: JSON, path: str, causes: list[Cause]) -> None:
    """What is wrong with requests and limits at `path`."""
    limits = resources.get("limits") or {}
    requests = resources.get("requests") or {}
    for group, amounts in (("limits", limits), ("requests", requests)):
        for name, amount in amounts.items():
            if not _is_plain(name, amount):
                _amount(name, amount, f"{path}.{group}[{name}]", causes)
    if not limits and _NATIVE.issuperset(requests):
        return
    for name, amount in requests.items():
        limit = limits.get(name)
        native = _is_native(name)
        if limit is None:
            if not native:
                detail = "Limit must be set for non overcommitable resources"
                causes.append(required(f"{path}.limits", detail))
            continue
        try:
            asked, most = _nano(amount), _nano(limit)
        except ValueError:
            continue  # said above, at the amount itself
        if not native and asked != most:
            detail = f"must be equal to {name} limit of {limit}"
            causes.append(wrong(f"{path}.requests", str(amount), detail))
        elif asked > most:
            detail = f"must be less than or equal to {name} limit of {limit}"
            causes.append(wrong(f"{path}.requests", str(amount), detail))


@lru_cache(maxsize=1024)
def _nano(amount: str | int) -> int:
    return parse(amount).nano


@lru_cache(maxsize=1024)
def _is_plain(name: str, amount: str | int) -> bool:
    """Whether there is surely nothing to say of an amount."""
    try:
        return name in _NATIVE and _nano(amount) >= 0
    except ValueError:
        return False


def _is_native(name: str) -> bool:
    return "/" not in name or name.startswith(("kubernetes.io/", "hugepages-"))


def _amount(name: str, amount: Any, path: str, causes: list[Cause]) -> None:
    if "/" not in name and name not in _NATIVE and not name.startswith("hugepages-"):
        detail = "must be a standard resource type or fully qualified"
        causes.append(wrong(path, name, detail))
        causes.append(wrong(path, name, "must be a standard resource for containers"))
    try:
        value = _nano(amount)
    except ValueError:
        causes.append(
            wrong(
                path, amount,
                "quantities must match the regular expression "
                "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
            )
        )  # fmt: skip
        return
    if value < 0:
        causes.append(wrong(path, str(amount), "must be greater than or equal to 0"))
    elif not _is_native(name) and value % NANO:
        causes.append(wrong(path, str(amount), "must be an integer"))


def check_update(new: JSON, old: JSON) -> Sequence[Cause]:
    """A pod's spec is fixed, but for images, its deadline, and more tolerations."""
    spec, was = new.get("spec") or {}, old.get("spec") or {}
    if spec == was:
        return ()
    causes: list[Cause] = []
    causes += [
        not_allowed(f"spec.{group}", "pod updates may not add or remove containers")
        for group in ("containers", "initContainers")
        if len(spec.get(group) or []) != len(was.get(group) or [])
    ]
    if causes:
        return causes
    deadline, before = spec.get("activeDeadlineSeconds"), was.get("activeDeadlineSeconds")
    if before is not None and (deadline is None or deadline > before):
        detail = f"must be less than or equal to previous value {before}"
        causes.append(wrong("spec.activeDeadlineSeconds", deadline, detail))
    now = [_lasting(t) for t in spec.get("tolerations") or []]
    if any(_lasting(t) not in now for t in was.get("tolerations") or []):
        detail = "existing toleration can not be modified except its tolerationSeconds"
        causes.append(not_allowed("spec.tolerations", detail))
    if not causes and _fixed(spec) != _fixed(was):
        causes.append(not_allowed("spec", _MAY_CHANGE))
    return causes


def _lasting(toleration: JSON) -> JSON:
    return {k: v for k, v in toleration.items() if k != "tolerationSeconds"}


def _fixed(spec: JSON) -> JSON:
    free = ("activeDeadlineSeconds", "tolerations", "containers", "initContainers")
    kept: JSON = {k: v for k, v in spec.items() if k not in free}
    for group in ("containers", "initContainers"):
        kept[group] = [{k: v for k, v in c.items() if k != "image"} for c in spec.get(group) or []]
    if kept.get("terminationGracePeriodSeconds") == 1:
        kept["terminationGracePeriodSeconds"] = -1
    return kept


def check_status(new: JSON, old: JSON) -> Sequence[Cause]:
    """A pod's status update may not move it to another node."""
    phase = (new.get("status") or {}).get("phase")
    words = ("Pending", "Running", "Succeeded", "Failed", "Unknown")
    if phase and phase not in words:
        return [unsupported("status.phase", phase, words)]
    return ()
