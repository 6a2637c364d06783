"""Laws of rights and schemas: what covers allows; pruning and defaulting twice is doing it once."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from athanor.api import crd
from athanor.api.registry import OURS
from athanor.local.apiserver.auth.rules import Attributes, Rule, compact, uncovered
from athanor.local.apiserver.schema.schema import Schema

_GROUPS, _VERBS = ("", "apps", "*"), ("get", "list", "*")
_RESOURCES = ("pods", "pods/log", "*/log", "nodes", "*")
_URLS = ("/livez", "/metrics", "/api/*", "*")


def _some(words: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(words), min_size=1, max_size=2, unique=True).map(tuple)


RULES = st.one_of(
    st.builds(
        Rule, verbs=_some(_VERBS), api_groups=_some(_GROUPS), resources=_some(_RESOURCES),
        resource_names=st.sampled_from([(), ("a",), ("a", "b")]),
    ),
    st.builds(Rule, verbs=_some(_VERBS), non_resource_urls=_some(_URLS)),
)  # fmt: skip
ASKED = st.one_of(
    st.builds(
        Attributes, verb=st.sampled_from(("get", "list", "delete")),
        group=st.sampled_from(("", "apps")), resource=st.sampled_from(("pods", "nodes")),
        subresource=st.sampled_from(("", "log")), name=st.sampled_from(("", "a", "b")),
    ),
    st.builds(
        Attributes, verb=st.just("get"), path=st.sampled_from(("/livez", "/api/v1", "/metrics"))
    ),
)  # fmt: skip


@given(st.lists(RULES, max_size=4), st.lists(RULES, max_size=3), ASKED)
def test_whoever_holds_all_of_it_may_do_all_of_it(
    held: list[Rule], wanted: list[Rule], asked: Attributes
) -> None:
    if not uncovered(held, wanted) and any(rule.allows(asked) for rule in wanted):
        assert any(rule.allows(asked) for rule in held)


@given(st.lists(RULES, max_size=3), ASKED)
def test_everybody_holds_what_they_hold(rules: list[Rule], asked: Attributes) -> None:
    assert uncovered(rules, rules) == [] or any(r.resource_names for r in rules)
    missing = uncovered([], rules)
    allowed = any(rule.allows(asked) for rule in rules)
    assert any(rule.allows(asked) for rule in missing) == allowed
    assert any(rule.allows(asked) for rule in compact(missing)) == allowed


_LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 5), st.floats(0, 3), st.text(max_size=3)
)
_NAMES = st.sampled_from(("podSets", "name", "count", "queue", "pools", "minCount", "x", "limit"))
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=4),
    max_leaves=12,
)
SCHEMAS = [
    Schema(crd.manifest(r)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]) for r in OURS
]


@settings()
@given(st.sampled_from(SCHEMAS), _VALUES)
def test_a_schema_says_the_same_twice(schema: Schema, spec: Any) -> None:
    obj = {"apiVersion": "a/v1", "kind": "K", "metadata": {"name": "n"}, "spec": spec}
    unknown = schema.unknown(copy.deepcopy(obj))
    assert schema.prune(obj) == unknown
    assert schema.prune(obj) == []
    once = copy.deepcopy(schema.default(obj))
    assert schema.default(obj) == once
    causes = schema.validate(obj)
    assert schema.validate(obj) == causes
    assert obj == once
    assert schema.validate(obj, copy.deepcopy(obj)) == []
    if schema.certain(obj):
        assert not causes or all("must" in cause.message for cause in causes)
