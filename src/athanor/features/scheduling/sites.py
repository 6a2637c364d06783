"""Needs against nodes: node classes with every need's answer, and devices that somebody names.

What other pods and volumes say of a node becomes made-up labels of it (see `near`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from athanor.api import claims
from athanor.api.core import Node, PersistentVolume, PersistentVolumeClaim, StorageClass
from athanor.api.meta import JSON
from athanor.features.scheduling import near, nodes, pods
from athanor.features.scheduling.core.rows import DeviceRow, NodeRow, ShapeRow
from athanor.features.scheduling.core.snapshot import APART, ATTACHED, HOST_PORT
from athanor.features.scheduling.gangs import Sited
from athanor.features.scheduling.given import Given
from athanor.features.scheduling.pods import PodNeed
from athanor.runtime.cache import Key, World

MARK = "scheduling.athanor.dev/"
UNLIMITED = 10**6


Volumes = Mapping[tuple[str, str], JSON]
"""(namespace, claim) → spec of the volume that it is bound to, or what is known of it before."""


def bound_volumes(world: World) -> dict[tuple[str, str], JSON]:
    """The volumes of claims, and what holds of those that are made for their first consumer."""
    by_name = {volume.metadata.name: volume.spec for volume in world.cache(PersistentVolume)}
    classes = world.cache(StorageClass)
    found: dict[tuple[str, str], JSON] = {}
    for claim in world.cache(PersistentVolumeClaim):
        volume = by_name.get(claim.spec.get("volumeName", ""))
        klass = classes.get(Key("", claims.class_of(claim)))
        made = klass is not None and klass.provisioner != claims.NOBODY
        if volume is None and made and klass is not None and claims.is_delayed(claim, klass):
            volume = _expected(claim, klass)
        if volume is not None:
            found[claim.metadata.namespace, claim.metadata.name] = volume
    return found


def _expected(claim: PersistentVolumeClaim, klass: StorageClass) -> JSON:
    """A volume that will be made: on the node that was told already, or where its class may."""
    told = claim.metadata.annotations.get(claims.SELECTED_NODE)
    if told:
        here = {"key": nodes.NAME, "operator": "In", "values": [told]}
        terms = [{"matchFields": [here]}]
    else:
        terms = [
            {"matchExpressions": [{**one, "operator": "In"}
                                  for one in term.get("matchLabelExpressions") or []]}
            for term in klass.allowed_topologies
        ]  # fmt: skip
    return {
        "csi": {"driver": klass.provisioner},
        "nodeAffinity": {"required": {"nodeSelectorTerms": terms}},
    }


def answered(
    need: PodNeed, number: int, names: frozenset[str], cluster: near.Cluster, volumes: Volumes,
    given: Given | None, marks: dict[str, dict[str, str]],
) -> pods.Where:  # fmt: skip
    """Where the need may go as other pods and volumes are; nodes get the marks it refers to."""
    wishes, where = need.wishes, need.where
    if not wishes.needed and not cluster.guarded:
        return where
    open_ = cluster.open(wishes)
    allowed = (names if open_ is None else open_) - cluster.closed(wishes)
    if allowed != names:
        label = f"{MARK}near-{number}"
        for name in allowed:
            marks.setdefault(name, {})[label] = "yes"
        where = where._replace(pods=((label, "Exists", ()),))
    for name, worth in cluster.worth(wishes).items():
        marks.setdefault(name, {})[f"{MARK}worth-{number}"] = str(worth)
    tied = [
        pods.terms_of(terms)
        for terms in near.volume_terms(wishes.claims, wishes.namespace, volumes)
    ]
    if given is not None and (level := volume_level(given, cluster, wishes)):
        for name, domain in given.domains(wishes, _levels(cluster, wishes)).items():
            marks.setdefault(name, {})[level] = domain
        tied.append((((level, "Exists", ()),),))
    return where._replace(volumes=tuple(tied))


def volume_level(given: Given, cluster: near.Cluster, wishes: near.Wishes) -> str:
    """The made-up level that volumes which the pods will take require; "" for none."""
    return given.level(wishes, _levels(cluster, wishes))


def _levels(cluster: near.Cluster, wishes: near.Wishes) -> list[str]:
    """The levels of which the pods have to be in one domain, beside that of their volumes."""
    return [*dict.fromkeys(filter(None, (*wishes.levels, cluster.topology(wishes).required)))]


def attached(need: PodNeed, volumes: Volumes) -> dict[str, int]:
    """How many volumes of each sort a pod attaches: "attachable-volumes-…" → number."""
    found: dict[str, int] = {}
    for claim in dict.fromkeys(need.wishes.claims):
        sort = attachable(volumes.get((need.wishes.namespace, claim)))
        if sort:
            found[sort] = found.get(sort, 0) + 1
    return found


def attachable(volume: JSON | None) -> str:
    """The resource that a volume takes of its node; empty for one that is not attached."""
    if not volume:
        return ""
    driver = (volume.get("csi") or {}).get("driver")
    if driver:
        return f"attachable-volumes-csi-{driver}"
    old = {"awsElasticBlockStore": "aws-ebs", "gcePersistentDisk": "gce-pd", "cinder": "cinder",
           "azureDisk": "azure-disk"}  # fmt: skip
    return next((f"attachable-volumes-{name}" for key, name in old.items() if key in volume), "")


def device_ids(node: Node) -> tuple[str, ...]:
    """The ids of the node's GPUs in the order of their indices, where it tells them."""
    told = node.metadata.annotations.get(nodes.DEVICE_IDS, "")
    return tuple(filter(None, told.split(",")))


class Counted(NamedTuple):
    """What is only counted where somebody asks: host ports, attach limits, devices by their id,
    and who keeps apart from whom.

    `known` are all resources that anybody here has or asks for.
    """

    ports: frozenset[str]
    limits: frozenset[str]
    ids: frozenset[str]
    apart: frozenset[str]
    known: frozenset[str]


def counted(shapes: Iterable[ShapeRow], offered: Iterable[str]) -> Counted:
    """What pods of these shapes ask to be counted; `offered` are the resources of nodes."""
    asked = {name for shape in shapes for name, _ in shape.request}
    return Counted(
        frozenset(name for name in asked if name.startswith(HOST_PORT)),
        frozenset(name for name in asked if name.startswith(ATTACHED)),
        frozenset(m[1:] for shape in shapes for m in shape.models if m.startswith("/")),
        frozenset(name for name in asked if name.startswith(APART)),
        frozenset({"cpu", "memory", "pods", *asked, *offered}),
    )


def machine(row: NodeRow, ids: Sequence[str], what: Counted) -> NodeRow:
    """The node with what is only counted.

    A device that is asked for by id is a model of its own. What others use of a resource that
    nobody here knows is left out.
    """
    more = dict.fromkeys(sorted(what.ports), 1)
    more |= dict.fromkeys(sorted(what.apart), pods.APART_ROOM)
    more |= {name: UNLIMITED for name in sorted(what.limits) if name not in row.capacity}
    return row._replace(
        capacity={**more, **row.capacity},
        foreign={name: amount for name, amount in row.foreign.items() if name in what.known},
        devices=_named(row, ids, what.ids),
    )


def _named(row: NodeRow, ids: Sequence[str], wanted: frozenset[str]) -> tuple[DeviceRow, ...]:
    if not wanted:
        return row.devices
    own = iter(ids)
    return tuple(
        device._replace(model=f"{device.model}/{uuid}")
        if device.kind.endswith("/gpu") and (uuid := next(own, "")) in wanted
        else device
        for device in row.devices
    )


def with_models(needs: Mapping[PodNeed, Sited], rows: Iterable[NodeRow]) -> dict[PodNeed, Sited]:
    """Models as the nodes name them: "A100" is also every A100 that goes by its id."""
    if not any(one.shape.models for one in needs.values()):
        return dict(needs)
    models = {device.model for row in rows for device in row.devices}
    return {
        need: one._replace(shape=_with_models(one.shape, sorted(models)))
        for need, one in needs.items()
    }


def _with_models(shape: ShapeRow, models: Sequence[str]) -> ShapeRow:
    if not shape.models:
        return shape
    fitting = tuple(
        model for model in models
        if model.partition("/")[0] in shape.models
        or (model.partition("/")[2] and f"/{model.partition('/')[2]}" in shape.models)
    )  # fmt: skip
    return shape._replace(models=fitting or shape.models)
