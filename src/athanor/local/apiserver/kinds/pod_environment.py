"""What may be wrong with a container's environment, and with references to a pod's own fields."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from athanor.api.meta import JSON
from athanor.local.apiserver import names
from athanor.local.apiserver.errors import required, unsupported, wrong
from athanor.wire.selector import key_problems
from athanor.wire.status import Cause

_PLAIN_ENV = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SUBSCRIPT = re.compile(r"(.*)\['(.*)'\]")
IN_ENVIRONMENT = (
    "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName",
    "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs",
)  # fmt: skip
"""Fields that a variable may show."""
IN_FILES = (
    "metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace",
    "metadata.uid",
)  # fmt: skip
"""Fields that a file of a downwardAPI volume may show."""
_FIELDS = frozenset(
    (*IN_ENVIRONMENT, *IN_FILES, "spec.restartPolicy", "spec.schedulerName", "status.phase")
)
_AMOUNTS = tuple(
    f"{group}.{name}"
    for group in ("limits", "requests")
    for name in ("cpu", "ephemeral-storage", "memory")
)
_SIZES = ("1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei")
_DIVISORS: Mapping[str, tuple[Sequence[str], str]] = {
    "cpu": (("1m", "1"), "values 1m and 1 are supported with the cpu resource"),
    "memory": (_SIZES, f"values {', '.join(_SIZES)} are supported with the memory resource"),
    "ephemeral-storage": (
        _SIZES,
        f"values {', '.join(_SIZES)} are supported with the local ephemeral storage resource",
    ),
}


def check_environment(variables: list[JSON], path: str, causes: list[Cause]) -> None:
    """`env` of a container."""
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
    given = [name for name, value in source.items() if value is not None]
    if (field := source.get("fieldRef")) is not None:
        check_field(field, f"{path}.fieldRef", IN_ENVIRONMENT, causes)
    if (amount := source.get("resourceFieldRef")) is not None:
        check_amount(amount, f"{path}.resourceFieldRef", causes, volume=False)
    for name in ("configMapKeyRef", "secretKeyRef"):
        if (reference := source.get(name)) is not None:
            _key(reference, f"{path}.{name}", causes)
    if not given:
        detail = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, "
        causes.append(wrong(path, "", f"{detail}`secretKeyRef` or `fileKeyRef`"))
    elif variable.get("value"):
        causes.append(wrong(path, "", "may not be specified when `value` is not empty"))
    elif len(given) > 1:
        causes.append(wrong(path, "", "may not have more than one field specified at a time"))


def _key(reference: JSON, path: str, causes: list[Cause]) -> None:
    name, key = reference.get("name") or "", reference.get("key") or ""
    causes += [wrong(f"{path}.name", name, problem) for problem in names.subdomain(name)]
    if not key:
        causes.append(required(f"{path}.key"))
    causes += [wrong(f"{path}.key", key, p) for p in names.config_key(key) if key]


def check_imports(sources: list[JSON], path: str, causes: list[Cause]) -> None:
    """`envFrom` of a container."""
    for i, source in enumerate(sources):
        if prefix := source.get("prefix"):
            at = f"{path}[{i}].prefix"
            causes += [wrong(at, prefix, problem) for problem in names.env_name(prefix)]
        given = [n for n in ("configMapRef", "secretRef") if source.get(n) is not None]
        causes += [
            required(f"{path}[{i}].{name}.name") for name in given if not source[name].get("name")
        ]
        if not given:
            causes.append(wrong(path, "", "must specify one of: `configMapRef` or `secretRef`"))
        elif len(given) > 1:
            detail = "may not have more than one field specified at a time"
            causes.append(wrong(path, "", detail))


def check_field(field: JSON, path: str, known: Sequence[str], causes: list[Cause]) -> None:
    """A reference to a pod's own field (`fieldRef`)."""
    shown, at = field.get("fieldPath") or "", f"{path}.fieldPath"
    if not shown:
        causes.append(required(at))
    elif field.get("apiVersion") != "v1":
        detail = f"error converting fieldPath: unsupported pod version: {field.get('apiVersion')}"
        causes.append(wrong(at, shown, detail))
    elif found := _SUBSCRIPT.fullmatch(shown):
        of, key = found[1], found[2]
        if of not in ("metadata.annotations", "metadata.labels"):
            detail = "error converting fieldPath: field label does not support subscript: "
            causes.append(wrong(at, shown, detail + shown))
            return
        key = key.lower() if of == "metadata.annotations" else key
        causes += [wrong(path, key, problem) for problem in key_problems(key)]
    elif shown not in _FIELDS:
        detail = f"error converting fieldPath: field label not supported: {shown}"
        causes.append(wrong(at, shown, detail))
    elif shown not in known:
        causes.append(unsupported(at, shown, known))


def check_amount(amount: JSON, path: str, causes: list[Cause], *, volume: bool) -> None:
    """A reference to what a container asks for (`resourceFieldRef`)."""
    named = amount.get("resource") or ""
    group, _, name = named.partition(".")
    huge = group in ("limits", "requests") and name.startswith("hugepages-")
    if volume and not amount.get("containerName"):
        causes.append(required(f"{path}.containerName"))
    elif not named:
        causes.append(required(f"{path}.resource"))
    elif named not in _AMOUNTS and not huge:
        causes.append(unsupported(f"{path}.resource", named, _AMOUNTS))
    divisor = str(amount.get("divisor", "0"))
    words = _DIVISORS.get(name) if named in _AMOUNTS else None
    if huge:
        words = (_SIZES, f"values {', '.join(_SIZES)} are supported with the hugepages resource")
    if words is not None and divisor != "0" and divisor not in words[0]:
        causes.append(wrong(f"{path}.divisor", named, f"only divisor's {words[1]}"))
