"""Gangs as rows: what they ask for, what they hold, and what is wrong with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple
from zlib import crc32

from msgspec import Struct

from athanor.api import adoption, claims
from athanor.api.core import PriorityClass
from athanor.api.ends import is_node_bound
from athanor.api.placement import unpack
from athanor.api.scheduling import Gang, PodSet
from athanor.features.scheduling import near, pods
from athanor.features.scheduling.budgets import Meter
from athanor.features.scheduling.core.rows import (
    NAN,
    AskRow,
    GangRow,
    PodSetRow,
    RunningRow,
    ShapeRow,
)
from athanor.features.scheduling.core.snapshot import APART, UNSET, GangState, Resize
from athanor.features.scheduling.core.why import NAMES, Code
from athanor.features.scheduling.near import Topology
from athanor.features.scheduling.nodes import POOL, NodeClass
from athanor.features.scheduling.pods import PodNeed, RequestError, Where
from athanor.features.scheduling.rates import hourly
from athanor.kit.times import parse_rfc3339

FINISHED = ("Succeeded", "Failed")
ENDS = "terminationGracePeriodSeconds"
RESIZE = {"Never": Resize.NEVER, "Restart": Resize.RESTART, "Live": Resize.LIVE}


class Read(Struct, frozen=True):
    """One gang as read from its spec: needs a pod set, or the problem with them."""

    needs: tuple[PodNeed, ...] = ()
    problem: str = ""


class Refused(Struct, frozen=True):
    """Why a gang cannot be considered at all."""

    code: int
    message: str


def key_of(gang: Gang) -> str:
    """`namespace/name`, the gang's name in the core."""
    return f"{gang.metadata.namespace}/{gang.metadata.name}"


def holds(gang: Gang) -> bool:
    """Whether the gang uses capacity: admitted, and not finished."""
    return gang.status.admission is not None and gang.status.phase not in FINISHED


def is_over(gang: Gang) -> bool:
    """Whether the gang ran and has finished."""
    return gang.status.phase in FINISHED and gang.status.admission is not None


def has_run(gang: Gang) -> bool:
    """Whether it holds something or did before it was told to go."""
    return gang.status.admission is not None or bool(gang.status.runs)


def is_past(gang: Gang) -> bool:
    """Whether it has finished and ran, if only before it was told to go."""
    return gang.status.phase in FINISHED and has_run(gang)


def is_aside(gang: Gang) -> bool:
    """Whether it ran and is neither at work nor in line nor over: its user suspended it, say."""
    return has_run(gang) and not matters(gang) and gang.status.phase not in FINISHED


def ended(some: Iterable[Gang]) -> list[Gang]:
    """Those that ran and have finished."""
    return [gang for gang in some if is_over(gang)]


def waits(gang: Gang) -> bool:
    """Whether the gang is in line."""
    return (
        gang.status.admission is None
        and not gang.spec.suspend
        and gang.status.phase == "Pending"
        and gang.spec.outcome is None
        and gang.metadata.deletion_timestamp is None
    )


def unready(gang: Gang) -> str:
    """`status.ready` of a gang of which nothing runs."""
    return f"0/{sum(pod_set.count for pod_set in gang.spec.pod_sets)}"


def is_awaiting(gang: Gang) -> bool:
    """Whether the scheduler told it that others make room for it."""
    reasons = gang.status.reasons
    return bool(reasons) and reasons[0].code == NAMES[Code.WAITS_FOR_EVICTION]


def matters(gang: Gang) -> bool:
    """Whether the scheduler has to know of the gang."""
    return holds(gang) or waits(gang)


def read(gang: Gang, devices: Collection[str]) -> Read:
    """The gang's needs, or what cannot be read of them."""
    try:
        needs = [
            pods.need(pod_set, devices, gang.metadata.namespace) for pod_set in gang.spec.pod_sets
        ]
        needs = list(_mounting(gang, _apart(gang, needs)))
        return Read(tuple(need._replace(where=_at_home(need.where)) for need in needs))
    except RequestError as problem:
        return Read(problem=str(problem))


def _apart(gang: Gang, needs: Sequence[PodNeed]) -> list[PodNeed]:
    """The needs with what keeps one set from the nodes of another. Where neither has a single pod
    those of the smaller one do not share a node either. Raises RequestError.
    """
    sets, found = gang.spec.pod_sets, list(needs)
    for i, j, term in near.between([need.wishes for need in needs]):
        if term.key != near.HOSTNAME:
            raise RequestError(
                f"pod set {sets[i].name}: affinity.podAntiAffinity: to keep pod set {sets[j].name} "
                f"out of a domain of {term.key} is not supported, only out of {near.HOSTNAME}"
            )
        few, many = sorted((i, j), key=lambda k: (sets[k].count, k))
        whom = crc32(repr((term, found[i].wishes.labels, found[j].wishes.labels)).encode())
        name = f"{APART}{sets[i].name} and {sets[j].name} ({whom:08x})"
        for k, share in ((few, pods.APART_ROOM), (many, 1)):
            request = tuple(sorted((*found[k].shape.request, (name, share))))
            found[k] = found[k]._replace(shape=found[k].shape._replace(request=request))
    return found


def _mounting(gang: Gang, needs: Sequence[PodNeed]) -> Iterator[PodNeed]:
    """The needs with what their claims mean for all ranks that name them."""
    each = claims.together([one.template for one in gang.spec.pod_sets])
    for pod_set, one, names in zip(gang.spec.pod_sets, needs, each, strict=True):
        if not names:
            yield one
            continue
        whole = each.count(names) > 1
        required = (pod_set.topology.required or "") if pod_set.topology else ""
        levels = tuple(filter(None, (required, gang.spec.within if whole else "")))
        wishes = one.wishes._replace(together=names, levels=levels, whole=whole)
        yield one._replace(wishes=wishes)


def _at_home(where: Where) -> Where:
    """Gangs go to nodes that are kept for them."""
    return where._replace(tolerations=(*where.tolerations, (POOL, "Exists", "", "NoSchedule")))


class Sited(NamedTuple):
    """A need as the cluster answers it: node classes, its own pods' topology, preferred classes."""

    shape: ShapeRow
    topology: Topology = Topology()
    prefer: tuple[int, ...] = ()


def ask(gang: Gang, needs: Sequence[PodNeed], shapes: Mapping[PodNeed, Sited]) -> AskRow:
    """What the gang asks for; `shapes` are needs with the answer of every node class."""
    return AskRow(
        tuple(
            _set(pod_set, shapes[one])
            for pod_set, one in zip(gang.spec.pod_sets, needs, strict=True)
        ),
        tuple(gang.spec.pools),
        within(gang, needs, shapes),
    )


def within(gang: Gang, needs: Sequence[PodNeed], shapes: Mapping[PodNeed, Sited]) -> str:
    """The level of which the whole gang is to be in one domain: its own, or that of volumes that
    its sets share."""
    shared = (shapes[one].topology.volumes for one in needs if one.wishes.whole)
    return next(filter(None, shared), gang.spec.within)


def shape(one: PodNeed, classes: Sequence[NodeClass]) -> ShapeRow:
    """The need with the answer of every node class."""
    return one.shape._replace(barred=pods.barred(one.where, classes))


def _set(pod_set: PodSet, sited: Sited) -> PodSetRow:
    near, own = pod_set.topology, sited.topology
    return PodSetRow(
        name=pod_set.name,
        shape=sited.shape,
        pods=pod_set.count,
        least=pod_set.min_count,
        required=own.volumes or ((near.required or "") if near else "") or own.required,
        preferred=((near.preferred or "") if near else "") or own.preferred,
        balanced=near.balanced if near else False,
        slice_size=(near.slice_size or 0) if near else 0,
        slice_level=(near.slice_level or "") if near else "",
        spreads=own.spreads,
        prefer=sited.prefer,
    )


def grace(gang: Gang) -> int | None:
    """Seconds that a gang asks for to save its work when it has to go; None: it saves nothing."""
    checkpoint = gang.spec.checkpoint
    return checkpoint.grace_seconds if checkpoint and checkpoint.enabled else None


def graces(gang: Gang) -> Iterator[tuple[str, int]]:
    """The seconds that it asks for when it has to go, by the name of the field."""
    if (asked := grace(gang)) is not None:
        yield "spec.checkpoint.graceSeconds", asked
    for i, pod_set in enumerate(gang.spec.pod_sets):
        spec = pod_set.template.get("spec")
        ends = spec.get(ENDS) if isinstance(spec, dict) else None
        if isinstance(ends, int):
            yield f"spec.podSets[{i}].template.spec.{ENDS}", ends


def row(
    gang: Gang, queue: str, asked: AskRow, priorities: Mapping[str, PriorityClass],
    refused: Refused | None, grace: int,
) -> GangRow:  # fmt: skip
    """The gang as the core reads it; `grace` are the seconds that others wait when it has to go."""
    spec, admission = gang.spec, gang.status.admission
    klass = priority_of(gang, priorities)
    declared = [s for s in (spec.estimated_runtime_seconds, spec.max_runtime_seconds) if s]
    state = GangState.WAITING
    if admission is not None:
        leaving = admission.evict is not None or spec.suspend or gang.status.phase == "Evicting"
        state = GangState.LEAVING if leaving else GangState.RUNNING
    progress, checkpoint = gang.status.progress, spec.checkpoint
    return GangRow(
        name=key_of(gang),
        queue=queue,
        ask=asked,
        state=state,
        priority=klass.value if klass else 0,
        created=parse_rfc3339(gang.metadata.creation_timestamp or "1970-01-01T00:00:00Z"),
        user=gang.metadata.annotations.get("athanor.dev/user", ""),
        preemptible=spec.preemptible is not False,
        preempts=klass is None or klass.preemption_policy != "Never",
        estimate=float(min(declared)) if declared and not overran(gang) else NAN,
        limit=float(spec.max_runtime_seconds or "inf"),
        resize=RESIZE[spec.resize] if steady(gang) else Resize.NEVER,
        resized=_time(admission.changed_at) if admission and admission.changed_at else NAN,
        refused=refused.code if refused else 0,
        awaits=admission is None and is_awaiting(gang),
        pool=admission.pool if admission else "",
        started=_time(admission.admitted_at) if admission else NAN,
        expected_end=_time(admission.expected_end) if admission else NAN,
        attained=float(gang.status.ran_seconds),
        saved=_time(progress.last_checkpoint_time) if progress else NAN,
        restart_cost=float(checkpoint.restart_seconds) if checkpoint else 0.0,
        grace=float(grace),
    )


def overran(gang: Gang) -> bool:
    """Whether a gang ran into its queue's budget: what it said of its running time was wrong."""
    return gang.status.reason == "BudgetSpent" and gang.spec.max_runtime_seconds is None


def priority_of(gang: Gang, priorities: Mapping[str, PriorityClass]) -> PriorityClass | None:
    """The gang's PriorityClass, else the cluster's default one, else None (priority 0)."""
    if gang.spec.priority_class_name:
        return priorities.get(gang.spec.priority_class_name)
    return next((c for c in priorities.values() if c.global_default), None)


def backs_off(gang: Gang) -> Refused | None:
    """The refusal of a gang that did not start in time, until it is tried again."""
    until = gang.status.retry_at
    if until is None:
        return None
    return Refused(Code.BACKS_OFF, f"{gang.status.message}; it is tried again at {until}")


def unknown_priority(gang: Gang, priorities: Mapping[str, PriorityClass]) -> Refused | None:
    """The refusal of a gang that names a PriorityClass nobody made."""
    name = gang.spec.priority_class_name
    if not name or name in priorities:
        return None
    text = f"spec.priorityClassName: there is no PriorityClass {name}"
    return Refused(Code.INVALID_REQUEST, text)


def unknown_pools(gang: Gang, pools: Collection[str]) -> Refused | None:
    """The refusal of a gang all of whose pools nobody made; without one it could go anywhere."""
    wanted = gang.spec.pools
    if not wanted or any(pool in pools for pool in wanted):
        return None
    return Refused(Code.NO_POOL, f"spec.pools: there is no pool {' or '.join(wanted)}")


def steady(gang: Gang) -> bool:
    """Whether all ranks run where they were placed last: then their number may change."""
    admission = gang.status.admission
    return (
        gang.status.phase == "Running"
        and admission is not None
        and admission.generation == gang.status.generation
        and admission.evict is None
        and admission.shrink is None
    )


def running(gang: Gang, nodes: Collection[str]) -> Iterator[RunningRow]:
    """Every pod of an admitted gang; ranks that lost their node hold nothing, nor do pods of others
    that have ended or are gone.
    """
    admission = gang.status.admission
    if admission is None:
        return
    names = [pod_set.name for pod_set in gang.spec.pod_sets]
    gone = lost(gang, nodes) | {(names.index(s), r) for s, r in adoption.over(gang) if s in names}
    stay = admission.shrink.counts if admission.shrink is not None else {}
    for placement in admission.placements:
        if placement.pod_set not in names:
            continue
        index = names.index(placement.pod_set)
        for rank, node in zip(range(placement.count), unpack(placement.nodes), strict=False):
            if node in nodes and (index, rank) not in gone:
                said = placement.devices[rank] if rank < len(placement.devices) else ""
                slot = placement.slots[rank] if rank < len(placement.slots) else UNSET
                leaving = rank >= stay.get(placement.pod_set, placement.count)
                yield RunningRow(key_of(gang), index, node, mask(said), slot, rank, leaving)


def lost(gang: Gang, nodes: Collection[str]) -> set[tuple[int, int]]:
    """(pod set, rank) of those that lost their node, in a gang that takes another one for them."""
    admission = gang.status.admission
    if (
        not gang.spec.replace or admission is None or admission.evict is not None
        or gang.spec.suspend or gang.spec.outcome is not None
        or gang.status.phase not in ("Starting", "Running", "Admitted")
        or admission.generation != gang.status.generation
    ):  # fmt: skip
        return set()
    names = [pod_set.name for pod_set in gang.spec.pod_sets]
    failed = {
        (f.pod_set, f.rank, f.node)
        for f in gang.status.failures
        if f.platform and is_node_bound(f.reason)
    }
    return {
        (names.index(placement.pod_set), rank)
        for placement in admission.placements
        if placement.pod_set in names
        for rank, node in zip(range(placement.count), unpack(placement.nodes), strict=False)
        if node not in nodes or (placement.pod_set, rank, node) in failed
    }


def meter(gang: Gang, needs: Sequence[PodNeed], rates: Mapping[str, float]) -> Meter | None:
    """What an admitted gang costs; None for one that holds nothing."""
    admission = gang.status.admission
    if admission is None or not admission.admitted_at:
        return None
    each = {
        s.name: hourly(need.shape, rates) for s, need in zip(gang.spec.pod_sets, needs, strict=True)
    }
    is_over = gang.status.phase in FINISHED  # all ranks are: each held its place until then
    over = Counter(pod_set for pod_set, _ in adoption.over(gang) if not is_over)
    rate = sum((p.count - over[p.pod_set]) * each.get(p.pod_set, 0.0) for p in admission.placements)
    ended = gang.status.finished_at if gang.status.phase in FINISHED else None
    started = parse_rfc3339(admission.admitted_at)
    return Meter(admission.queue, rate, started, parse_rfc3339(ended) if ended else None)


def mask(devices: str) -> int:
    """Device indices "0,3" as a bit mask; what is no index (a UUID) is left out."""
    found = 0
    for part in devices.split(","):
        if part.isdecimal() and int(part) < 62:
            found |= 1 << int(part)
    return found


def indices(devices: int) -> str:
    """A bit mask as "0,3"."""
    return ",".join(str(d) for d in range(devices.bit_length()) if devices >> d & 1)


def _time(text: str | None) -> float:
    return parse_rfc3339(text) if text else NAN
