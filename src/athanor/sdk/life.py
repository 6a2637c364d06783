"""What is done to a job while it lives: restart, resize, clone, another priority or queue.

Each is one write to the job's spec, guarded by what was read, so everything here can be done by
kubectl too. What makes no sense is refused with the reason, by the server where it can tell.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from athanor.api.core import PriorityClass
from athanor.api.meta import JSON
from athanor.api.scheduling import Queue
from athanor.api.training import TrainingJob
from athanor.sdk.jobs import FINISHED, JOBS, Scope, exists
from athanor.sdk.steps import Op, ask
from athanor.wire import calls
from athanor.wire.status import ApiError

LEADING = ("launcher", "head", "driver", "jobmanager", "chief", "master", "ps", "evaluator")
"""Roles that are not meant when somebody resizes a job without naming one."""

RUNNING = ("Starting", "Running", "Restarting")

SERVER_SIDE = (
    "uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink",
    "ownerReferences", "finalizers", "generateName", "namespace",
)  # fmt: skip


def restart(scope: Scope, name: str, *, namespace: str | None = None) -> Op[TrainingJob]:
    """Start all ranks anew, under the same admission; costs no retry.

    Raises ApiError: NotFound, BadRequest for a job that does not run.
    """
    whole = yield from _whole(scope, name, namespace)
    phase = _phase(whole)
    if phase in ("Pending", "Queued", "Suspended"):
        way = f"athanor resume {name}" if phase == "Suspended" else f"athanor why {name}"
        raise ApiError("BadRequest", f"job {name} is {phase} and has nothing to restart; {way}")
    by_hand = (whole["spec"].get("runPolicy") or {}).get("restarts", 0)
    changed = yield from _change(whole, {"runPolicy": {"restarts": by_hand + 1}})
    return changed


def resize(
    scope: Scope,
    name: str,
    workers: int,
    *,
    most: int | None = None,
    role: str = "",
    namespace: str | None = None,
) -> Op[TrainingJob]:
    """Give a role another number of ranks; an elastic one other bounds (`workers` to `most`).

    The job leaves with a checkpoint, queues for its new size and goes on. Raises ApiError:
    NotFound, BadRequest with the roles there are, or when it has that size or has finished.
    """
    whole = yield from _whole(scope, name, namespace)
    roles: list[JSON] = whole["spec"]["roles"]
    chosen = role or _workers(roles)
    if not any(_name(one) == chosen for one in roles):
        known = ", ".join(_name(one) for one in roles)
        raise ApiError("BadRequest", f"job {name} has no role {chosen!r}; there are: {known}")
    if workers < 1:
        raise ApiError("BadRequest", f"{workers} ranks are too few; athanor suspend {name} has 0")
    elastic = whole["spec"].get("elastic")
    if most is not None and elastic is None:
        said = f"job {name} is not elastic: give one number, or submit it with --elastic"
        raise ApiError("BadRequest", said)
    if elastic is not None and elastic.get("role", "worker") == chosen:
        bounds = {"min": workers, "max": most or workers}
        if {key: elastic[key] for key in bounds} == bounds:
            raise ApiError(
                "BadRequest", f"job {name} has between {workers} and {most} ranks already"
            )
        changed = yield from _change(whole, {"elastic": {**elastic, **bounds}})
        return changed
    if any(_name(one) == chosen and one.get("replicas", 1) == workers for one in roles):
        raise ApiError("BadRequest", f"role {chosen} of job {name} has {workers} ranks already")
    sized = [{**one, "replicas": workers} if _name(one) == chosen else one for one in roles]
    changed = yield from _change(whole, {"roles": sized})
    return changed


def prioritize(
    scope: Scope, name: str, priority: str, *, namespace: str | None = None
) -> Op[TrainingJob]:
    """Give a job another PriorityClass.

    Raises ApiError: NotFound, BadRequest when it has finished or there is no such class.
    """
    whole = yield from _whole(scope, name, namespace)
    _alive(whole)
    yield from exists(PriorityClass, priority, "PriorityClass", "athanor get priorityclasses")
    changed = yield from _change(whole, {"scheduling": {"priorityClassName": priority}})
    return changed


def move(scope: Scope, name: str, queue: str, *, namespace: str | None = None) -> Op[TrainingJob]:
    """Put a waiting or suspended job into another queue.

    Raises ApiError: NotFound, Invalid while it runs, BadRequest when it has finished or there is
    no such queue.
    """
    whole = yield from _whole(scope, name, namespace)
    _alive(whole)
    if _phase(whole) not in RUNNING:  # of one that runs the server says what to do first
        yield from exists(Queue, queue, "queue", "athanor queue list")
    changed = yield from _change(whole, {"scheduling": {"queue": queue}})
    return changed


def clone(
    scope: Scope,
    name: str,
    to: str,
    *,
    changes: JSON | None = None,
    labels: Mapping[str, str] | None = None,
    namespace: str | None = None,
) -> Op[JSON]:
    """The manifest of a job that does the same under another name; it is not created.

    `changes` is merged into its spec. Raises ApiError(NotFound).
    """
    whole = yield from _whole(scope, name, namespace)
    return copy(whole, to, changes or {}, labels or {})


def copy(whole: JSON, to: str, changes: JSON, labels: Mapping[str, str]) -> JSON:
    """`clone` of a manifest, without asking anybody."""
    kept = {key: value for key, value in whole["metadata"].items() if key not in SERVER_SIDE}
    old = kept.get("name", "")
    meta = {**kept, "name": to, "namespace": whole["metadata"].get("namespace", "default")}
    meta["labels"] = {**(kept.get("labels") or {}), **labels}
    if not meta["labels"]:
        del meta["labels"]
    notes = {k: v for k, v in (kept.get("annotations") or {}).items() if "athanor.dev/" not in k}
    meta = {**meta, "annotations": notes} if notes else {**meta, "annotations": {}}
    if not meta["annotations"]:
        del meta["annotations"]
    spec: JSON = {**whole["spec"], "suspend": False}
    policy = {k: v for k, v in (spec.get("runPolicy") or {}).items() if k != "restarts"}
    spec["runPolicy"] = policy
    for place in ("outputs",):
        if str(spec.get(place, "")).endswith(f"/{old}"):
            spec[place] = spec[place].removesuffix(old) + to
    checkpoints = spec.get("checkpoints") or {}
    if str(checkpoints.get("directory", "")).endswith(f"/{old}"):
        own = checkpoints["directory"].removesuffix(old) + to
        spec["checkpoints"] = {**checkpoints, "directory": own}
    spec = {
        key: value
        for key, value in _merged(spec, changes).items()
        if value not in (False, {}) or key == "tensorboard"
    }
    return {
        "apiVersion": whole["apiVersion"], "kind": whole["kind"], "metadata": meta, "spec": spec
    }  # fmt: skip


def _merged(target: JSON, patch: JSON) -> JSON:
    result = dict(target)
    for key, value in patch.items():
        inner = result.get(key)
        both = isinstance(value, dict) and isinstance(inner, dict)
        result[key] = _merged(inner, value) if both and isinstance(inner, dict) else value
    return result


def _whole(scope: Scope, name: str, namespace: str | None) -> Op[JSON]:
    path = JOBS.path(namespace or scope.namespace, name)
    found = yield from ask(calls.raw("GET", path))
    return found


def _change(whole: JSON, spec: JSON) -> Op[TrainingJob]:
    meta = whole["metadata"]
    body: JSON = {"metadata": {"resourceVersion": meta["resourceVersion"]}, "spec": spec}
    changed = yield from ask(calls.patch(JOBS, meta["name"], meta["namespace"], body))
    return msgspec.convert(changed, TrainingJob)


def _alive(whole: JSON) -> None:
    if _phase(whole) in FINISHED:
        name = whole["metadata"]["name"]
        said = f"job {name} has {_phase(whole).lower()}; athanor clone {name} runs it again"
        raise ApiError("BadRequest", said)


def _phase(whole: JSON) -> str:
    return str((whole.get("status") or {}).get("phase", "Pending"))


def _name(role: JSON) -> str:
    return str(role.get("name", "worker"))


def _workers(roles: list[JSON]) -> str:
    names = [_name(one) for one in roles]
    return next((name for name in names if name not in LEADING), names[0])
