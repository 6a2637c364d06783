"""What is done to a job while it lives: restart, resize, clone, another priority or queue.

Each is one write to the job's spec, guarded by what was read and decided anew when that changed
meanwhile, so everything here can be done by kubectl too. What makes no sense is refused with the
reason, by the server where it can tell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from athanor.api.meta import JSON
from athanor.api.training import TrainingJob
from athanor.sdk.jobs import JOBS, Scope, alive, priority_class, takes_in
from athanor.sdk.steps import Op, ask
from athanor.wire import calls
from athanor.wire.status import ApiError

LEADING = ("launcher", "head", "driver", "jobmanager", "chief", "master", "ps", "evaluator")
"""Roles that are not meant when somebody resizes a job without naming one."""

RUNNING = ("Starting", "Running", "Restarting")

LOOKS = 10
"""How often a job is read again that changes while something is done to it: each step that its
ranks report is a write.
"""

SERVER_SIDE = (
    "uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink",
    "ownerReferences", "finalizers", "generateName", "namespace",
)  # fmt: skip


def restart(scope: Scope, name: str, *, namespace: str | None = None) -> Op[TrainingJob]:
    """Start all ranks anew, under the same admission; costs no retry.

    Raises ApiError: NotFound, BadRequest for a job that does not run or has finished.
    """

    def again(whole: JSON) -> JSON:
        _alive(whole)
        phase = _phase(whole)
        if phase in ("Pending", "Queued", "Suspended"):
            way = f"athanor resume {name}" if phase == "Suspended" else f"athanor why {name}"
            raise ApiError("BadRequest", f"job {name} is {phase} and has nothing to restart; {way}")
        by_hand = (whole["spec"].get("runPolicy") or {}).get("restarts", 0)
        return {"runPolicy": {"restarts": by_hand + 1}}

    changed = yield from _change(scope, name, namespace, again)
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
    if workers < 1:
        raise ApiError("BadRequest", f"{workers} ranks are too few; athanor suspend {name} has 0")
    changed = yield from _change(
        scope, name, namespace, lambda whole: _sized(whole, workers, most, role)
    )
    return changed


def _sized(whole: JSON, workers: int, most: int | None, role: str) -> JSON:
    """What `resize` changes in a job's spec. Raises ApiError(BadRequest)."""
    name, roles = whole["metadata"]["name"], whole["spec"]["roles"]
    chosen = role or _workers(roles)
    if not any(_name(one) == chosen for one in roles):
        known = ", ".join(_name(one) for one in roles)
        raise ApiError("BadRequest", f"job {name} has no role {chosen!r}; there are: {known}")
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
        return {"elastic": {**elastic, **bounds}}
    if any(_name(one) == chosen and one.get("replicas", 1) == workers for one in roles):
        raise ApiError("BadRequest", f"role {chosen} of job {name} has {workers} ranks already")
    sized = [{**one, "replicas": workers} if _name(one) == chosen else one for one in roles]
    return {"roles": sized}


def prioritize(
    scope: Scope, name: str, priority: str, *, namespace: str | None = None
) -> Op[TrainingJob]:
    """Give a job another PriorityClass.

    Raises ApiError: NotFound, BadRequest when it has finished or there is no such class.
    """
    _alive((yield from _whole(scope, name, namespace)))
    full = yield from priority_class(priority)
    wanted: JSON = {"scheduling": {"priorityClassName": full}}
    changed = yield from _change(scope, name, namespace, lambda _: wanted)
    return changed


def move(scope: Scope, name: str, queue: str, *, namespace: str | None = None) -> Op[TrainingJob]:
    """Put a waiting or suspended job into another queue.

    Raises ApiError: NotFound, Invalid while it runs, BadRequest when it has finished or there is
    no such queue.
    """
    whole = yield from _whole(scope, name, namespace)
    _alive(whole)
    if _phase(whole) not in RUNNING:  # of one that runs the server says what to do first
        yield from takes_in(queue)
    wanted: JSON = {"scheduling": {"queue": queue}}
    changed = yield from _change(scope, name, namespace, lambda _: wanted)
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

    `changes` is merged into its spec. Raises ApiError: NotFound, BadRequest for a PriorityClass
    that is not there.
    """
    whole = yield from _whole(scope, name, namespace)
    made = copy(whole, to, changes or {}, labels or {})
    scheduling = (changes or {}).get("scheduling") or {}
    if named := scheduling.get("priorityClassName"):
        made["spec"]["scheduling"]["priorityClassName"] = yield from priority_class(named)
    return made


def copy(whole: JSON, to: str, changes: JSON, labels: Mapping[str, str]) -> JSON:
    """`clone` of a manifest, without asking anybody."""
    kept = {key: value for key, value in whole["metadata"].items() if key not in SERVER_SIDE}
    old = kept.get("name", "")
    meta = {**kept, "name": to, "namespace": whole["metadata"].get("namespace", "default")}
    meta["labels"] = {**(kept.get("labels") or {}), **labels}
    notes = {k: v for k, v in (kept.get("annotations") or {}).items() if "athanor.dev/" not in k}
    meta["annotations"] = notes
    meta = {key: value for key, value in meta.items() if value}
    spec: JSON = {**whole["spec"], "suspend": False}
    policy = {k: v for k, v in (spec.get("runPolicy") or {}).items() if k != "restarts"}
    spec["runPolicy"] = policy
    if str(spec.get("outputs", "")).endswith(f"/{old}"):
        spec["outputs"] = spec["outputs"].removesuffix(old) + to
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


def _change(
    scope: Scope, name: str, namespace: str | None, wanted: Callable[[JSON], JSON]
) -> Op[TrainingJob]:
    """Merge `wanted(the job)` into its spec, on a job that is as `wanted` saw it."""
    for look in range(LOOKS):
        whole = yield from _whole(scope, name, namespace)
        meta = whole["metadata"]
        guard = {"resourceVersion": meta["resourceVersion"]}
        body: JSON = {"metadata": guard, "spec": wanted(whole)}
        try:
            changed = yield from ask(calls.patch(JOBS, name, meta["namespace"], body))
        except ApiError as error:
            if error.reason != "Conflict" or look == LOOKS - 1:
                raise
        else:
            return msgspec.convert(changed, TrainingJob)
    raise AssertionError("the last look returns or raises")


def _alive(whole: JSON) -> None:
    alive(whole["metadata"]["name"], _phase(whole))


def _phase(whole: JSON) -> str:
    return str((whole.get("status") or {}).get("phase", "Pending"))


def _name(role: JSON) -> str:
    return str(role.get("name", "worker"))


def _workers(roles: list[JSON]) -> str:
    names = [_name(one) for one in roles]
    return next((name for name in names if name not in LEADING), names[0])
