"""Kubernetes' strategic merge patch: a merge patch whose lists know their keys.

Driven by the schema's `x-kubernetes-patch-strategy` and `x-kubernetes-patch-merge-key`. The
directives: `$patch: replace | delete`, `$retainKeys`, `$setElementOrder/LIST`,
`$deleteFromPrimitiveList/LIST`. Wordings of errors are Kubernetes'; the code is always 400.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from athanor.api.meta import JSON
from athanor.wire.patch.values import Value, type_name
from athanor.wire.status import ApiError, Cause

_PATCH = "$patch"
_RETAIN = "$retainKeys"
_ORDER = "$setElementOrder/"
_DELETE = "$deleteFromPrimitiveList/"


def strategic(doc: JSON, patch: Value, schema: JSON) -> JSON:
    """The document after the patch; `schema` is the kind's, resolved. Raises BadRequest."""
    if not isinstance(patch, dict):
        raise _bad(f"error decoding patch: a merge patch is an object, not {type_name(patch)}")
    return _map(doc, patch, schema)


def _bad(message: str, field: str = "") -> ApiError:
    """In Kubernetes' words, which do not always say where: `field` does."""
    where = [Cause(reason="FieldValueInvalid", message=message, field=field)] if field else ()
    return ApiError("BadRequest", message, causes=where)


def _go(value: Value) -> str:
    """A value as Go prints it, for messages."""
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{_go(value[key])}' for key in sorted(value))}]"
    if isinstance(value, list):
        return f"[{' '.join(map(_go, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return "<nil>" if value is None else str(value)


# --- objects ----------------------------------------------------------------------------------


def _map(doc: JSON, patch: JSON, schema: JSON) -> JSON:
    if _PATCH in patch:
        return _directive(patch)
    merged = _retained(doc, patch)
    ordered = {key.removeprefix(_ORDER): key for key in patch if key.startswith(_ORDER)}
    for key, value in patch.items():
        if key == _RETAIN or key.startswith(_ORDER) or key in ordered:
            continue
        if key.startswith(_DELETE):
            _delete_scalars(merged, key.removeprefix(_DELETE), value)
        elif value is None:
            merged.pop(key, None)
        else:
            merged[key] = _member(merged.get(key), value, child(schema, key), key)
    for key, directive in ordered.items():
        merged_list = _ordered(merged.get(key), patch, key, patch[directive], child(schema, key))
        if merged_list is not None:
            merged[key] = merged_list
    for key in ordered:
        if (taken := patch.get(_DELETE + key)) is not None:
            _delete_scalars(merged, key, taken)
    return merged


def child(schema: JSON, key: str) -> JSON:
    """The schema of an object's member; {} where nothing is known."""
    known: JSON | None = (schema.get("properties") or {}).get(key)
    if known is None:
        other = schema.get("additionalProperties")
        known = other if isinstance(other, dict) else {}
    return known


def _member(old: Value, new: Value, schema: JSON, name: str) -> Value:
    if isinstance(new, dict) and isinstance(old, dict):
        if "replace" in _strategy(schema):
            return _fresh(new)
        return _map(old, new, schema)
    if isinstance(new, list) and isinstance(old, list) and "merge" in _strategy(schema):
        return _list(old, new, schema, name)
    return _fresh(new)


def _strategy(schema: JSON) -> list[str]:
    return str(schema.get("x-kubernetes-patch-strategy", "")).split(",")


def _directive(patch: JSON) -> JSON:
    kind = patch[_PATCH]
    if kind == "replace":
        return {key: value for key, value in patch.items() if key != _PATCH}
    if kind == "delete":
        return {}
    raise _bad(f"unknown patch type: {_go(kind)} in map: {_go(patch)}")


def _retained(doc: JSON, patch: JSON) -> JSON:
    if _RETAIN not in patch:
        return dict(doc)
    keep = patch[_RETAIN]
    members = [k for k in patch if not k.startswith("$") and patch[k] is not None]
    if not isinstance(keep, list) or not all(key in keep for key in members):
        raise _bad("invalid patch format of retainKeys")
    return {key: value for key, value in doc.items() if key in keep}


def _delete_scalars(merged: JSON, key: str, values: Value) -> None:
    if not isinstance(values, list):
        raise _bad(f"{_DELETE}{key} takes a list, not {type_name(values)}")
    if isinstance(merged.get(key), list):
        gone = set(map(_itself, values))
        merged[key] = [item for item in merged[key] if _itself(item) not in gone]


def _fresh(value: Value) -> Value:
    """A patch's value where the document has none: without directives and nulls."""
    if isinstance(value, dict):
        return {
            key: _fresh(item)
            for key, item in value.items()
            if item is not None and not _is_directive(key)
        }
    if isinstance(value, list):
        kept = [item for item in value if not _dropped(item)]
        return [_fresh(item) for item in kept]
    return value


def _is_directive(key: str) -> bool:
    return key in (_PATCH, _RETAIN) or key.startswith((_ORDER, _DELETE))


def _dropped(item: Value) -> bool:
    """Whether an element of a patch's list only tells what to do with others."""
    if not isinstance(item, dict):
        return False
    return item.get(_PATCH) in ("delete", "replace")


# --- lists ------------------------------------------------------------------------------------

_Ident = Callable[[Value], bytes]
"""What tells elements of a list apart, hashable."""


def _itself(item: Value) -> bytes:
    return msgspec.json.encode(item, order="deterministic")


def _by(key: str) -> _Ident:
    return lambda item: _itself(item.get(key))


def _list(old: list[Value], patch: list[Value], schema: JSON, name: str) -> list[Value]:
    key = _merge_key(old, patch, schema, name)
    if not key:
        merged = list({_itself(item): item for item in (*old, *patch)}.values())
        return _arrange(merged, patch, old, _itself)
    original, additions = _specials(old, patch, key)
    if original is None:
        return additions
    return _arrange(_by_key(original, additions, key, schema), additions, old, _by(key))


def _merge_key(old: list[Value], patch: list[Value], schema: JSON, name: str) -> str:
    """The key of a list of objects; "" for a list of scalars. Mixed lists are refused."""
    sorts = {type_name(item) for item in (*old, *patch)}
    if len(sorts) > 1:
        raise _bad(f"list element types are not identical: [{_go(old)} {_go(patch)}]", name)
    if "object" not in sorts:
        return ""
    key = str(schema.get("x-kubernetes-patch-merge-key", ""))
    if not key:
        raise _bad("cannot merge lists without merge key for this type")
    return key


def _specials(
    old: list[Value], patch: list[Value], key: str
) -> tuple[list[Value] | None, list[Value]]:
    """The old list without deleted elements (None: replaced), the patch's real elements."""
    additions, deleted, replaced = [], set(), False
    ident = _by(key)
    for item in patch:
        match item.get(_PATCH):
            case None:
                additions.append(item)
            case "delete":
                _key_of(item, key)
                deleted.add(ident(item))
            case "replace":
                replaced = True
            case "merge":
                raise _bad("merging lists cannot yet be specified in the patch")
            case other:
                raise _bad(f"unknown patch type: {_go(other)} in map: {_go(item)}")
    if replaced:
        return None, additions
    return ([o for o in old if ident(o) not in deleted] if deleted else old), additions


def _key_of(item: JSON, key: str) -> Value:
    if key not in item:
        raise _bad(f"map: {_go(item)} does not contain declared merge key: {key}")
    return item[key]


def _by_key(old: list[Value], patch: list[Value], key: str, schema: JSON) -> list[Value]:
    items, ident = schema.get("items") or {}, _by(key)
    merged = list(old)
    places = {ident(item): at for at, item in reversed(list(enumerate(old)))}
    for item in patch:
        _key_of(item, key)
        at = places.setdefault(ident(item), len(merged))
        if at == len(merged):
            merged.append(_fresh(item))
        else:
            merged[at] = _map(merged[at], item, items)
    return merged


def _ordered(old: Value, patch: JSON, key: str, order: Value, schema: JSON) -> list[Value] | None:
    """The member `key` after `$setElementOrder/key`; None when it is in neither."""
    changes = patch.get(key)
    for found in (order, old or [], changes or []):
        if not isinstance(found, list):
            raise _bad(f"expected a list of {key}, but received {type_name(found)}")
    if old is None and changes is None:
        return None
    before, changes = old or [], changes or []
    merge_key = _merge_key([*order, *before], changes, schema, key)
    ident = _by(merge_key) if merge_key else _itself
    _check_order(changes, order, ident)
    merged = before
    if changes:
        merged = _fresh(changes) if old is None else _list(before, changes, schema, key)
    return _arrange(merged, order, before, ident)


def _check_order(patch: list[Value], order: list[Value], ident: _Ident) -> None:
    """Elements of the patch's list stand in the order list, in the same order."""
    places = iter(map(ident, order))
    for item in patch:
        if isinstance(item, dict) and item.get(_PATCH) == "delete":
            continue
        wanted = ident(item)
        if all(place != wanted for place in places):  # consumes up to the place found
            raise _bad(
                f"The order in patch list:\n{_go(patch)}\n doesn't match {_ORDER[:-1]} list:\n"
                f"{_go(order)}\n"
            )


def _arrange(
    merged: list[Value], order: list[Value], old: list[Value], ident: _Ident
) -> list[Value]:
    """`merged` with the elements of `order` in that order, woven into the others.

    The others keep the order they had in `old`; of two elements that `old` knows, the one that
    came first there comes first.
    """
    wanted = {ident(item): at for at, item in reversed(list(enumerate(order)))}
    known = {ident(item): at for at, item in reversed(list(enumerate(old)))}
    keyed = [(ident(item), item) for item in merged]
    named = sorted((k for k in keyed if k[0] in wanted), key=lambda k: wanted[k[0]])
    others = sorted((k for k in keyed if k[0] not in wanted), key=lambda k: known.get(k[0], -1))
    woven: list[Value] = []
    i = j = 0
    while i < len(others) and j < len(named):
        left, right = known.get(others[i][0], -1), known.get(named[j][0], -1)
        if 0 <= left < right:
            woven.append(others[i][1])
            i += 1
        else:
            woven.append(named[j][1])
            j += 1
    return woven + [item for _, item in (*others[i:], *named[j:])]
