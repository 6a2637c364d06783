"""What is odd in a new pod, though not wrong: answered as warnings (`api/pod/warnings.go`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from athanor.api.meta import JSON
from athanor.kit.quantity import NANO, parse
from athanor.local.apiserver.errors import shown
from athanor.local.apiserver.kinds.pod_volumes import TOKEN_SOURCES

_BYTES = ("memory", "ephemeral-storage")


def warnings(pod: JSON) -> Sequence[str]:
    """In Kubernetes' words and order."""
    spec = pod["spec"]
    said = [
        f"spec.topologySpreadConstraints[{i}].labelSelector: a null labelSelector results in "
        "matching no pod"
        for i, one in enumerate(spec.get("topologySpreadConstraints") or ())
        if one.get("labelSelector") is None
    ]
    for volume in spec.get("volumes") or ():
        projected = volume.get("projected")
        if projected is not None and projected is not TOKEN_SOURCES and _is_empty(projected):
            said += [f"volume {shown(volume['name'])} (Projected) has no sources provided"]
    if secrets := spec.get("imagePullSecrets"):
        said += [
            f'spec.imagePullSecrets[{i}].name: invalid empty name ""'
            for i, secret in enumerate(secrets)
            if not secret.get("name")
        ]
    ports = False
    for group in ("initContainers", "containers"):
        for i, container in enumerate(spec.get(group) or ()):
            ports = ports or "ports" in container
            if len(container.get("env") or ()) > 1 or container.get("resources"):
                said += _container(container, f"spec.{group}[{i}]")
    if ports:
        said += _ports(spec)
    return said


def _is_empty(projected: JSON) -> bool:
    return any(not any(v is not None for v in one.values()) for one in projected["sources"] or ())


def _container(container: JSON, path: str) -> Iterator[str]:
    if resources := container.get("resources"):
        for group in ("limits", "requests"):
            amounts = resources.get(group) or {}
            for name in _BYTES:
                if name in amounts and _is_fraction(amounts[name]):
                    yield (
                        f"{path}.resources.{group}[{name}]: fractional byte value "
                        f'"{amounts[name]}" is invalid, must be an integer'
                    )
    variables = container.get("env") or ()
    known = set[str]()
    for i, variable in enumerate(variables if len(variables) > 1 else ()):
        name, value = variable.get("name", ""), variable.get("value") or ""
        shadow = f"$({name})"
        if name in known and (
            variable.get("valueFrom") is not None or value == shadow or shadow not in value
        ):
            yield (
                f'{path}.env[{i}]: hides previous definition of "{name}", which may be dropped '
                "when using apply"
            )
        known.add(name)


@lru_cache(maxsize=1024)
def _is_fraction(amount: str | int) -> bool:
    return parse(amount).nano % NANO != 0


def _ports(spec: JSON) -> Iterator[str]:
    known: dict[tuple[int, str], list[tuple[str, JSON]]] = {}
    named: dict[str, str] = {}
    twice = list[str]()
    for group in ("initContainers", "containers"):
        for i, container in enumerate(spec.get(group) or ()):
            for j, port in enumerate(container.get("ports") or ()):
                path = f"spec.{group}[{i}].ports[{j}]"
                others = known.setdefault((port["containerPort"], port["protocol"]), [])
                for other, taken in others:
                    yield from _both(port, taken, path, other)
                others.append((path, port))
                if (name := port.get("name")) and (first := named.setdefault(name, path)) != path:
                    twice.append(
                        f'{path}: duplicate port name "{name}" with {first}, services and probes '
                        f"that select ports by name will use {first}"
                    )
    yield from twice


def _both(port: JSON, taken: JSON, path: str, other: str) -> Iterator[str]:
    here, there = (
        (one.get("hostIP") or "", one.get("hostPort") or 0) for one in (port, taken)
    )  # fmt: skip
    if here == there:
        yield f"{path}: duplicate port definition with {other}"
    elif not here[1] or not there[1]:
        yield f"{path}: overlapping port definition with {other}"
    elif here[1] == there[1] and (not here[0] or not there[0]):
        yield f"{path}: dangerously ambiguous port definition with {other}"
