"""Laws of patches: what a difference says is what applying it does, and inputs never change."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from athanor.wire.patch.json_patch import json_patch
from athanor.wire.patch.merge import merge_patch
from athanor.wire.patch.strategic import strategic
from athanor.wire.patch.values import same
from athanor.wire.status import ApiError
from athanor.wire.types.catalog import schema_of

KEYS = st.sampled_from(["a", "b", "c", "x/y", "t~z", ""])
SCALARS = st.one_of(st.booleans(), st.integers(-3, 3), st.sampled_from(["", "s", "t"]))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=12,
)
DOCS = st.dictionaries(KEYS, VALUES, max_size=4)


def _merge_difference(old: Any, new: Any) -> dict[str, Any]:
    patch: dict[str, Any] = {key: None for key in old if key not in new}
    for key, value in new.items():
        if key not in old or not same(old[key], value):
            both = isinstance(value, dict) and isinstance(old.get(key), dict)
            patch[key] = _merge_difference(old[key], value) if both else value
    return patch


def _operations(old: Any, new: Any, path: str = "") -> list[dict[str, Any]]:
    if same(old, new):
        return []
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return [{"op": "test", "path": path, "value": old},
                {"op": "replace", "path": path, "value": new}]  # fmt: skip
    found = []
    for key in {**old, **new}:
        below = f"{path}/{key.replace('~', '~0').replace('/', '~1')}"
        if key not in new:
            found.append({"op": "remove", "path": below})
        elif key not in old:
            found.append({"op": "add", "path": below, "value": new[key]})
        else:
            found += _operations(old[key], new[key], below)
    return found


@given(DOCS, DOCS)
def test_merging_a_difference_gives_the_other(old: Any, new: Any) -> None:
    before = copy.deepcopy((old, new))
    patch = _merge_difference(old, new)
    assert same(merge_patch(old, patch), new)
    assert same(merge_patch(new, patch), new)
    assert same(before, (old, new)) or before == (old, new)


@given(DOCS, DOCS)
def test_merging_twice_is_merging_once(doc: Any, patch: Any) -> None:
    once = merge_patch(doc, patch)
    assert same(merge_patch(once, patch), once)


@given(DOCS, DOCS)
def test_operations_of_a_difference_give_the_other(old: Any, new: Any) -> None:
    operations = _operations(old, new)
    before = copy.deepcopy((old, operations))
    assert same(json_patch(old, operations), new)
    assert before == (old, operations)


@given(DOCS, st.lists(KEYS, min_size=1, max_size=1), VALUES)
def test_adding_and_removing_is_nothing(doc: Any, keys: list[str], value: Any) -> None:
    key = keys[0].replace("~", "~0").replace("/", "~1")
    if keys[0] in doc:
        return
    there = json_patch(doc, [{"op": "add", "path": f"/{key}", "value": value}])
    assert same(json_patch(there, [{"op": "remove", "path": f"/{key}"}]), doc)


# --- strategic --------------------------------------------------------------------------------

POD = schema_of("", "v1", "Pod") or {}
NAMES = st.sampled_from(["c1", "c2", "c3", "c4"])
WORDS = st.sampled_from(["v", "w", "x"])


def _by_name(item: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(item, max_size=4, unique_by=lambda i: i["name"])


ENV = _by_name(st.fixed_dictionaries({"name": NAMES}, optional={"value": WORDS}))
CONTAINERS = _by_name(
    st.fixed_dictionaries(
        {"name": NAMES}, optional={"image": WORDS, "env": ENV, "command": st.lists(WORDS)}
    )
)
PODS = st.fixed_dictionaries(
    {
        "metadata": st.fixed_dictionaries(
            {},
            optional={
                "labels": st.dictionaries(WORDS, WORDS, max_size=3),
                "finalizers": st.lists(WORDS, unique=True),
            },
        ),
        "spec": st.fixed_dictionaries(
            {}, optional={"containers": CONTAINERS, "nodeSelector": st.dictionaries(WORDS, WORDS)}
        ),
    }
)


def _values(pod: Any) -> Any:
    """The pod with its keyed lists as maps: their order is not what these laws are about."""
    spec = dict(pod["spec"])
    if "containers" in spec:
        spec["containers"] = {
            c["name"]: {**c, "env": {e["name"]: e for e in c.get("env", ())}}
            for c in spec["containers"]
        }
    meta = {**pod["metadata"], "finalizers": sorted(pod["metadata"].get("finalizers", ()))}
    return {"metadata": meta, "spec": spec}


@given(PODS, PODS)
def test_a_strategic_patch_twice_is_once(pod: Any, patch: Any) -> None:
    before = copy.deepcopy((pod, patch))
    once = strategic(pod, patch, POD)
    assert strategic(once, patch, POD) == once
    assert before == (pod, patch)


@given(PODS)
def test_a_pod_patched_with_itself_stays(pod: Any) -> None:
    assert strategic(pod, pod, POD) == pod
    assert strategic(pod, {}, POD) == pod


@given(PODS, PODS)
def test_every_keyed_element_of_either_is_there_once(pod: Any, patch: Any) -> None:
    merged = strategic(pod, patch, POD)
    names = [c["name"] for c in merged["spec"].get("containers", ())]
    wanted = {c["name"] for side in (pod, patch) for c in side["spec"].get("containers", ())}
    assert sorted(names) == sorted(wanted)


@given(PODS, st.permutations(["c1", "c2", "c3", "c4"]))
def test_order_directives_order(pod: Any, order: list[str]) -> None:
    directive = {"spec": {"$setElementOrder/containers": [{"name": name} for name in order]}}
    merged = strategic(pod, directive, POD)
    names = [c["name"] for c in merged["spec"].get("containers", ())]
    assert names == sorted(names, key=order.index)
    assert _values(merged) == _values(pod)


ODD_KEYS = st.sampled_from(
    [
        "$patch", "$retainKeys", "$setElementOrder/containers", "$setElementOrder/finalizers",
        "$deleteFromPrimitiveList/finalizers", "containers", "finalizers", "name", "env", "spec",
        "metadata", "labels", "nodeSelector",
    ]
)  # fmt: skip
ODD = st.recursive(
    st.one_of(st.none(), SCALARS, st.sampled_from(["replace", "delete", "merge", "c1"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(ODD_KEYS, inner, max_size=4)
    ),
    max_leaves=12,
)


@given(PODS, st.dictionaries(ODD_KEYS, ODD, max_size=4))
def test_any_patch_is_applied_or_refused(pod: Any, patch: Any) -> None:
    before = copy.deepcopy((pod, patch))
    try:
        merged = strategic(pod, patch, POD)
    except ApiError as refused:
        assert refused.code == 400
    else:
        assert isinstance(merged, dict)
    assert before == (pod, patch)


@given(
    DOCS,
    st.lists(
        st.dictionaries(
            st.sampled_from(["op", "path", "from", "value"]),
            st.one_of(
                VALUES,
                st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]),
                st.lists(KEYS, max_size=3).map(lambda keys: "".join(f"/{k}" for k in keys)),
            ),
        ),
        max_size=3,
    ),
)
def test_any_operations_are_applied_or_refused(doc: Any, operations: Any) -> None:
    before = copy.deepcopy((doc, operations))
    try:
        assert isinstance(json_patch(doc, operations), dict)
    except ApiError as refused:
        assert refused.code == 422
    assert before == (doc, operations)
