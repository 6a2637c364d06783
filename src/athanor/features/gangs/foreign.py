"""Pods of other people's controllers (schedulerName: athanor) become Gangs that adopt them.

Which pods start together is one table: labels and annotations of what is in use out there. A group
without a stated size is complete when nobody has joined it for a moment; whoever comes after the
group has started makes a Gang of its own. Pods whose maker says nothing start alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct

from athanor.api import adoption, labels
from athanor.api.core import Pod
from athanor.api.meta import JSON, Object, to_manifest
from athanor.api.registry import of
from athanor.api.scheduling import Gang
from athanor.features.gangs.ranks import is_alive
from athanor.features.gangs.sorts import digest, sorts
from athanor.features.gangs.states import WAITING
from athanor.features.gangs.unscheduled import told
from athanor.kit.times import parse_rfc3339, rfc3339
from athanor.runtime.cache import Changed, Key, Refusal, World, refusal
from athanor.runtime.plan import Action, Create, Delete, Patch, Plan

SCHEDULER = "athanor"
GROUP, GANGS_OF = "group", "gangs-of"
QUIET = 2.0
"""Seconds without a newcomer after which a group of unknown size is complete."""
SUCCESSORS = 30.0
"""Seconds without another that pods of a group that has been at work wait for all of its size: some
may have ended for good."""
GANGS = of(Gang)
LONGEST = 50
ADOPTION = "adopts", "adoptedUids"


class Grouper(NamedTuple):
    """Pods with this label (or annotation) and equal values of all `keys` start together.

    `size`: the annotation that says how many they are.
    """

    name: str
    keys: tuple[str, ...]
    size: str = labels.GROUP_SIZE


GROUPERS: tuple[Grouper, ...] = (
    Grouper("group", (labels.GROUP_OF,)),
    Grouper(
        "lws",
        ("leaderworkerset.sigs.k8s.io/name", "leaderworkerset.sigs.k8s.io/group-index"),
        "leaderworkerset.sigs.k8s.io/size",
    ),
    Grouper("volcano", ("scheduling.k8s.io/group-name",)),
    Grouper("volcano", ("volcano.sh/job-name",)),
    Grouper("pod-group", ("scheduling.x-k8s.io/pod-group",)),
    Grouper("pod-group", ("pod-group.scheduling.sigs.k8s.io",)),
    Grouper("kubeflow", ("training.kubeflow.org/job-name",)),
    Grouper("jobset", ("jobset.sigs.k8s.io/jobset-name",)),  # TrainJobs make JobSets
    Grouper("ray", ("ray.io/cluster",)),
    Grouper("job", ("batch.kubernetes.io/job-name",)),
)
"""The first that applies counts; pods of a Deployment match none and start alone."""


class Observed(Struct, frozen=True):
    """A group: its pods, the Gangs made for it, and how the server refused the last try."""

    group: str
    pods: tuple[Pod, ...]
    gangs: tuple[Gang, ...]
    refusal: Refusal | None = None


def grouper_of(pod: Pod) -> Grouper | None:
    """The row of the table that applies to a pod; None: it starts alone."""
    told = {**pod.metadata.annotations, **pod.metadata.labels}
    return next((one for one in GROUPERS if all(key in told for key in one.keys)), None)


def name_of_group(pod: Pod) -> str:
    """The group's name, fit to be a Gang's."""
    told = {**pod.metadata.annotations, **pod.metadata.labels}
    one = grouper_of(pod)
    words = [one.name, *(told[key] for key in one.keys)] if one else ["pod", pod.metadata.name]
    text = "-".join(words).lower()
    plain = "".join(c if c.isalnum() and c.isascii() else "-" for c in text)
    return f"{plain[:LONGEST].strip('-')}-{digest(text)}"


def grouped(pod: Object) -> Iterable[str]:
    """Index: the group of a pod of others."""
    if not isinstance(pod, Pod) or pod.spec.scheduler_name != SCHEDULER:
        return ()
    if labels.GANG in pod.metadata.labels or pod.spec.scheduling_gates:
        return ()
    return (f"{pod.metadata.namespace}/{name_of_group(pod)}",)


def made_for(gang: Object) -> Iterable[str]:
    """Index: the group that a Gang was made for."""
    name = gang.metadata.labels.get(labels.GROUP_OF)
    adopts = isinstance(gang, Gang) and bool(gang.spec.adopts)
    return (f"{gang.metadata.namespace}/{name}",) if name and adopts else ()


def group_of(change: Changed[Pod], world: World) -> Iterable[Key]:
    """The group of a pod that changed."""
    return [Key(*name.split("/", 1)) for name in grouped(change.newest)]


def group_of_gang(change: Changed[Gang], world: World) -> Iterable[Key]:
    """The group of a Gang that changed."""
    return [Key(*name.split("/", 1)) for name in made_for(change.newest)]


def observe(world: World, key: Key) -> Observed | None:
    """The group as it is; None when nothing of it is left."""
    name = f"{key.namespace}/{key.name}"
    pods = sorted(world.cache(Pod).by(GROUP, name), key=_order)
    made = sorted(world.cache(Gang).by(GANGS_OF, name), key=lambda gang: gang.metadata.name)
    if not pods and not made:
        return None
    return Observed(key.name, tuple(pods), tuple(made), refusal(world, key))


def _order(pod: Pod) -> tuple[int, str, str]:
    """Ranks are in the order of completion indexes where there are, else of names."""
    index = pod.metadata.labels.get("batch.kubernetes.io/job-completion-index", "")
    return int(index) if index.isdecimal() else 0, pod.metadata.name, pod.metadata.uid


def plan(seen: Observed, now: float, *, stamped: bool = True) -> Plan:
    """A Gang for those that no Gang has adopted yet; the end of Gangs whose pods are gone.

    `stamped`: the server itself writes into pods who submitted them.
    """
    pods = {pod.metadata.name: pod for pod in seen.pods}
    found = [(gang, _pods_of(gang, pods)) for gang in seen.gangs]
    actions: list[Action] = [_delete(gang) for gang, mine in found if not mine]
    adopting = [(gang, mine) for gang, mine in found if mine]
    moments: list[float] = []
    open_ = next((gang for gang, _ in adopting if _is_open(gang)), None)
    taken = [pod for gang, mine in adopting if gang is not open_ for pod in mine]

    def tell(pods: Sequence[Pod], why: str) -> None:
        said, pause = told(pods, why, now)
        actions.extend(said)
        moments.extend([pause] if pause is not None else [])

    for gang, mine in adopting:
        if _is_open(gang) and gang.status.reasons and not gang.spec.suspend:
            tell(mine, gang.status.reasons[0].message)
    free = _free(seen.pods, {pod.metadata.uid for pod in taken})
    size = _size(free) - _done(seen)
    wait = 0.0 if not free or any(map(_stays, taken)) else _incomplete(free, size, now)
    if wait > 0 and taken:
        wait = min(wait, _coming(free, now, SUCCESSORS))
    if wait > 0 and (open_ is None or size > 0):
        coming = _coming(free, now)
        if size > 0 and not coming:  # else all would be told anew for each that comes
            here = f"{len(free)} of the {size} pods of their group are there: they start together"
            tell(free, here)
        moments.append(coming or wait)
        actions += _held_back(open_) if open_ is not None else ()
    elif free and open_ is None:
        if seen.refusal is not None and seen.refusal.lasting:
            tell(free, seen.refusal.message)
        made = _gang(seen.group, free, second=bool(seen.gangs), stamped=stamped)
        actions.append(Create(GANGS, made))
    elif free and open_ is not None:
        actions += _joined(open_, _gang(seen.group, free, second=True, stamped=stamped))
    return Plan(tuple(actions), min(moments, default=None))


def _pods_of(gang: Gang, pods: Mapping[str, Pod]) -> list[Pod]:
    """The pods that the gang has adopted and that are there, by their names."""
    return [
        pod for one in adoption.adopted(gang)
        if (pod := pods.get(one.name)) is not None and one.is_that(pod)
    ]  # fmt: skip


def _is_open(gang: Gang) -> bool:
    """Whether others may join it."""
    return gang.status.admission is None and gang.status.phase in WAITING


def _free(pods: Iterable[Pod], taken: Collection[str]) -> list[Pod]:
    """Those that wait for a node and are none of these, by uid."""
    return [
        pod for pod in pods
        if pod.metadata.uid not in taken and not pod.spec.node_name
        and pod.status.phase in ("", "Pending") and pod.metadata.deletion_timestamp is None
    ]  # fmt: skip


def _done(seen: Observed) -> int:
    """How many of the group have succeeded: nobody comes in their place."""
    told = sum(counts.succeeded for gang in seen.gangs for counts in gang.status.pods)
    return max(told, sum(pod.status.phase == "Succeeded" for pod in seen.pods))


def _held_back(gang: Gang) -> Iterator[Patch]:
    """The waiting Gang keeps its place in line, and does not start while pods of it are missing."""
    if not gang.spec.suspend:
        yield Patch(
            resource=GANGS, name=gang.metadata.name, namespace=gang.metadata.namespace,
            body={"spec": {"suspend": True}}, resource_version=gang.metadata.resource_version,
        )  # fmt: skip


def _joined(gang: Gang, wanted: JSON) -> Iterator[Patch]:
    """The waiting Gang with the pods that there are now."""
    if all(to_manifest(gang.spec).get(name) == wanted["spec"][name] for name in ADOPTION):
        return
    said = wanted["spec"]
    gone = {name: None for name in gang.spec.adopts if name not in said["adopts"]}
    yield Patch(
        resource=GANGS, name=gang.metadata.name, namespace=gang.metadata.namespace,
        body={"spec": {
            "podSets": said["podSets"], **{name: {**said[name], **gone} for name in ADOPTION},
            **({"suspend": False} if gang.spec.suspend else {}),
        }},
        resource_version=gang.metadata.resource_version,
    )  # fmt: skip


def _incomplete(free: Sequence[Pod], size: int, now: float) -> float:
    """Seconds to wait for others of the group, of so many if anybody says it; 0: it is complete."""
    if grouper_of(free[0]) is None:
        return 0.0
    if _size(free):
        return 0.0 if len(free) >= size else 60.0
    return _coming(free, now)


def _stays(pod: Pod) -> bool:
    return is_alive(pod) and pod.metadata.deletion_timestamp is None


def _coming(free: Sequence[Pod], now: float, quiet: float = QUIET) -> float:
    """Seconds until nobody has joined the group for a moment."""
    born = [parse_rfc3339(p.metadata.creation_timestamp or rfc3339(now)) for p in free]
    return max(max(born) + quiet - now, 0.0)


def _size(pods: Sequence[Pod]) -> int:
    """How many pods the group is said to have; 0 when nobody says it."""
    one = grouper_of(pods[0]) if pods else None
    said = [pod.metadata.annotations.get(one.size, "") for pod in pods] if one else []
    return max((int(text) for text in said if text.isdecimal()), default=0)


def _gang(group: str, pods: Sequence[Pod], *, second: bool, stamped: bool) -> JSON:
    """The Gang of these pods: a set for each sort of them."""
    found = sorts(pods)
    sets = [
        {"name": f"sort-{sort}", "count": len(same), "template": _template(same[0])}
        for sort, same in found.items()
    ]
    first = pods[0]
    name = f"{group}-{digest(''.join(p.metadata.uid for p in pods))}" if second else group
    owner = next((o for o in first.metadata.owner_references if o.controller), None)
    return {
        "apiVersion": GANGS.api_version,
        "kind": GANGS.kind,
        "metadata": {
            "name": name,
            "namespace": first.metadata.namespace,
            "labels": {labels.GROUP_OF: group},
            "annotations": {
                k: v for k, v in first.metadata.annotations.items() if k == labels.USER and stamped
            },
            "ownerReferences": [
                {**to_manifest(owner), "controller": False, "blockOwnerDeletion": False}
            ] if owner else [],
        },
        "spec": {
            "podSets": sets,
            "adopts": {f"sort-{d}": [p.metadata.name for p in same] for d, same in found.items()},
            "adoptedUids": {
                f"sort-{d}": [p.metadata.uid for p in same] for d, same in found.items()
            },
            "queue": first.metadata.labels.get(labels.QUEUE, ""),
            "priorityClassName": first.spec.priority_class_name,
            "restart": "Rank",
        },
    }  # fmt: skip


def _template(pod: Pod) -> JSON:
    return {
        "metadata": {"labels": dict(pod.metadata.labels)},
        "spec": to_manifest(pod.spec),
    }


def _delete(gang: Gang) -> Delete:
    return Delete(
        resource=GANGS, name=gang.metadata.name, namespace=gang.metadata.namespace,
        uid=gang.metadata.uid,
    )  # fmt: skip
