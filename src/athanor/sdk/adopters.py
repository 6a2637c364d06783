"""The gang of what others made: a batch Job, a RayCluster, a Deployment, or one of their pods."""

from __future__ import annotations

from athanor.api import labels
from athanor.api.scheduling import Gang
from athanor.sdk.steps import Op, ask
from athanor.wire import calls


def of(name: str, namespace: str) -> Op[Gang | None]:
    """The gang that adopted a pod of this name, or pods that an object of this name made.

    Of several the first that waits, else the newest.
    """
    page = yield from ask(calls.list_(Gang, namespace, labels=labels.GROUP_OF))
    found = sorted(
        (gang for gang in page.items if is_of(gang, name)),
        key=lambda gang: gang.metadata.creation_timestamp or "", reverse=True,
    )  # fmt: skip
    waiting = [gang for gang in reversed(found) if gang.status.admission is None]
    return next(iter([*waiting, *found]), None)


def is_of(gang: Gang, name: str) -> bool:
    """Whether a gang adopted a pod of that name, or pods of a maker of that name."""
    if any(name in names for names in gang.spec.adopts.values()):
        return True
    for owner in gang.metadata.owner_references:
        maker = owner.name
        if owner.kind == "ReplicaSet" and name == maker.rpartition("-")[0]:
            return True  # a Deployment's: its name and a digest of the template
        if name == maker:
            return True
    return False
