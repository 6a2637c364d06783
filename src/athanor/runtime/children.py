"""Objects of any kind of ours that another of ours made: how they are made, found and read.

Whatever comes to an end has `status.phase`, which ends as Succeeded or Failed; that is all the
makers (crons, sweeps, workflows) know of it. Pure values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct, field

from athanor.api import labels
from athanor.api.meta import API_VERSION, JSON, Condition, Object, ObjectMeta, set_condition
from athanor.api.registry import Resource, by_kind, of
from athanor.api.scheduling import Gang, Progress
from athanor.api.sweeps import Sweep, SweepStatus
from athanor.api.training import TrainingJob
from athanor.api.workflows import Workflow, WorkflowStatus
from athanor.runtime.cache import Changed, Key, World, by_owner
from athanor.runtime.controller import Watch
from athanor.runtime.plan import Delete, Patch
from athanor.wire.calls import Propagation

Work = TrainingJob | Gang | Sweep | Workflow

WORK: tuple[type[Work], ...] = (TrainingJob, Gang, Sweep, Workflow)
"""What comes to an end; `athanor.api.templates.WorkKind` has their names."""

FINISHED = ("Succeeded", "Failed")
SETTLE = 0.05
"""Seconds: children of one maker often change together."""


class Child(Struct, frozen=True, kw_only=True):
    """One object that was made, as far as its maker cares."""

    kind: str
    name: str
    uid: str
    created: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    going: bool = False
    suspended: bool = False
    phase: str = ""
    message: str = ""
    started: str = ""
    ended: str = ""
    progress: Progress | None = None

    @property
    def finished(self) -> bool:
        """Whether it has come to its end."""
        return self.phase in FINISHED

    @property
    def resource(self) -> Resource:
        """Its kind."""
        return resource(self.kind)


def resource(kind: str) -> Resource:
    """A kind of ours by name. Raises KeyError when there is none."""
    found = by_kind(API_VERSION, kind)
    if found is None:
        raise KeyError(kind)
    return found


def children(world: World, owner: str) -> tuple[Child, ...]:
    """What an object (its uid) has made, by name."""
    found = [_child(one) for view in WORK for one in world.cache(view).by("owner", owner)]
    return tuple(sorted(found, key=lambda child: (child.kind, child.name)))


def watches(maker: str) -> tuple[Watch[Object], ...]:
    """Follow everything that objects of kind `maker` have made."""
    return tuple(Watch(view, makers(maker), {"owner": by_owner}, SETTLE) for view in WORK)


def makers(maker: str) -> Callable[[Changed[Object], World], Iterable[Key]]:
    """The makers of a changed object that are of one kind."""

    def keys(change: Changed[Object], world: World) -> Iterable[Key]:
        meta: ObjectMeta = change.newest.metadata
        return [Key(meta.namespace, o.name) for o in meta.owner_references if o.kind == maker]

    return keys


def made(
    maker: Object, name: str, template: JSON, notes: Mapping[str, str], marks: Mapping[str, str]
) -> JSON:
    """The manifest of a child: from a template {kind, metadata, spec}, owned by its maker.

    `notes` are annotations, `marks` labels. Whoever made the maker counts as the submitter.
    """
    owner, meta = maker.metadata, template.get("metadata") or {}
    annotations = {**(meta.get("annotations") or {}), **notes}
    user = owner.annotations.get(labels.USER)
    annotations.pop(labels.USER, None)
    if user:
        annotations[labels.USER] = user
    kind, of_maker = resource(template["kind"]), of(type(maker))
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {
            "name": name,
            "namespace": owner.namespace,
            "labels": {**(meta.get("labels") or {}), **marks},
            "annotations": annotations,
            "ownerReferences": [{
                "apiVersion": of_maker.api_version, "kind": of_maker.kind, "name": owner.name,
                "uid": owner.uid, "controller": True, "blockOwnerDeletion": True,
            }],
        },
        "spec": template.get("spec") or {},
    }  # fmt: skip


def suspended(child: Child, namespace: str, to: bool) -> Patch:
    """Stop a child, or let it go on."""
    return Patch(
        resource=child.resource, name=child.name, namespace=namespace,
        body={"spec": {"suspend": to}},
    )  # fmt: skip


def phase_conditions(
    known: list[Condition], phase: str, reason: str, message: str, now: str
) -> list[Condition]:
    """Conditions for `kubectl wait`: Running, Suspended, and Succeeded or Failed in the end."""
    for type_ in ("Running", "Suspended", *FINISHED):
        holds = phase == type_
        held = next((c for c in known if c.type == type_), None)
        if (held is None and not holds) or (held and held.status == str(holds)):
            continue
        news = Condition(type=type_, status=str(holds), reason=reason or phase, message=message)
        known = set_condition(known, news, now)
    return known


def remove(child: Child, namespace: str, how: Propagation = "Background") -> Delete:
    """Delete a child and what it made."""
    return Delete(
        resource=child.resource, name=child.name, namespace=namespace, uid=child.uid,
        propagation=how,
    )  # fmt: skip


def _child(value: Work) -> Child:
    meta, status = value.metadata, value.status
    return Child(
        kind=of(type(value)).kind,
        name=meta.name,
        uid=meta.uid,
        created=meta.creation_timestamp or "",
        labels=meta.labels,
        annotations=meta.annotations,
        going=meta.deletion_timestamp is not None,
        phase=status.phase,
        message=status.message or status.reason,
        started=status.started_at or "",
        ended=status.finished_at or "",
        suspended=value.spec.suspend,
        progress=None if isinstance(status, SweepStatus | WorkflowStatus) else status.progress,
    )
