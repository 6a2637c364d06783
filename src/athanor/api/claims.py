"""Claims that wait for their first consumer (WaitForFirstConsumer): who makes their volumes is told
where it will be.

kube-scheduler tells it by an annotation of the claim. A pod that has its node from the start never
passes kube-scheduler, so those who place it have to.
"""

from __future__ import annotations

from collections.abc import Sequence

from athanor.api.core import PersistentVolumeClaim, StorageClass
from athanor.api.meta import GROUP, JSON

SELECTED_NODE = "volume.kubernetes.io/selected-node"
SELECTED_AT = f"{GROUP}/selected-at"
"""Annotation of a claim: when we told it its node."""
NOBODY = "kubernetes.io/no-provisioner"
"""The provisioner of classes whose volumes people make."""
DELAYED = "WaitForFirstConsumer"


def mounts(template: JSON) -> bool:
    """Whether pods of a template have volumes of claims."""
    volumes = _volumes(template)
    return any(one.get("persistentVolumeClaim") or one.get("ephemeral") for one in volumes)


def named(template: JSON) -> tuple[str, ...]:
    """The claims that pods of a template name."""
    said = [volume.get("persistentVolumeClaim") for volume in _volumes(template)]
    names = [claim.get("claimName") for claim in said if isinstance(claim, dict)]
    return tuple(name for name in names if isinstance(name, str) and name)


def together(templates: Sequence[JSON]) -> tuple[tuple[str, ...], ...]:
    """For each of a gang's templates the claims whose volumes have to be reached from the same
    nodes: those that it names, or where two templates name the same one, those of all.
    """
    each = tuple(tuple(dict.fromkeys(named(template))) for template in templates)
    every = [claim for mine in each for claim in mine]
    union = tuple(dict.fromkeys(every))
    return each if len(union) == len(every) else tuple(union if mine else () for mine in each)


def own(template: JSON, pod: str) -> tuple[str, ...]:
    """The claims that Kubernetes makes for one pod (generic ephemeral volumes)."""
    return tuple(
        f"{pod}-{volume.get('name')}" for volume in _volumes(template) if volume.get("ephemeral")
    )


def _volumes(template: JSON) -> list[JSON]:
    """Templates are looked at before anybody has said that they are one: what is no volume is left
    out."""
    spec = template.get("spec")
    found = spec.get("volumes") if isinstance(spec, dict) else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def class_of(claim: PersistentVolumeClaim) -> str:
    """The name of its StorageClass; "" when it has none."""
    return str(claim.spec.get("storageClassName") or "")


def is_delayed(claim: PersistentVolumeClaim, of: StorageClass | None) -> bool:
    """Whether it has no volume, and its class makes none before there is a consumer."""
    waits = of is not None and of.volume_binding_mode == DELAYED
    return waits and not claim.spec.get("volumeName")
