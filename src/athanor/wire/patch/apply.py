"""Server-side apply: a manager says which fields it wants, the server works out the rest.

KEP-555's rules: the applied fields are merged into the live object; what the manager applied
before, no longer does, and nobody else manages, goes; another manager's fields are a conflict
unless forced.
"""

from __future__ import annotations

import msgspec

from athanor.api.meta import JSON
from athanor.wire.patch import fields as fieldset
from athanor.wire.patch import managed, typed
from athanor.wire.patch.fields import Fields
from athanor.wire.patch.managed import Entry, Manager, Managers, Scope
from athanor.wire.status import ApiError, Cause

KUBECTL = "kubectl"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def apply(
    live: JSON | None,
    applied: JSON,
    manager: str,
    scope: Scope,
    schema: JSON,
    *,
    now: str,
    force: bool = False,
) -> JSON:
    """The object as it is to be (defaults and checks are the server's), with managedFields.

    `live` is the stored object, None when there is none yet; `schema` is the kind's, resolved.
    An apply that changes nothing answers an object equal to `live`. Raises Conflict (with a cause
    for every field), BadRequest for what does not fit the schema.
    """
    meta = applied.get("metadata")
    if isinstance(meta, dict) and meta.get("managedFields"):
        raise ApiError("BadRequest", "metadata.managedFields must be nil")
    schema = managed.whole_schema(schema)
    wanted = _checked(applied, schema)
    try:
        result = _apply(
            live, wanted, managed.identity(manager, "Apply", scope), scope, schema, now, force
        )
    except typed.Wrong as wrong:
        raise ApiError("BadRequest", f"failed to apply: the stored object: {wrong}") from None
    return _with_last_applied(result, wanted) if manager == KUBECTL else result


def _with_last_applied(result: JSON, wanted: JSON) -> JSON:
    """Keeps client-side apply's annotation current, for whoever goes back from server-side."""
    annotations = result["metadata"].get("annotations") or {}
    if LAST_APPLIED not in annotations:
        return result
    meta = dict(wanted.get("metadata") or {})
    if LAST_APPLIED in (meta.get("annotations") or {}):
        meta["annotations"] = {k: v for k, v in meta["annotations"].items() if k != LAST_APPLIED}
    said = msgspec.json.encode({**wanted, "metadata": meta}, order="sorted").decode() + "\n"
    updated = {**result["metadata"], "annotations": {**annotations, LAST_APPLIED: said}}
    return {**result, "metadata": updated}


def _apply(
    live: JSON | None,
    wanted: JSON,
    mine: Manager,
    scope: Scope,
    schema: JSON,
    now: str,
    force: bool,
) -> JSON:
    before = managed.without_managed(live or {})
    managers = _managers(live, scope, schema, now)
    last = managers[mine].fields if mine in managers else fieldset.NONE
    merged = typed.merge(before, wanted, schema)
    own = frozenset(p for p in typed.fields_of(wanted, schema) if scope.counts(p))
    given_up = not last <= own
    result = _pruned(merged, managers, mine, own, last, schema) if given_up else merged
    change = typed.compare(before, result, schema).where(scope.counts)
    if not force:
        _refuse_conflicts(managers, change, mine)
    others = {m: e for m, e in managers.items() if m != mine}
    known = managers.get(mine)
    after = managed.update(others, change)
    mine_now = managed.countable(own, scope)
    if mine_now:
        since = known.time if known is not None else None
        time = since if change.empty else now
        after[mine] = Entry(fields=mine_now, api_version=scope.api_version, time=time)
    return managed.stamp(result, after)


def _checked(applied: JSON, schema: JSON) -> JSON:
    try:
        typed.check(applied, schema)
    except typed.Wrong as wrong:
        meta = applied.get("metadata")
        meta = meta if isinstance(meta, dict) else {}
        api = str(applied.get("apiVersion", ""))
        api = api if "/" in api else f"/{api}"
        named = (
            f"{meta.get('namespace', '')}/{meta.get('name', '')}; {api}, Kind={applied.get('kind')}"
        )
        raise ApiError(
            "BadRequest", f"failed to create typed patch object ({named}): {wrong}"
        ) from None
    return managed.without_managed(applied)


def _managers(live: JSON | None, scope: Scope, schema: JSON, now: str) -> Managers:
    """Who manages what now; of an object nobody applied to, all is before-first-apply's."""
    if live is None:
        return {}
    try:
        managers = managed.read(live)
    except ValueError:
        managers = {}
    if managers:
        return managers
    whole = typed.compare({"metadata": {}}, managed.without_managed(live), schema).written
    theirs = managed.countable(whole, scope)
    if not theirs:
        return {}
    first = Manager(
        name=managed.BEFORE_FIRST_APPLY, operation="Update", api_version=scope.api_version
    )
    return {first: Entry(fields=theirs, api_version=scope.api_version, time=now)}


def _pruned(
    merged: JSON, managers: Managers, mine: Manager, own: Fields, last: Fields, schema: JSON
) -> JSON:
    """The merged object without what this manager gave up and nobody else manages."""

    def whole(found: Fields) -> Fields:
        return typed.with_parents(found, schema)

    given_up = whole(last)
    pruned = typed.remove(merged, given_up, schema)
    theirs = frozenset().union(own, *(e.fields for m, e in managers.items() if m != mine))
    everything, kept = whole(typed.fields_of(merged, schema)), whole(theirs)
    left = whole(typed.fields_of(pruned, schema))
    pruned = typed.remove(merged, everything - (left | kept), schema, theirs)
    left = whole(typed.fields_of(pruned, schema))
    gone = (everything - left) & given_up
    result: JSON = typed.remove(merged, gone, schema, theirs)
    return result


def _refuse_conflicts(managers: Managers, change: typed.Difference, mine: Manager) -> None:
    causes: list[Cause] = []
    groups: list[tuple[str, list[str]]] = []
    hits = managed.conflicting(managers, change, mine)
    for said, hit in sorted((managed.shown(m, managers[m]), hit) for m, hit in hits):
        paths = [fieldset.text(path) for path in fieldset.ordered(hit)]
        groups.append((said, paths))
        causes += [
            Cause(reason="FieldManagerConflict", message=f"conflict with {said}", field=path)
            for path in paths
        ]
    if not causes:
        return
    lines = [
        f"conflict with {said}: {paths[0]}"
        if len(causes) == 1
        else "\n- ".join((f"conflicts with {said}:", *paths))
        for said, paths in groups
    ]
    number = f"{len(causes)} conflict{'s' if len(causes) > 1 else ''}"
    raise ApiError("Conflict", f"Apply failed with {number}: " + "\n".join(lines), causes=causes)
