"""Subresources that change objects in their own way: binding, eviction, token, scale; reviews."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec

from athanor.api.meta import JSON
from athanor.local.apiserver import body, errors, remove, write
from athanor.local.apiserver.auth import restriction
from athanor.local.apiserver.auth.auth import Auth
from athanor.local.apiserver.auth.reviews import Asker, review
from athanor.local.apiserver.core import Call, Core, Outcome
from athanor.local.apiserver.remove import Options
from athanor.local.apiserver.schema.schema import Schema
from athanor.wire.patch.json_patch import json_patch
from athanor.wire.patch.merge import merge_patch
from athanor.wire.status import ApiError, Cause
from athanor.wire.types.catalog import schema_of


def _read(call: Call, kind: str) -> JSON:
    raw = call.request.body
    value = body.parse(raw, call.request.headers.get("content-type", ""), kind)
    obj = body.as_object(value, raw, kind)
    if wrong := _schema(kind).mistyped(obj):
        said = "; ".join(f"{cause.field}: {cause.message}" for cause in wrong)
        raise errors.bad(f'{kind} in version "v1" cannot be handled as a {kind}: {said}')
    return obj


_GROUPS = {"Eviction": "policy", "Scale": "autoscaling", "TokenRequest": "authentication.k8s.io"}


@cache
def _schema(kind: str) -> Schema:
    return Schema(schema_of(_GROUPS.get(kind, ""), "v1", kind) or {})


def _done(code: int = 201) -> Outcome:
    said = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": code}
    return Outcome(msgspec.json.encode(said), code)


async def bind(core: Core, call: Call) -> Outcome:
    """POST pods/x/binding: gives a pod its node, once."""
    binding = _read(call, "Binding")
    name, target = (binding.get("metadata") or {}).get("name"), binding.get("target") or {}
    if name != call.target.name:
        raise errors.bad("name in URL does not match name in Binding object", "metadata.name")
    causes = []
    if target.get("kind") not in (None, "", "Node"):
        causes.append(errors.unsupported("target.kind", target["kind"], ["Node", "<empty>"]))
    if not target.get("name"):
        causes.append(errors.required("target.name"))
    if causes:
        raise errors.invalid("Binding", "", name, causes)

    asked = (binding.get("metadata") or {}).get("uid")

    def bound(pod: JSON) -> JSON:
        if asked and asked != (uid := pod["metadata"]["uid"]):
            where = f"/registry/pods/{call.target.namespace}/{name}"
            raise errors.conflict(
                call.resource, name,
                f"StorageError: invalid object, Code: 4, Key: {where}, ResourceVersion: 0, "
                "AdditionalErrorMsg: "
                f"Precondition failed: UID in precondition: {asked}, UID in object meta: {uid}",
            )  # fmt: skip
        if why := _unbindable(pod):
            raise ApiError(
                "Conflict",
                f'Operation cannot be fulfilled on pods/binding "{name}": pod {name} {why}',
                kind="pods/binding", name=name,
            )  # fmt: skip
        spec = {**pod["spec"], "nodeName": target["name"]}
        meta = dict(pod["metadata"])
        for group in ("annotations", "labels"):
            if found := (binding.get("metadata") or {}).get(group):
                meta[group] = {**(meta.get(group) or {}), **found}
        return _with_condition({**pod, "metadata": meta, "spec": spec}, "PodScheduled", core.now())

    call.clean = True
    await write.change(core, call, bound)
    return _done()


async def bind_named(core: Core, call: Call) -> Outcome:
    """POST bindings: the same, of the pod that the Binding names."""
    name = (_read(call, "Binding").get("metadata") or {}).get("name") or ""
    pods = core.catalog.find("", "v1", "pods")
    if pods is None or not name:
        raise errors.bad("name is required", "metadata.name")
    target = msgspec.structs.replace(call.target, resource="pods", name=name, subresource="binding")
    return await bind(core, msgspec.structs.replace(call, target=target, served=pods))


def _unbindable(pod: JSON) -> str:
    """Why a pod can have no node now; "" if it can."""
    if pod["metadata"].get("deletionTimestamp"):
        return "is being deleted, cannot be assigned to a host"
    if was := pod["spec"].get("nodeName"):
        return f'is already assigned to node "{was}"'
    return "has non-empty .spec.schedulingGates" if pod["spec"].get("schedulingGates") else ""


def _with_condition(pod: JSON, kind: str, now: str, **said: str) -> JSON:
    """The pod with a condition that holds."""
    status = pod.get("status") or {}
    found = [c for c in status.get("conditions") or [] if c.get("type") != kind]
    condition = {
        "type": kind, "status": "True", "lastProbeTime": None, "lastTransitionTime": now, **said,
    }  # fmt: skip
    return {**pod, "status": {**status, "conditions": [*found, condition]}}


async def evict(core: Core, call: Call) -> Outcome:
    """POST pods/x/eviction: a deletion with the options inside. There are no disruption budgets."""
    eviction = _read(call, "Eviction")
    if (eviction.get("metadata") or {}).get("name") != call.target.name:
        raise errors.bad("name in URL does not match name in Eviction object", "metadata.name")
    asked = eviction.get("deleteOptions") or {}
    guard = asked.get("preconditions") or {}
    options = Options(
        asked.get("gracePeriodSeconds"), asked.get("propagationPolicy") or "",
        guard.get("uid") or "", guard.get("resourceVersion") or "",
    )  # fmt: skip
    call.dry_run = call.dry_run or asked.get("dryRun") == ["All"]
    if not call.dry_run:
        await _mark(core, call, options)
        options = msgspec.structs.replace(options, revision="")  # what it was before the mark
    await remove.delete_object(core, call, call.target.name, options)
    return _done()


async def _mark(core: Core, call: Call, options: Options) -> None:
    """Say in the pod's status that it is evicted, for whoever asks why it went."""
    call.clean = True
    said = {"reason": "EvictionByEvictionAPI", "message": "Eviction API: evicting"}

    def marked(pod: JSON) -> JSON:
        remove.preconditions(call, pod, options)
        return _with_condition(pod, "DisruptionTarget", core.now(), **said)

    await write.change(core, call, marked)


async def token(core: Core, call: Call, auth: Auth) -> Outcome:
    """POST serviceaccounts/x/token."""
    asked, target = _read(call, "TokenRequest"), call.target
    restriction.check_token(auth.nodes, call.user, target.namespace, target.name, asked)
    _, answer = auth.tokens.request(
        call.target.namespace, call.target.name, asked, now=core.clock.now(), jti=core.ids.uid()
    )
    return Outcome(msgspec.json.encode(answer), 201)


async def reviewed(core: Core, call: Call, auth: Auth) -> Outcome:
    """POST of a review: answered, not stored."""
    obj = write.read_object(call)
    asker = Asker(
        user=call.user, namespace=call.target.namespace, now=core.now(),
        seconds=core.clock.now(),
    )  # fmt: skip
    return Outcome(msgspec.json.encode(review(auth, asker, call.resource.kind, obj)), 201)


# --- scale ------------------------------------------------------------------------------------


def _steps(path: str) -> list[str]:
    return [step for step in path.split(".") if step]


def _at(obj: JSON, path: str) -> Any:
    value: Any = obj
    for step in _steps(path):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _with(obj: JSON, steps: list[str], value: Any) -> JSON:
    head, *rest = steps
    inner = obj.get(head)
    changed = _with(inner if isinstance(inner, dict) else {}, rest, value) if rest else value
    return {**obj, head: changed}


def scale_of(call: Call, obj: JSON) -> JSON:
    """The autoscaling/v1 Scale of an object."""
    paths, meta = call.served.scale or {}, obj["metadata"]
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    status: JSON = {"replicas": _at(obj, paths.get("statusReplicasPath", "")) or 0}
    where = paths.get("labelSelectorPath")
    if where and (selector := _at(obj, where)):
        status["selector"] = selector
    replicas = _at(obj, paths["specReplicasPath"])
    if replicas is None:
        why = f'the spec replicas field "{paths["specReplicasPath"]}" does not exist'
        cause = Cause(reason="", message=why)
        raise ApiError("InternalError", f"Internal error occurred: {why}", causes=[cause])
    return {
        "kind": "Scale", "apiVersion": "autoscaling/v1",
        "metadata": {k: meta[k] for k in kept if k in meta},
        "spec": {"replicas": replicas} if replicas else {}, "status": status,
    }  # fmt: skip


async def scale(core: Core, call: Call) -> Outcome:
    """GET, PUT and PATCH of x/scale of a custom resource."""
    resource, name = call.resource, call.target.name
    paths = call.served.scale or {}
    verb = call.target.verb
    if verb == "get":
        obj = core.latest(*call.key())
        if obj is None:
            raise errors.not_found(resource, name)
        return Outcome(msgspec.json.encode(scale_of(call, obj)))
    media = body.media_type(call.request.headers.get("content-type"))
    wanted = body.parse(call.request.body, media, "Scale")

    def scaled(obj: JSON) -> JSON:
        before = scale_of(call, obj)
        if verb == "update":
            after = body.as_object(wanted, call.request.body, "Scale")
        elif media == "application/json-patch+json":
            after = json_patch(before, wanted)
        else:
            after = merge_patch(before, wanted)
        replicas = (after.get("spec") or {}).get("replicas", 0)
        if not isinstance(replicas, int):
            why = f"cannot be handled as a Scale: spec.replicas: {errors.shown(replicas)}"
            cause = Cause(reason="FieldValueInvalid", message=why, field="patch")
            raise ApiError("Invalid", f'Scale "{name}" is invalid: patch: {why}', causes=[cause])
        if replicas < 0:
            path = paths["specReplicasPath"]
            cause = errors.wrong(path, replicas, "should be a non-negative integer")
            raise errors.invalid_object(resource, name, [cause])
        version = (after.get("metadata") or {}).get("resourceVersion")
        if version and version != obj["metadata"]["resourceVersion"]:
            raise errors.conflict(resource, name)
        return _with(obj, _steps(paths["specReplicasPath"]), replicas)

    outcome = await write.change(core, call, scaled)
    return Outcome(msgspec.json.encode(scale_of(call, msgspec.json.decode(outcome.body))))
