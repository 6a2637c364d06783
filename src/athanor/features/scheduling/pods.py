"""What one pod of a pod set needs: amounts, devices, and where it may go."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from athanor.api.meta import JSON
from athanor.api.scheduling import Gpu, PodSet
from athanor.features.scheduling import nodes
from athanor.features.scheduling.core.rows import ShapeRow
from athanor.features.scheduling.core.snapshot import Cause
from athanor.features.scheduling.nodes import NodeClass
from athanor.kit import quantity

Requirement = tuple[str, str, tuple[str, ...]]
"""Label, operator, values."""

WHOLE = 1000
HOSTNAME = "kubernetes.io/hostname"


class RequestError(ValueError):
    """A pod template asks for something that cannot be read or is not supported; says where."""


class Where(NamedTuple):
    """Which node classes a pod may use: all of `all_of`, one of `any_of` (if any)."""

    all_of: tuple[Requirement, ...]
    any_of: tuple[tuple[Requirement, ...], ...]
    tolerations: tuple[nodes.Toleration, ...]

    @property
    def labels(self) -> set[str]:
        """The labels it asks for."""
        terms = [self.all_of, *self.any_of]
        return {label for term in terms for label, _, _ in term}


class PodNeed(NamedTuple):
    """One pod's needs; `shape` lacks the node classes, which `barred` adds."""

    shape: ShapeRow
    where: Where


def need(pod_set: PodSet, devices: Collection[str]) -> PodNeed:
    """What a pod of the set needs; `devices` are the resources nodes offer as devices.

    Raises RequestError with the field's name.
    """
    spec: JSON = pod_set.template.get("spec") or {}
    try:
        wanted = nodes.amounts(requests(spec))
    except quantity.QuantityError as problem:
        raise RequestError(f"pod set {pod_set.name}: resources: {problem}") from None
    wanted["pods"] = 1
    shape = ShapeRow(per_node=_per_node(spec, pod_set.name))
    gpu = pod_set.gpu
    kind = _device(wanted, gpu, devices)
    if kind:
        shape = _with_devices(shape, kind, wanted.pop(kind, 1), gpu, pod_set.name)
    asked = {name: n * WHOLE if name in devices else n for name, n in wanted.items() if n}
    return PodNeed(shape._replace(request=tuple(sorted(asked.items()))), _where(spec))


def requests(spec: JSON) -> dict[str, str]:
    """A pod's requests as the scheduler counts them (the Kubernetes rules for init containers).

    Containers and sidecars add up; each other init container runs beside the sidecars started
    before it; the larger of both counts, and the overhead is added. A limit without a request is
    the request.
    """
    total: dict[str, quantity.Quantity] = {}
    largest: dict[str, quantity.Quantity] = {}
    for container in spec.get("initContainers") or []:
        own = _of_container(container)
        if container.get("restartPolicy") == "Always":
            total = _plus(total, own)
            largest = _most(largest, total)
        else:
            largest = _most(largest, _plus(total, own))
    for container in spec.get("containers") or []:
        total = _plus(total, _of_container(container))
    found = _plus(_most(total, largest), _read(spec.get("overhead") or {}))
    return {name: str(amount) for name, amount in found.items()}


def barred(where: Where, classes: Sequence[NodeClass]) -> tuple[int, ...]:
    """For each node class why a pod may not go there (a Cause; 0: it may)."""
    return tuple(int(_cause(where, klass)) for klass in classes)


def _cause(where: Where, klass: NodeClass) -> Cause:
    if not klass.ready:
        return Cause.NOT_READY
    cordon = (nodes.CORDON.key, "", nodes.CORDON.effect)
    if klass.cordoned and not nodes.tolerated(cordon, where.tolerations):
        return Cause.UNSCHEDULABLE
    if any(not nodes.tolerated(taint, where.tolerations) for taint in klass.taints):
        return Cause.TAINT
    labels = dict(klass.labels)
    if not all(_holds(one, labels) for one in where.all_of):
        return Cause.SELECTOR
    if where.any_of and not any(all(_holds(o, labels) for o in term) for term in where.any_of):
        return Cause.AFFINITY
    return Cause.NONE


def _holds(requirement: Requirement, labels: Mapping[str, str]) -> bool:
    label, operator, values = requirement
    value = labels.get(label)
    match operator:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt" | "Lt":
            if value is None or not _whole(value) or len(values) != 1 or not _whole(values[0]):
                return False
            return int(value) > int(values[0]) if operator == "Gt" else int(value) < int(values[0])
    return False


def _whole(text: str) -> bool:
    return text.removeprefix("-").isdecimal()


def _where(spec: JSON) -> Where:
    selector = sorted((spec.get("nodeSelector") or {}).items())
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    terms = []
    for term in required.get("nodeSelectorTerms") or []:
        said = (term.get("matchExpressions") or []) + (term.get("matchFields") or [])
        if said:  # an empty term matches nothing
            terms.append(
                tuple((e["key"], e["operator"], tuple(e.get("values") or ())) for e in said)
            )
    if required and not terms:
        terms.append((("", "In", ()),))
    return Where(
        tuple((key, "In", (value,)) for key, value in selector),
        tuple(terms),
        tuple(
            tuple(t.get(name) or "" for name in ("key", "operator", "value", "effect"))
            for t in spec.get("tolerations") or ()
        ),
    )


def _device(wanted: Mapping[str, int], gpu: Gpu | None, devices: Collection[str]) -> str:
    """The resource whose devices are chosen one by one: the set's, else the first asked for."""
    if gpu is not None:
        return gpu.resource
    return next((name for name in sorted(wanted) if name in devices and wanted[name]), "")


def _with_devices(shape: ShapeRow, kind: str, count: int, gpu: Gpu | None, name: str) -> ShapeRow:
    shape = shape._replace(kind=kind, devices=count)
    if gpu is None:
        return shape
    try:
        mib = -(-quantity.whole(gpu.memory) // 2**20) if gpu.memory else 0
        least = -(-quantity.whole(gpu.min_memory) // 2**20) if gpu.min_memory else 0
    except quantity.QuantityError as problem:
        raise RequestError(f"pod set {name}: gpu: {problem}") from None
    if gpu.slice_profile or gpu.uuids:
        raise RequestError(f"pod set {name}: gpu: sliceProfile and uuids are not supported yet")
    return shape._replace(
        milli=gpu.milli or WHOLE, mib=mib, min_mib=least, models=tuple(gpu.models)
    )


def _per_node(spec: JSON, name: str) -> int:
    """1 when two pods of the set can never share a node (host ports, anti-affinity), else 0."""
    affinity = spec.get("affinity") or {}
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    if (affinity.get("podAffinity") or {}).get(required):
        raise RequestError(
            f"pod set {name}: required podAffinity is not supported: use the set's topology"
        )
    terms = (affinity.get("podAntiAffinity") or {}).get(required) or []
    if any(term.get("topologyKey") != HOSTNAME for term in terms):
        raise RequestError(f"pod set {name}: podAntiAffinity is supported by {HOSTNAME} alone")
    for spread in spec.get("topologySpreadConstraints") or []:
        if spread.get("whenUnsatisfiable", "DoNotSchedule") == "DoNotSchedule":
            raise RequestError(
                f"pod set {name}: topologySpreadConstraints with DoNotSchedule are not supported:"
                " use the set's topology"
            )
    ports = [
        port
        for container in spec.get("containers") or []
        for port in container.get("ports") or []
        if port.get("hostPort") or spec.get("hostNetwork")
    ]
    return 1 if terms or ports else 0


def _of_container(container: JSON) -> dict[str, quantity.Quantity]:
    said = container.get("resources") or {}
    return _read({**(said.get("limits") or {}), **(said.get("requests") or {})})


def _read(said: Mapping[str, Any]) -> dict[str, quantity.Quantity]:
    return {name: quantity.parse(str(text)) for name, text in said.items()}


def _plus(
    a: Mapping[str, quantity.Quantity], b: Mapping[str, quantity.Quantity]
) -> dict[str, quantity.Quantity]:
    nothing = quantity.Quantity(0)
    return {
        name: quantity.Quantity(a.get(name, nothing).nano + b.get(name, nothing).nano)
        for name in [*a, *(name for name in b if name not in a)]
    }


def _most(
    a: Mapping[str, quantity.Quantity], b: Mapping[str, quantity.Quantity]
) -> dict[str, quantity.Quantity]:
    return {
        name: max((v for v in (a.get(name), b.get(name)) if v is not None), key=lambda v: v.nano)
        for name in [*a, *(name for name in b if name not in a)]
    }
