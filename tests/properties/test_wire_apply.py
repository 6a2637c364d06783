"""Laws of server-side apply: whoever manages a field sees the value it asked for."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from athanor.wire.patch import fields as fieldset
from athanor.wire.patch import managed, typed
from athanor.wire.patch.apply import apply
from athanor.wire.patch.managed import Scope, after_update
from athanor.wire.status import ApiError

TEXT = {"type": "string"}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "name": TEXT,
                "labels": {"type": "object", "additionalProperties": TEXT},
                "whole": {
                    "type": "object",
                    "x-kubernetes-map-type": "atomic",
                    "additionalProperties": TEXT,
                },
                "list": {"type": "array", "items": TEXT},
                "set": {"type": "array", "x-kubernetes-list-type": "set", "items": TEXT},
                "map": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["k"],
                    "items": {
                        "type": "object",
                        "properties": {
                            "k": TEXT, "v": TEXT, "sub": {"type": "object", "properties": {
                                "a": TEXT, "b": TEXT}},
                        },
                    },
                },
                "any": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            },
        }
    },
}  # fmt: skip
SCOPE = Scope(api_version="wire.test/v1", custom=True)
WORDS = st.sampled_from(["x", "y", "z"])
ITEM = st.fixed_dictionaries(
    {"k": WORDS},
    optional={"v": WORDS, "sub": st.dictionaries(st.sampled_from(["a", "b"]), WORDS, max_size=2)},
)
SPECS = st.fixed_dictionaries(
    {},
    optional={
        "name": WORDS,
        "labels": st.dictionaries(WORDS, WORDS, max_size=3),
        "whole": st.dictionaries(WORDS, WORDS, max_size=2),
        "list": st.lists(WORDS, max_size=3),
        # an empty list of elements is no field: nobody would manage it
        "set": st.lists(WORDS, min_size=1, max_size=3, unique=True),
        "map": st.lists(ITEM, min_size=1, max_size=3, unique_by=lambda i: i["k"]),
        "any": st.dictionaries(WORDS, st.one_of(WORDS, st.dictionaries(WORDS, WORDS)), max_size=2),
    },
)
MANAGERS = st.sampled_from(["a", "b", "c"])
STEPS = st.lists(st.tuples(MANAGERS, SPECS), min_size=1, max_size=6)


def _wanted(spec: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "apiVersion": "wire.test/v1", "kind": "Thing", "metadata": {"name": "t"},
    }  # fmt: skip
    return {**base, "spec": spec} if spec else base


def _apply(live: Any, manager: str, spec: Any, *, force: bool = True, now: str = "1") -> Any:
    return apply(live, _wanted(spec), manager, SCOPE, SCHEMA, now=now, force=force)


def _played(steps: list[tuple[str, Any]]) -> tuple[Any, dict[str, Any]]:
    live, last = None, {}
    for manager, spec in steps:
        live = _apply(live, manager, spec)
        last[manager] = spec
    return live, last


def _at(value: Any, path: fieldset.Path, schema: Any) -> Any:
    for key in path:
        if key[0] == "f":
            if not isinstance(value, dict) or key[2:] not in value:
                return typed.ABSENT
            value, schema = value[key[2:]], typed.child(schema, key[2:])[0]
        else:
            found = [i for i in value or () if typed.element(i, schema) == key]
            if not found:
                return typed.ABSENT
            value, schema = found[0], schema.get("items") or {}
    return value


@given(STEPS)
def test_applying_twice_is_applying_once(steps: list[tuple[str, Any]]) -> None:
    live, last = _played(steps)
    manager = steps[-1][0]
    assert _apply(live, manager, last[manager], force=False, now="9") == live


@given(STEPS)
def test_managed_fields_exist_and_have_the_value_asked_for(steps: list[tuple[str, Any]]) -> None:
    live, last = _played(steps)
    schema = managed.whole_schema(SCHEMA)
    for manager, entry in managed.read(live).items():
        for path in entry.fields:
            there, asked = (_at(o, path, schema) for o in (live, _wanted(last[manager.name])))
            assert there is not typed.ABSENT, (manager, path)
            assert asked is not typed.ABSENT, (manager, path)
            if not isinstance(asked, (dict, list)) or path[-1] in ("f:whole", "f:list"):
                assert there == asked, (manager, path)


@given(STEPS)
def test_nothing_is_there_that_nobody_applied(steps: list[tuple[str, Any]]) -> None:
    live, last = _played(steps)
    schema = managed.whole_schema(SCHEMA)
    union = frozenset().union(*(e.fields for e in managed.read(live).values()))
    whole = managed.countable(typed.fields_of(managed.without_managed(live), schema), SCOPE)
    leaves = {p for p in whole if not isinstance(_at(live, p, schema), (dict, list))}
    assert leaves <= union


@given(STEPS)
def test_giving_everything_up_leaves_nothing(steps: list[tuple[str, Any]]) -> None:
    live, last = _played(steps)
    for manager in last:
        live = _apply(live, manager, {})
    assert live == _wanted({})


@given(STEPS, MANAGERS, SPECS)
def test_a_conflict_is_refused_and_force_takes(
    steps: list[tuple[str, Any]], manager: str, spec: Any
) -> None:
    live, _ = _played(steps)
    before = copy.deepcopy((live, spec))
    forced = _apply(live, manager, spec)
    try:
        asked = _apply(live, manager, spec, force=False)
    except ApiError as refused:
        assert (refused.reason, refused.code) == ("Conflict", 409)
        assert all(c.reason == "FieldManagerConflict" for c in refused.causes)
        fields = managed.read(forced)
        mine = managed.identity(manager, "Apply", SCOPE)
        taken = {fieldset.text(p) for p in fields[mine].fields}
        assert {c.field for c in refused.causes} <= taken
    else:
        assert asked == forced
    assert before == (live, spec)


@given(STEPS, SPECS, SPECS)
def test_updates_take_what_they_change_and_nothing_else(
    steps: list[tuple[str, Any]], spec: Any, other: Any
) -> None:
    live, _ = _played(steps)
    new = {**managed.without_managed(live), **_wanted(spec)}
    if not spec:
        new.pop("spec", None)
    had = bool(managed.read(live))
    updated = after_update(live, new, "u", SCOPE, SCHEMA, now="2")
    assert managed.without_managed(updated) == managed.without_managed(new)
    if not had:
        return
    schema = managed.whole_schema(SCHEMA)
    change = typed.compare(managed.without_managed(live), managed.without_managed(new), schema)
    mine = managed.identity("u", "Update", SCOPE)
    after = managed.read(updated)
    written = managed.countable(change.written, SCOPE)
    assert (after[mine].fields if mine in after else fieldset.NONE) == written
    for manager, entry in after.items():
        if manager != mine:
            assert not entry.fields & (written | change.removed)
    assert after_update(updated, updated, "u", SCOPE, SCHEMA, now="3") == updated


@given(SPECS, SPECS)
def test_merging_a_difference(old: Any, new: Any) -> None:
    schema = managed.whole_schema(SCHEMA)
    before = copy.deepcopy((old, new))
    left, right = (_wanted({k: v for k, v in s.items() if k != "any"}) for s in (old, new))
    merged = typed.merge(left, right, schema)
    assert not typed.compare(merged, typed.merge(merged, right, schema), schema).written
    assert not typed.compare(left, merged, schema).removed
    assert typed.compare(left, left, schema).empty
    assert before == (old, new)


@given(SPECS)
def test_field_sets_survive_their_encoding(spec: Any) -> None:
    found = typed.fields_of(_wanted(spec), managed.whole_schema(SCHEMA))
    assert fieldset.decode(fieldset.encode(found)) == found
