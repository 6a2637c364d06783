"""What one pod of a pod set needs: amounts, devices, and where it may go."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from athanor.api import processes
from athanor.api.labels import GIVES_DEVICES
from athanor.api.meta import JSON
from athanor.api.scheduling import Gpu, PodSet
from athanor.features.scheduling import near, nodes
from athanor.features.scheduling.core.rows import ShapeRow
from athanor.features.scheduling.core.snapshot import HOST_PORT, UNSET, Cause, Shapes
from athanor.features.scheduling.near import Wishes
from athanor.features.scheduling.nodes import NodeClass
from athanor.kit import quantity

Requirement = tuple[str, str, tuple[str, ...]]
"""Label, operator, values."""

WHOLE = 1000
MOST = 2**50
"""No pod asks for more than so much of anything (a pebibyte of memory): sums of it are counted."""
SLOTS = {"1": 1, "2": 2, "3": 4, "4": 4, "7": 8}
"""Memory slices (of eight) that a MIG profile takes, by its number of compute slices."""
CACHED = ("data.athanor.dev/{}.{}", "fluid.io/s-{}-{}")
"""Labels, by namespace and claim, of nodes that hold a claim's data: ours, and Fluid's."""
APART_ROOM = 10**6
"""What two sets that keep apart take of a node: a pod of one all of it, of the other a bit."""
"""Resources of this name are ports of a node; every node has each of them once."""
CLASSES = ("None", "TimeSliced", "Memory", "Hardware")
"""What keeps others from a share of a device, the weakest first."""
ISOLATION = "athanor.dev/gpu.isolation"
"""Label of a node: the isolation class of shares of its devices."""


class RequestError(ValueError):
    """A pod template asks for something that cannot be read or is not supported; says where."""


Terms = tuple[tuple[Requirement, ...], ...]
"""One of these has to hold, with all its requirements."""
Liked = tuple[tuple[int, Terms], ...]
"""Preferred nodes: weights, and for which nodes each counts."""


class Where(NamedTuple):
    """Which node classes a pod may use: all of `all_of`, one of `any_of` (if any).

    `pods` is what other pods say of it (made-up labels), `volumes` what each volume says;
    `given`: the node's agent has to give the pod the devices that are chosen here.
    """

    all_of: tuple[Requirement, ...]
    any_of: Terms
    tolerations: tuple[nodes.Toleration, ...]
    pods: tuple[Requirement, ...] = ()
    volumes: tuple[Terms, ...] = ()
    given: bool = False

    @property
    def labels(self) -> set[str]:
        """The labels it asks for."""
        terms = [self.all_of, *self.any_of, *(term for group in self.volumes for term in group)]
        given = {GIVES_DEVICES} if self.given else set()
        return {label for term in terms for label, _, _ in term} | given


class PodNeed(NamedTuple):
    """One pod's needs; `shape` lacks the node classes, which `barred` adds.

    `liked` are preferred nodes; `wishes` what it asks of other pods and volumes.
    """

    shape: ShapeRow
    where: Where
    liked: Liked = ()
    wishes: Wishes = Wishes()


def need(pod_set: PodSet, devices: Collection[str], namespace: str = "default") -> PodNeed:
    """What a pod of the set needs; `devices` are the resources nodes offer as devices.

    Raises RequestError with the field's name, and nothing else: what stands in one template stops
    nobody else's work.
    """
    name = pod_set.name
    try:
        return _need(pod_set, devices, namespace)
    except RequestError:
        raise
    except quantity.QuantityError as problem:
        raise RequestError(f"pod set {name}: resources: {problem}") from None
    except LookupError as problem:
        raise RequestError(f"pod set {name}: the template lacks {problem}") from None
    except (TypeError, AttributeError) as problem:
        raise RequestError(f"pod set {name}: the template is no pod's: {problem}") from None
    except (ValueError, OverflowError) as problem:
        raise RequestError(f"pod set {name}: {problem}") from None


def _need(pod_set: PodSet, devices: Collection[str], namespace: str) -> PodNeed:
    spec: JSON = pod_set.template.get("spec") or {}
    if spec.get("resourceClaims"):  # a pod that has its node is past who allocates them
        raise RequestError(
            f"pod set {pod_set.name}: spec.resourceClaims: claims (DRA) are not allocated here; "
            f"ask for a device plugin's resource, or leave such pods to kube-scheduler"
        )
    wanted = nodes.amounts(requests(spec))
    wishes = near.read(namespace, pod_set.template)
    wanted["pods"] = 1
    wanted |= _host_ports(spec)
    if max(wanted.values()) > MOST:
        raise ValueError(f"resources: more than {MOST} of one, in its smallest unit")
    shape = ShapeRow(per_node=int(near.itself_apart(wishes)))
    gpu = pod_set.gpu
    kind = _device(wanted, gpu, devices, pod_set.name)
    if kind:
        shape = _with_devices(shape, kind, near.number(wanted.pop(kind, 1)), gpu, pod_set.name)
    asked = {name: n * WHOLE if name in devices else n for name, n in wanted.items() if n}
    where = _where(spec)
    if gpu is not None and gpu.isolation and shape.kind and _shared(shape):
        least = CLASSES[CLASSES.index(gpu.isolation) :] if gpu.isolation in CLASSES else ()
        where = where._replace(all_of=(*where.all_of, (ISOLATION, "In", least)))
    where = where._replace(given=_chosen(shape))
    shape = shape._replace(request=tuple(sorted(asked.items())))
    return PodNeed(shape, where, _liked(spec) + cached(namespace, wishes.claims), wishes)


def isolation(shapes: Shapes, k: int, offered: Sequence[str]) -> str:
    """What keeps others from the devices of such pods; `offered` are their nodes' classes."""
    if shapes.kind[k] == UNSET or not shapes.devices[k]:
        return ""
    if shapes.slice_slots[k] or (shapes.milli[k] == WHOLE and not shapes.mib[k]):
        return "Hardware"
    return min((one if one in CLASSES else "None" for one in offered), key=CLASSES.index,
               default="None")  # fmt: skip


def _shared(shape: ShapeRow) -> bool:
    """Whether others may use the same device."""
    return not shape.slice_slots and (shape.milli < WHOLE or shape.mib > 0)


def _chosen(shape: ShapeRow) -> bool:
    """Whether it matters which of a node's devices a pod gets: a share or a slice that we cut, or
    one by its id."""
    cut = _shared(shape) or bool(shape.slice_slots)
    return bool(shape.kind) and (cut or any(model.startswith("/") for model in shape.models))


def requests(spec: JSON) -> dict[str, str]:
    """A pod's requests as the scheduler counts them (the Kubernetes rules for init containers).

    Containers and sidecars add up; each other init container runs beside the sidecars started
    before it; the larger of both counts, and the overhead is added. A limit without a request is
    the request. What the pod as a whole asks for counts in place of what its containers do.
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
    whole, inside = spec.get("resources") or {}, _most(total, largest)
    asked = {**_read(whole.get("limits") or {}), **inside, **_read(whole.get("requests") or {})}
    found = _plus(asked, _read(spec.get("overhead") or {}))
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
    if not all(_holds(one, labels) for one in where.pods):
        return Cause.OTHER_PODS
    for group in where.volumes:
        if not any(all(_holds(one, labels) for one in term) for term in group):
            return Cause.VOLUME
    if not all(_holds(one, labels) for one in where.all_of):
        return Cause.SELECTOR
    if where.any_of and not any(all(_holds(o, labels) for o in term) for term in where.any_of):
        return Cause.AFFINITY
    if where.given and labels.get(GIVES_DEVICES) != "true":
        return Cause.GIVEN_DEVICES
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
    return Where(
        tuple((key, "In", (near.text(value),)) for key, value in selector),
        terms_of(required.get("nodeSelectorTerms") or []) if required else (),
        tuple(
            tuple(near.text(t.get(name) or "") for name in ("key", "operator", "value", "effect"))
            for t in processes.tolerations(spec)  # as the pods that gangs make
        ),
    )


def terms_of(said: Sequence[JSON]) -> Terms:
    """Node selector terms; an empty term matches nothing, and so do no terms at all."""
    terms = tuple(one for term in said if (one := _term(term)))
    return terms or ((("", "In", ()),),)


def _term(term: JSON) -> tuple[Requirement, ...]:
    said = (term.get("matchExpressions") or []) + (term.get("matchFields") or [])
    text = near.text
    return tuple(
        (text(e["key"]), text(e["operator"]), tuple(map(text, e.get("values") or ()))) for e in said
    )


def _liked(spec: JSON) -> Liked:
    """Preferred nodes, as node affinity says it."""
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    return tuple(
        (near.number(one.get("weight", 1)), (term,))
        for one in affinity.get(near.PREFERRED) or []
        if (term := _term(one.get("preference") or {}))
    )


def cached(namespace: str, claims: Sequence[str]) -> Liked:
    """The nodes that hold data of these claims are preferred, as much as a pod can say it."""
    return tuple(
        (near.MOST, tuple(((name.format(namespace, claim), "Exists", ()),) for name in CACHED))
        for claim in dict.fromkeys(claims)
    )


def prefer(one: PodNeed, classes: Sequence[NodeClass], worth: str = "") -> tuple[int, ...]:
    """How well each node class suits a pod: what is preferred, then its cost; empty when all do
    alike.

    `worth` is the made-up label that says what other pods make of a node.
    """
    costs = [nodes.cost(klass) for klass in classes]
    dear = sorted(set(costs))
    found = []
    for klass, cost in zip(classes, costs, strict=True):
        labels = dict(klass.labels)
        mine = sum(
            weight for weight, terms in one.liked
            if any(all(_holds(r, labels) for r in term) for term in terms)
        )  # fmt: skip
        mine += int(labels.get(worth, "0"))
        found.append(mine * len(dear) - dear.index(cost))
    return tuple(found) if len(set(found)) > 1 else ()


def _device(wanted: Mapping[str, int], gpu: Gpu | None, devices: Collection[str], name: str) -> str:
    """The resource whose devices are chosen one by one: the set's, else the first asked for.

    A hardware slice is a device of its own where nodes offer it so ("nvidia.com/mig-1g.10gb").
    """
    if gpu is not None and gpu.slice_profile:
        cut = f"{gpu.resource.partition('/')[0]}/mig-{gpu.slice_profile}"
        return cut if cut in devices else gpu.resource
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
    if gpu.isolation and gpu.isolation not in CLASSES:
        raise RequestError(f"pod set {name}: gpu.isolation: one of {', '.join(CLASSES)}")
    models = tuple(f"/{uuid}" for uuid in gpu.uuids) or tuple(gpu.models)
    shape = shape._replace(min_mib=least, models=models)
    if gpu.slice_profile and kind == gpu.resource:
        slots = SLOTS.get(gpu.slice_profile.partition("g")[0], 0)
        if not slots:
            raise RequestError(f"pod set {name}: gpu.sliceProfile: {gpu.slice_profile} is no slice")
        return shape._replace(slice_slots=slots, milli=WHOLE * slots // SLOTS["7"])
    return shape if gpu.slice_profile else shape._replace(milli=gpu.milli or WHOLE, mib=mib)


def _host_ports(spec: JSON) -> dict[str, int]:
    """Ports of the node that a pod takes: each is there once."""
    return {
        f"{HOST_PORT}{port.get('protocol') or 'TCP'}/{number}": 1
        for container in (spec.get("containers") or []) + (spec.get("initContainers") or [])
        for port in container.get("ports") or []
        if (number := port.get("hostPort") or (spec.get("hostNetwork") and port["containerPort"]))
    }


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
