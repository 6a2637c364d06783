"""Deletion: preconditions, grace, finalizers, propagation; and deletecollection."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from msgspec import Struct

from athanor.api.meta import JSON
from athanor.kit.times import rfc3339
from athanor.local.apiserver import body, errors
from athanor.local.apiserver.admission import chain
from athanor.local.apiserver.catalog import Served
from athanor.local.apiserver.core import Call, Core, Outcome, decode, encoder
from athanor.local.apiserver.metadata import FOREGROUND, ORPHAN, tidy
from athanor.local.apiserver.read import Page, encode_list, without_kind
from athanor.local.store.model import Conflict, Row
from athanor.wire.status import ApiError

TRIES = 5
AT_ONCE = 64
"""Objects of a collection deleted at the same time: one group commit for many."""
DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io"
CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
"""A definition goes after its objects: `crds` empties it and takes this finalizer away."""


class Options(Struct, frozen=True):
    """How a deletion is asked for."""

    grace: int | None = None
    propagation: str = ""
    uid: str = ""
    revision: str = ""


def read_options(call: Call) -> Options:
    """DeleteOptions from the body and the query. Raises Invalid or BadRequest."""
    raw, found = call.request.body, dict[str, Any]()
    if raw:
        value = body.parse(raw, call.request.headers.get("content-type", ""), "DeleteOptions")
        found = body.as_object(value, raw, "DeleteOptions")
        if (kind := found.get("kind") or "DeleteOptions") != "DeleteOptions":
            version = found.get("apiVersion") or "v1"
            raise errors.bad(
                f'no kind "{kind}" is registered for version "{version}" as the options of a '
                "deletion: send DeleteOptions"
            )
    param = call.request.param
    grace = found.get("gracePeriodSeconds")
    if grace is None and (text := param("gracePeriodSeconds")):
        if not text.lstrip("-").isdigit():
            raise errors.bad(f'strconv.ParseInt: parsing "{text}": invalid syntax')
        grace = int(text)
    propagation = found.get("propagationPolicy") or param("propagationPolicy") or ""
    orphan = found.get("orphanDependents", {"true": True, "false": False}.get(
        param("orphanDependents") or ""))  # fmt: skip
    if orphan is not None and propagation:
        said = "orphanDependents and deletionPropagation cannot be both set"
        cause = errors.wrong("propagationPolicy", propagation, said)
        raise errors.options("DeleteOptions", [cause])
    if orphan is not None:
        propagation = "Orphan" if orphan else "Background"
    words = ("Foreground", "Background", "Orphan")
    if propagation and propagation not in words:
        cause = errors.unsupported("propagationPolicy", propagation, [*words, "nil"])
        raise errors.options("DeleteOptions", [cause])
    dry = found.get("dryRun") or []
    if any(word != "All" for word in dry):
        raise errors.options("DeleteOptions", [errors.unsupported("dryRun", dry, ["All"])])
    call.dry_run = call.dry_run or bool(dry)
    guard = found.get("preconditions") or {}
    if not isinstance(guard, dict) or not all(isinstance(v, str) for v in guard.values()):
        raise errors.bad("DeleteOptions: preconditions must be an object of strings")
    if grace is not None and type(grace) is not int:
        raise errors.bad("DeleteOptions: gracePeriodSeconds must be a whole number of seconds")
    return Options(grace, propagation, guard.get("uid") or "", guard.get("resourceVersion") or "")


async def delete(core: Core, call: Call) -> Outcome:
    """DELETE of one object."""
    return await delete_object(core, call, call.target.name, read_options(call))


async def delete_object(core: Core, call: Call, name: str, options: Options) -> Outcome:
    """Delete, or mark as being deleted. Raises NotFound, Conflict, Forbidden."""
    key = call.key(name)
    for _ in range(TRIES):
        row = core.store.latest(key)
        if row is None:
            raise errors.not_found(call.resource, name)
        try:
            return await _delete_once(core, call, row, options)
        except Conflict:
            continue  # written between our look and our write: look again
    raise errors.conflict(call.resource, name)


async def _delete_once(core: Core, call: Call, row: Row, options: Options) -> Outcome:
    old = decode(row.body)
    preconditions(call, old, options)
    chain.admit_delete(core, call, old)
    new = _marked(core, call, old, options)
    if not _still_needed(call.served, new):
        if call.dry_run:
            return _gone(call, row.body)
        last = new if call.served.strategy.graceful else old
        final = await _remove(core, call.served, row, old, last)
        return _gone(call, final)
    if new["metadata"] == old["metadata"] and new.get("status") == old.get("status"):
        return Outcome(row.body)
    if call.dry_run:
        return Outcome(msgspec.json.encode(new))
    written = await core.store.put(row.key, encoder(new), expect=row.revision)
    core.told(call.served, old, new)
    return Outcome(written.body)


def preconditions(call: Call, old: JSON, options: Options) -> None:
    """Nothing when an object is the one that is to go. Raises Conflict."""
    meta, name = old["metadata"], old["metadata"]["name"]
    if options.uid and options.uid != meta["uid"]:
        raise errors.precondition(
            call.resource, name,
            f"the UID in the precondition ({options.uid}) does not match the UID in record "
            f"({meta['uid']}). The object might have been deleted and then recreated",
        )  # fmt: skip
    if options.revision and options.revision != meta["resourceVersion"]:
        raise errors.precondition(
            call.resource, name,
            f"the ResourceVersion in the precondition ({options.revision}) does not match the "
            f"ResourceVersion in record ({meta['resourceVersion']}). The object might have been "
            "modified",
        )  # fmt: skip


def _marked(core: Core, call: Call, old: JSON, options: Options) -> JSON:
    """The object as the deletion leaves it, if it stays at all."""
    meta, strategy = dict(old["metadata"]), call.served.strategy
    new = {**old, "metadata": meta}
    finalizers = [f for f in meta.get("finalizers") or [] if f not in (FOREGROUND, ORPHAN)]
    if options.propagation == "Foreground":
        finalizers.append(FOREGROUND)
    elif options.propagation == "Orphan":
        finalizers.append(ORPHAN)
    elif not options.propagation:
        finalizers = list(meta.get("finalizers") or [])
    meta["finalizers"] = finalizers
    grace = _grace(old, options.grace) if strategy.graceful else 0
    was = meta.get("deletionGracePeriodSeconds")
    if not meta.get("deletionTimestamp"):
        meta["deletionTimestamp"] = rfc3339(core.clock.now() + grace)
        if call.resource.name == DEFINITIONS:
            finalizers.append(CLEANUP)
            new["status"] = _terminating(old.get("status") or {}, rfc3339(core.clock.now()))
        elif call.resource.name != "namespaces":
            meta["deletionGracePeriodSeconds"] = grace
            if meta.get("generation"):
                meta["generation"] += 1
    elif was is not None and grace < was:
        meta["deletionTimestamp"] = rfc3339(core.clock.now() + grace)
        meta["deletionGracePeriodSeconds"] = grace
    if call.resource.name == "namespaces":
        new["status"] = {**(old.get("status") or {}), "phase": "Terminating"}
    tidy(meta)
    return new


def _terminating(status: JSON, now: str) -> JSON:
    """The status of a definition whose objects are about to go."""
    said = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon"
    condition = {
        "type": "Terminating", "status": "True", "lastTransitionTime": now,
        "reason": "InstanceDeletionPending", "message": said,
    }  # fmt: skip
    return {**status, "conditions": [*(status.get("conditions") or ()), condition]}


def _grace(pod: JSON, asked: int | None) -> int:
    """Seconds a pod gets; 0 at once when nothing of it can be running."""
    spec, phase = pod.get("spec") or {}, (pod.get("status") or {}).get("phase")
    grace = asked if asked is not None else spec.get("terminationGracePeriodSeconds", 30)
    if not spec.get("nodeName") or phase in ("Succeeded", "Failed"):
        return 0
    return 1 if grace < 0 else int(grace)


def _still_needed(served: Served, obj: JSON) -> bool:
    """Whether an object that is being deleted must stay for somebody's sake."""
    meta = obj["metadata"]
    if meta.get("finalizers") or meta.get("deletionGracePeriodSeconds"):
        return True
    return served.resource.name == "namespaces" and bool(obj["spec"].get("finalizers"))


async def finish_if_done(
    core: Core, served: Served, row: Row, old: JSON, new: JSON
) -> bytes | None:
    """Remove an object whose last finalizer this update takes away; its final JSON, or None."""
    if not new["metadata"].get("deletionTimestamp") or _still_needed(served, new):
        return None
    answer = msgspec.json.encode(new)
    await _remove(core, served, row, old, old)
    return answer


async def _remove(core: Core, served: Served, row: Row, old: JSON, new: JSON) -> bytes:
    written = await core.store.remove(row.key, encoder(new), expect=row.revision)
    core.told(served, old, None)
    return written.body


def _gone(call: Call, final: bytes) -> Outcome:
    """What a finished deletion answers: the object for pods and such, a Status for the rest."""
    if call.served.strategy.answers_object:
        return Outcome(final)
    obj = decode(final)
    details = {"name": obj["metadata"]["name"], "kind": call.resource.plural}
    if call.resource.group:
        details["group"] = call.resource.group
    details["uid"] = obj["metadata"]["uid"]
    said = {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
        "details": details,
    }  # fmt: skip
    return Outcome(msgspec.json.encode(said))


async def delete_collection(core: Core, call: Call, page: Page) -> Outcome:
    """DELETE of everything on a page; answers the list of what was."""
    options = read_options(call)
    chosen = page.rows
    for start in range(0, len(chosen), AT_ONCE):
        batch = chosen[start : start + AT_ONCE]
        await asyncio.gather(*(_delete_one(core, call, row, options) for row in batch))
    resource = call.resource
    items = [row.body for row in chosen]
    if not call.served.custom:
        items = without_kind(items)
    return Outcome(encode_list(f"{resource.kind}List", resource.api_version, page, items))


async def _delete_one(core: Core, call: Call, row: Row, options: Options) -> None:
    """One object of a collection; that it is gone by now is no error."""
    target = msgspec.structs.replace(call.target, namespace=row.key.namespace, name=row.key.name)
    try:
        await delete_object(
            core, msgspec.structs.replace(call, target=target), row.key.name, options
        )
    except ApiError as failed:
        if failed.reason != "NotFound":
            raise
