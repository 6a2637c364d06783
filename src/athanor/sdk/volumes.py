"""Claims that keep pods from starting: which, why they have no volume, and the ways out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import structs

from athanor.api import claims
from athanor.api.core import Event, PersistentVolumeClaim, Pod, StorageClass
from athanor.api.scheduling import Gang
from athanor.sdk.explanation import Explanation
from athanor.sdk.happenings import happened
from athanor.sdk.steps import Op, ask
from athanor.wire import calls
from athanor.wire.status import ApiError

DEFAULT = "storageclass.kubernetes.io/is-default-class"
MOST = 4
"""Claims that are told of; who waits for more has enough to do with these."""
LOOK = "docs/cluster.md, Storage, says what jobs need; kubectl get storageclass what there is"


def may_lack(gang: Gang | None) -> bool:
    """Whether claims may be what a gang waits for."""
    if gang is None:
        return False
    return gang.status.phase == "Starting" or any(
        reason.code == "ClaimNotReady" for reason in gang.status.reasons
    )


def explained(
    said: Explanation, gang: Gang | None, pods: Sequence[Pod], events: Iterable[Event], where: str
) -> Op[Explanation]:
    """The explanation of pods that are not started, with the claims that they wait for."""
    facts: list[str] = []
    hints: list[str] = []
    names = _names(gang, pods)
    there = (yield from _claims(where)) if names else None
    if there is None:
        return said
    unbound = [name for name in names if name not in there or not _is_bound(there[name])]
    for name in unbound[:MOST]:
        claim = there.get(name)
        if claim is None:
            facts.append(f"there is no claim {name} in namespace {where}")
            hints.append(f"create claim {name}, or name one that is there with --mount")
            continue
        classes = yield from _classes()
        fact, ways = judge(claim, classes)
        facts += [fact, *_told(claim, events)]
        hints += ways
    if not unbound:
        return said
    many = "claims" if len(unbound) > 1 else "claim"
    return structs.replace(
        said, headline=f"its pods wait for the volume of {many} {', '.join(unbound[:MOST])}",
        facts=[*dict.fromkeys([*facts, *said.facts])],
        hints=[*dict.fromkeys([*hints, *said.hints])],
    )  # fmt: skip


def judge(
    claim: PersistentVolumeClaim, classes: Sequence[StorageClass] | None
) -> tuple[str, list[str]]:
    """Why a claim has no volume, and what would help; None: one may not see the classes."""
    name, asked = claim.metadata.name, claims.class_of(claim)
    patch = (
        f"kubectl patch pvc {name} -n {claim.metadata.namespace} "
        """-p '{"spec": {"storageClassName": "NAME"}}'"""
    )
    names = sorted(one.metadata.name for one in classes or ())
    if classes is None:
        of = f"StorageClass {asked}" if asked else "no StorageClass"
        return f"claim {name} ({of}) has no volume yet", [
            "ask who runs the cluster which StorageClass to name: you may not see them"
        ]
    if asked and asked not in names:
        there = f"there are {', '.join(names)}" if names else "there is none at all"
        return (
            f"claim {name} names StorageClass {asked}, which there is not: {there}",
            [f"make StorageClass {asked}, or a claim of another class", LOOK],
        )
    if asked:
        chosen = next(one for one in classes if one.metadata.name == asked)
        if chosen.provisioner == claims.NOBODY:
            return f"claim {name}: no free volume of StorageClass {asked} fits it", [LOOK]
        by = f"{chosen.provisioner} (StorageClass {asked})"
        return f"claim {name}: {by} has made no volume yet", []
    if claim.spec.get("storageClassName") == "":
        said = f"claim {name} wants no StorageClass, and no free volume without one fits it"
        return said, ["make a PersistentVolume for it, or a claim of a StorageClass", LOOK]
    if not names:
        return (
            f"claim {name} names no StorageClass, and the cluster has none",
            ["install a provisioner whose StorageClass makes the volumes, and mark it as default "
             f"({DEFAULT})", f"make a PersistentVolume that claim {name} fits", LOOK],
        )  # fmt: skip
    if any(_is_default(one) for one in classes):
        return f"claim {name} has not got the default StorageClass yet", [LOOK]
    return (
        f"claim {name} names no StorageClass, and none is the default: there are "
        f"{', '.join(names)}",
        [f"name one for it: {patch}",
         f"make one the default: kubectl annotate storageclass NAME {DEFAULT}=true", LOOK],
    )  # fmt: skip


def _is_default(one: StorageClass) -> bool:
    return one.metadata.annotations.get(DEFAULT) == "true"


def _names(gang: Gang | None, pods: Sequence[Pod]) -> list[str]:
    """The claims that pods mount: those named, and those that are made for each."""
    found = [name for s in gang.spec.pod_sets for name in claims.named(s.template)] if gang else []
    for pod in pods:
        template = {"spec": {"volumes": pod.spec.volumes}}
        found += [*claims.named(template), *claims.own(template, pod.metadata.name)]
    return list(dict.fromkeys(found))


def _claims(where: str) -> Op[dict[str, PersistentVolumeClaim] | None]:
    """Those of a namespace by name; None for those who may not see them."""
    try:
        page = yield from ask(calls.list_(PersistentVolumeClaim, where))
    except ApiError as error:
        if error.reason != "Forbidden":
            raise
        return None
    return {claim.metadata.name: claim for claim in page.items}


def _is_bound(claim: PersistentVolumeClaim) -> bool:
    return claim.status.get("phase") == "Bound"


def _classes() -> Op[Sequence[StorageClass] | None]:
    try:
        page = yield from ask(calls.list_(StorageClass))
    except ApiError as error:
        if error.reason != "Forbidden":
            raise
        return None
    return page.items


def _told(claim: PersistentVolumeClaim, events: Iterable[Event]) -> list[str]:
    """The last warning about it."""
    about = [e for e in events if e.involved_object.uid == claim.metadata.uid]
    warnings = sorted((e for e in about if e.type == "Warning"), key=happened)
    return [f"{e.reason}: {e.message}" for e in warnings[-1:]]
