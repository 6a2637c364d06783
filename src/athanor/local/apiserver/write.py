"""Create, update and patch: decode once, default, admit, check, encode once, make durable.

Nothing is awaited between reading an object's latest state and handing the new one to the store,
so what was checked is what is written; the store's own precondition says so once more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from athanor.api.meta import JSON
from athanor.local.apiserver import body, errors, metadata
from athanor.local.apiserver.admission import chain
from athanor.local.apiserver.catalog import Served
from athanor.local.apiserver.core import Call, Core, Outcome, as_served, decode, encoder
from athanor.local.apiserver.kinds.base import Strategy
from athanor.local.apiserver.remove import finish_if_done
from athanor.local.apiserver.schema.prune import OBJECT_META
from athanor.local.apiserver.schema.quick import compile_quick
from athanor.local.store.model import Conflict, Row, Write
from athanor.wire.patch import managed
from athanor.wire.status import ApiError, Cause

GENERATE_TRIES = 8
CONFLICT_TRIES = 5

Change = Callable[[JSON], JSON]
"""Makes the wanted object from the stored one, which it may consume."""


def read_object(call: Call, *, prune: bool = True) -> JSON:
    """The object in the request's body. Raises ApiError; unknown fields become warnings.

    Unless `prune`: then they stay, for an apply to refuse them.
    """
    raw, resource = call.request.body, call.resource
    try:
        value = body.parse(raw, call.request.headers.get("content-type", ""), resource.kind)
        obj = body.as_object(value, raw, resource.kind)
    except ApiError as unreadable:
        if prune or unreadable.reason != "BadRequest":
            raise
        why = unreadable.message.rpartition("; ")[2]
        raise errors.bad(f"error decoding YAML: {why}") from None
    if not prune and not (obj.get("kind") and obj.get("apiVersion")):
        group, _, version = str(obj.get("apiVersion") or "").rpartition("/")
        raise errors.bad(f"invalid object type: {group}/{version}, Kind={obj.get('kind') or ''}")
    check_type(call, obj)
    problems = list(body.duplicates(raw, obj)) if call.validation != "Ignore" else []
    said = [f'duplicate field "{p}"' for p in problems]
    if prune:
        strict(call, obj, said)
    else:
        _report(call, said)
    return obj


def check_type(call: Call, obj: JSON) -> None:
    """The object must be of the kind the URL names. Fills in what is left out."""
    resource = call.resource
    kind, version = obj.get("kind") or resource.kind, obj.get("apiVersion") or resource.api_version
    for field, value in (("kind", kind), ("apiVersion", version)):
        if not isinstance(value, str):
            raise cannot_handle(call, f"{field} must be a string, not {errors.shown(value)}")
    if call.served.custom:
        _check_custom_type(call, obj)
    if kind != resource.kind or version != resource.api_version:
        if not isinstance(kind, str) or not isinstance(version, str):
            raise cannot_handle(call, "kind and apiVersion must be strings")
        if call.applies:
            group, _, bare = version.rpartition("/")
            raise errors.bad(f"invalid object type: {group}/{bare}, Kind={kind}")
        raise errors.bad(
            f'{kind} in version "{version.rpartition("/")[2]}" cannot be handled as a '
            f'{resource.kind}: no kind "{kind}" is registered for version "{version}" at '
            f"{resource.prefix}/{resource.plural}"
        )
    obj["kind"], obj["apiVersion"] = kind, version
    meta = obj.get("metadata")
    if meta is not None and not isinstance(meta, dict):
        raise cannot_handle(call, "metadata is no object")


def _check_custom_type(call: Call, obj: JSON) -> None:
    """A custom object must say what it is; each mistake has its own words there."""
    resource, kind, version = call.resource, obj.get("kind"), obj.get("apiVersion")
    if not kind:
        raw = call.request.body.decode(errors="replace")
        raise errors.bad(
            f"the object provided is unrecognized (must be of type {resource.kind}): Object 'Kind' "
            f"is missing in '{raw}' ({raw})",
            "kind",
        )
    if version and version != resource.api_version:
        raise errors.bad(
            f"the API version in the data ({version}) does not match the expected API version "
            f"({resource.api_version})",
            "apiVersion",
        )
    if kind != resource.kind:
        name = (
            metadata.meta_of(obj).get("name", "") if isinstance(obj.get("metadata"), dict) else ""
        )
        cause = errors.wrong("kind", kind, f"must be {resource.kind}")
        raise errors.invalid(str(kind), resource.group, name, [cause])


def cannot_handle(call: Call, why: str) -> ApiError:
    """The object cannot be read as its kind."""
    resource = call.resource
    return errors.bad(
        f'{resource.kind} in version "{resource.version}" cannot be handled as a '
        f"{resource.kind}: {why}"
    )


def strict(call: Call, obj: JSON, problems: Sequence[str] = ()) -> None:
    """Unknown fields: refused, warned about, or silently pruned, as the request asks."""
    schema, found = call.served.schema, list(problems)
    call.clean = schema is not None and schema.certain(obj) and _head_is_certain(call, obj)
    if schema is not None and not call.clean:
        decodable(call, obj)
        found += [f'unknown field "{path}"' for path in schema.prune(obj)]
    _report(call, found)


def decodable(call: Call, obj: JSON) -> None:
    """Nothing when every field can be read as what it is. Raises BadRequest."""
    schema = call.served.schema
    if schema is not None and (wrong := schema.mistyped(obj)):
        said = "; ".join(f"{cause.field}: {cause.message}" for cause in wrong)
        raise cannot_handle(call, said)


def _report(call: Call, found: Sequence[str]) -> None:
    if not found or call.validation == "Ignore":
        return
    if call.validation == "Strict":
        raise cannot_handle(call, f"strict decoding error: {', '.join(found)}")
    call.warnings.extend(found)


_head = compile_quick({"type": "object", "properties": {"metadata": OBJECT_META}})


def _head_is_certain(call: Call, obj: JSON) -> bool:
    """Schemas of custom kinds say nothing about metadata."""
    return not call.served.custom or _head({"metadata": obj.get("metadata") or {}})


_MANAGED = "managedFields"


def source_of(call: Call) -> JSON:
    """The kind's schema as JSON."""
    schema = call.served.schema
    return {"type": "object"} if schema is None else schema.source


def scope_of(call: Call) -> managed.Scope:
    """Which fields a write of this request can change."""
    served = call.served
    return managed.Scope(
        api_version=call.resource.api_version, subresource=call.target.subresource,
        has_status=served.has_status, custom=served.custom,
    )  # fmt: skip


def _namespace(call: Call, obj: JSON) -> None:
    meta = metadata.meta_of(obj)
    if not call.resource.namespaced:
        meta.pop("namespace", None)
        return
    asked = meta.get("namespace") or call.target.namespace
    if asked != call.target.namespace:
        raise errors.bad(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    meta["namespace"] = asked


# --- create -----------------------------------------------------------------------------------


async def create(core: Core, call: Call) -> Outcome:
    """POST to a collection."""
    return await create_object(core, call, read_object(call))


async def create_object(core: Core, call: Call, obj: JSON) -> Outcome:
    """Make a new object of a decoded manifest. Raises ApiError."""
    meta = metadata.meta_of(obj)
    _namespace(call, obj)
    if meta.get("resourceVersion"):
        raise errors.bad("resourceVersion should not be set on objects to be created")
    generate = not meta.get("name") and meta.get("generateName")
    obj = prepare(core, call, obj)
    meta = obj["metadata"]
    for attempt in range(1, GENERATE_TRIES + 1):
        if generate:
            meta["name"] = generate[: metadata.GENERATED_LIMIT] + core.ids.suffix()
            metadata.tidy(meta)
        if attempt == 1:
            _check_new(call, obj)
        try:
            return await _put_new(core, call, obj)
        except Conflict as taken:
            if taken.expect != 0:
                continue  # a quota moved under us: look again
            if not generate or attempt == GENERATE_TRIES:
                raise errors.already_exists(call.resource, meta["name"]) from None
    raise errors.conflict(call.resource, meta["name"])


def prepare(core: Core, call: Call, obj: JSON) -> JSON:
    """A new object with all that the server adds, before it has a name."""
    served, strategy = call.served, call.served.strategy
    if served.has_status and not strategy.keeps_status:
        obj.pop("status", None)
    metadata.initialise(
        obj, core.ids.uid(), core.now(), generation=strategy.generation, managed=call.applies
    )
    if served.schema is not None and not call.clean:
        obj = served.schema.default(obj)
    elif served.schema is not None and served.custom:
        obj = served.schema.fill(obj)
    strategy.default(obj)
    if call.request.param("fieldManager") and not call.applies:
        # only who names itself is remembered: kubectl moves from its own apply to the server's
        obj = managed.after_update(
            None, obj, call.manager, scope_of(call), source_of(call), now=core.now(), track=True
        )
    strategy.create(obj)
    chain.mutate(core, call, obj)
    return metadata.ordered(obj)


def _check_new(call: Call, obj: JSON) -> None:
    served, strategy = call.served, call.served.strategy
    causes: list[Cause] = metadata.check(
        obj, namespaced=call.resource.namespaced, name_rule=strategy.name
    )
    own = (strategy.check_new or strategy.check)(obj)
    if served.schema is not None and not call.clean:
        causes += _fitting(served, served.schema.validate(obj), own)
    elif served.schema is not None and served.custom:
        causes += served.schema.broken_rules(obj)
    causes += own
    if causes:
        raise errors.invalid_object(call.resource, obj["metadata"].get("name", ""), causes)
    call.warnings.extend(strategy.warnings(obj))


def _fitting(served: Served, found: Sequence[Cause], own: Sequence[Cause]) -> list[Cause]:
    """What a built-in kind's schema finds and the kind's own checks do not say better."""
    if served.custom:
        return list(found)
    said = {cause.field for cause in own}
    heads = {cause.message.partition(" supported")[0] for cause in own}
    return [
        msgspec.structs.replace(c, message=c.message.replace('supported values: "", ', _VALUES))
        for c in found
        if c.reason != "FieldValueDuplicate"
        and not c.field.startswith("metadata.")
        and not c.message.endswith(_NULL)  # a null that is left is a default of the kind's own
        and c.field not in said
        and c.message.partition(" supported")[0] not in heads
    ]


_VALUES = "supported values: "
_NULL = ': "null"'


async def _put_new(core: Core, call: Call, obj: JSON) -> Outcome:
    name = obj["metadata"]["name"]
    key = call.key(name)
    extra = chain.admit(core, call, obj)
    if call.dry_run:
        if core.store.latest(key) is not None:
            raise errors.already_exists(call.resource, name)
        obj["metadata"].pop("resourceVersion", None)
        return Outcome(msgspec.json.encode(obj), 201)
    if call.served.hub:
        obj["apiVersion"] = call.served.hub
    encode = encoder(obj, body.OBJECT_LIMIT)
    if extra:
        future = core.store.apply([*extra, Write(key, encode, 0)])
        row = (await future)[-1]
    else:
        row = await core.store.put(key, encode, expect=0)
    core.told(call.served, None, obj)
    return Outcome(row.body, 201)


# --- update -----------------------------------------------------------------------------------


async def update(core: Core, call: Call) -> Outcome:
    """PUT of an object or its status."""
    wanted = read_object(call)
    meta = metadata.meta_of(wanted)
    name = meta.get("name")
    if not name:
        raise errors.nameless(call.target.name)
    if name != call.target.name:
        raise errors.bad(
            f"the name of the object ({name}) does not match the name on the URL "
            f"({call.target.name})"
        )
    _namespace(call, wanted)
    encoded = msgspec.json.encode(wanted)
    if core.store.latest(call.key()) is None and call.served.strategy.create_on_update:
        return await create_object(core, call, wanted)
    guarded = bool(meta.get("resourceVersion")) or not call.served.strategy.unconditional
    return await change(core, call, lambda _: decode(encoded), guarded=guarded)


async def change(core: Core, call: Call, make: Change, *, guarded: bool = False) -> Outcome:
    """Replace an object by what `make` says; again when somebody else was faster, unless guarded.

    Raises NotFound, Conflict, Invalid.
    """
    key = call.key()
    for _ in range(CONFLICT_TRIES):
        row = core.store.latest(key)
        if row is None:
            raise errors.not_found(call.resource, key.name)
        try:
            return await _change_once(core, call, row, make)
        except Conflict as late:
            if guarded and late.expect == row.revision:
                break
    raise errors.conflict(call.resource, key.name)


async def _change_once(core: Core, call: Call, row: Row, make: Change) -> Outcome:
    old = as_served(call.served, row.body)
    new = _merged(core, call, make(as_served(call.served, row.body)), old)
    meta = new["metadata"]
    meta["resourceVersion"] = old["metadata"]["resourceVersion"]
    if new == old or (_MANAGED in old["metadata"] and _timeless(new) == _timeless(old)):
        return Outcome(row.body)
    extra = chain.admit_update(core, call, new, old)
    if call.dry_run:
        return Outcome(msgspec.json.encode(new))
    if call.served.hub:
        new["apiVersion"] = call.served.hub
    removed = await finish_if_done(core, call.served, row, old, new)
    if removed is not None:
        return Outcome(removed)
    encode = encoder(new, body.OBJECT_LIMIT)
    if extra:
        future = core.store.apply([*extra, Write(row.key, encode, row.revision)])
        written = (await future)[-1]
    else:
        written = await core.store.put(row.key, encode, expect=row.revision)
    core.told(call.served, old, new)
    return Outcome(written.body)


def _timeless(obj: JSON) -> JSON:
    """The object without the times of its managers: when nothing else changes, nothing does."""
    entries = obj["metadata"].get(_MANAGED) or ()
    kept = [{k: v for k, v in entry.items() if k != "time"} for entry in entries]
    return {**obj, "metadata": {**obj["metadata"], _MANAGED: kept}}


def _merged(core: Core, call: Call, new: JSON, old: JSON) -> JSON:
    """The object as it will be stored, checked against the old one."""
    served, strategy = call.served, call.served.strategy
    _same_identity(call, new, old)
    sub = call.target.subresource
    is_status = sub == "status"
    if is_status:
        new = _status_of(call, new, old)
    moved = metadata.carry(new, old)
    if served.schema is not None and (served.custom or not call.clean):
        new = served.schema.default(new)
    if is_status:
        strategy.status(new, old)
    elif sub not in _WHOLE:
        if served.has_status:
            _keep(new, old, "status")
        strategy.default(new)
        strategy.update(new, old)
    if not call.applies and (_MANAGED in new["metadata"] or _MANAGED in old["metadata"]):
        new = managed.after_update(
            old, new, call.manager, scope_of(call), source_of(call), now=core.now()
        )
    new = metadata.ordered(new)
    causes: list[Cause] = metadata.check(
        new, namespaced=call.resource.namespaced, name_rule=_any_name
    )
    causes += moved + metadata.check_update(new, old)
    own: list[Cause] = []
    if is_status:
        own += strategy.check_status(new, old)
    elif sub not in _WHOLE:
        said = [strategy.check(new), strategy.check_update(new, old)]
        for found in reversed(said) if strategy.changes_first else said:
            own += found
    if served.schema is not None and (served.custom or not call.clean):
        causes += _fitting(served, served.schema.validate(new, old), own)
    causes += own
    if causes:
        raise errors.invalid_object(call.resource, old["metadata"]["name"], causes)
    if strategy.warns_updates and not is_status:
        call.warnings.extend(strategy.warnings(new))
    if strategy.generation and not is_status and sub not in _WHOLE and _counts(strategy, new, old):
        new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
    return new


_WHOLE = frozenset(("binding", "eviction", "finalize"))
"""Subresources that may write what an update of the object itself may not."""


def _any_name(_: str) -> Sequence[str]:
    return ()  # a stored name is right, whatever today's rules say


def _same_identity(call: Call, new: JSON, old: JSON) -> None:
    meta, was = metadata.meta_of(new), old["metadata"]
    name = was["name"]
    if meta.get("name", name) != name:
        raise errors.bad(
            f"the name of the object ({meta['name']}) does not match the name on the URL ({name})"
        )
    if call.resource.namespaced and not meta.get("namespace"):
        meta["namespace"] = was.get("namespace", "")
    if call.resource.namespaced and meta["namespace"] != was.get("namespace", ""):
        raise errors.bad(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    if meta.get("uid") and meta["uid"] != was["uid"]:
        if call.applies:
            cause = errors.wrong("metadata.uid", meta["uid"], "field is immutable")
            raise errors.invalid_object(call.resource, name, [cause])
        raise errors.conflict(
            call.resource, name,
            f"Precondition failed: UID in precondition: {meta['uid']}, UID in object meta: "
            f"{was['uid']}",
        )  # fmt: skip
    asked = meta.get("resourceVersion")
    if not asked and not call.served.strategy.unconditional:
        cause = errors.wrong("metadata.resourceVersion", 0, "must be specified for an update")
        raise errors.invalid(call.resource.plural, call.resource.group, name, [cause])
    if asked and asked not in ("0", was["resourceVersion"]):
        if not asked.isdigit():
            raise errors.bad(f"metadata.resourceVersion: {asked!r} is no number")
        raise errors.conflict(call.resource, name)


def _status_of(call: Call, new: JSON, old: JSON) -> JSON:
    """The stored object with the status (and for built-in kinds labels and such) of the new."""
    merged = {k: v for k, v in old.items() if k not in ("status", "metadata")}
    if "status" in new:
        merged["status"] = new["status"]
    meta = dict(old["metadata"]) if call.served.custom else metadata.meta_of(new)
    if not call.served.custom and "ownerReferences" in old["metadata"]:
        meta["ownerReferences"] = old["metadata"]["ownerReferences"]
    if call.applies and call.served.custom:
        meta.pop(_MANAGED, None)
        if (managers := metadata.meta_of(new).get(_MANAGED)) is not None:
            meta[_MANAGED] = managers
    merged["metadata"] = meta
    return merged


def _keep(new: JSON, old: JSON, field: str) -> None:
    if field in old:
        new[field] = old[field]
    else:
        new.pop(field, None)


_NOT_SPEC = ("metadata", "status", "kind", "apiVersion")


def _counts(strategy: Strategy, new: JSON, old: JSON) -> bool:
    """Whether the difference is one that generation counts."""
    if any(
        new.get(key) != old.get(key)
        for key in {*new, *old}
        if key not in _NOT_SPEC and key not in strategy.uncounted
    ):
        return True
    meta, was = new["metadata"], old["metadata"]
    return strategy.counts_labels and meta.get("labels") != was.get("labels")
