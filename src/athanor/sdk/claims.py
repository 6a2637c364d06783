"""What jobs leave in claims: on a cluster a job's outputs and checkpoints lie in one of its own.

The claim belongs to its job, and the garbage collector takes it when that is gone.
"""

from __future__ import annotations

from athanor.api.core import PersistentVolumeClaim
from athanor.api.labels import JOB
from athanor.api.meta import OwnerReference, to_manifest
from athanor.api.registry import of
from athanor.api.training import TrainingJob
from athanor.sdk.jobs import Scope
from athanor.sdk.steps import Op, ask
from athanor.wire import calls

_CLAIMS, _JOB = of(PersistentVolumeClaim), of(TrainingJob)
_OURS = "+athanor."
"""In the version of our own API server: there outputs are folders of the machine."""


def has_claims(scope: Scope) -> Op[bool]:
    """Whether outputs go to claims here."""
    found = yield from ask(calls.raw("GET", "/version"))
    return _OURS not in str(found.get("gitVersion", ""))


def job_claims(scope: Scope, *, namespace: str | None = None) -> Op[dict[str, list[str]]]:
    """Jobs with the claims that go when they are deleted, by name."""
    page = yield from ask(
        calls.list_(PersistentVolumeClaim, namespace or scope.namespace, labels=JOB)
    )
    found: dict[str, list[str]] = {}
    for claim in page.items:
        for owner in filter(_is_job, claim.metadata.owner_references):
            found.setdefault(owner.name, []).append(claim.metadata.name)
    return found


def keep_data(scope: Scope, name: str, *, namespace: str | None = None) -> Op[list[str]]:
    """Make the claims of a job nobody's: they stay when it is deleted. Returns their names.

    A later job of that name finds in them what this one left. Raises ApiError: Forbidden, Conflict.
    """
    where = namespace or scope.namespace
    page = yield from ask(calls.list_(PersistentVolumeClaim, where, labels=f"{JOB}={name}"))
    kept: list[str] = []
    for claim in page.items:
        meta = claim.metadata
        others = [o for o in meta.owner_references if not (_is_job(o) and o.name == name)]
        if len(others) == len(meta.owner_references):
            continue
        owners = [to_manifest(owner) for owner in others]
        body = {
            "metadata": {"resourceVersion": meta.resource_version, "ownerReferences": owners}
        }  # fmt: skip
        yield from ask(calls.patch(_CLAIMS, meta.name, where, body))
        kept.append(meta.name)
    return kept


def _is_job(owner: OwnerReference) -> bool:
    return (owner.api_version, owner.kind) == (_JOB.api_version, _JOB.kind)
