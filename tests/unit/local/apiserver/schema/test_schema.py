"""Schemas answer as a real server did: `answers.json` holds what Kubernetes 1.36.3 said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from athanor.api import crd
from athanor.api.registry import OURS
from athanor.local.apiserver.errors import invalid
from athanor.local.apiserver.schema.cel import problem
from athanor.local.apiserver.schema.schema import Schema

RECORDED = json.loads((Path(__file__).parent / "answers.json").read_text())
PROBE = Schema(RECORDED["schema"])


def _object(spec: Any) -> dict[str, Any]:
    return {"apiVersion": "a/v1", "kind": "Probe", "metadata": {"name": "a"}, "spec": spec}


@pytest.mark.parametrize(
    "case", RECORDED["answers"], ids=lambda case: json.dumps(case["spec"])[:60]
)
def test_every_answer_is_the_real_server_s(case: dict[str, Any]) -> None:
    obj = _object(json.loads(json.dumps(case["spec"])))
    old = _object(case["old"]) if "old" in case else None
    unknown = PROBE.prune(obj)
    if unknown:
        said = ", ".join(f'unknown field "{path}"' for path in unknown)
        assert case["message"].endswith(f"strict decoding error: {said}")
        return
    PROBE.default(obj)
    causes = [msgspec.to_builtins(c) for c in PROBE.validate(obj, old)]
    assert causes == case.get("causes", [])
    if causes:
        name = "imm" if old else "a"
        found = invalid("Probe", "sec.example.com", name, PROBE.validate(obj, old))
        assert found.message == case["message"]
    else:
        assert obj["spec"] == case["stored"]


def test_finding_unknown_fields_leaves_them() -> None:
    obj = _object({"must": "x", "foo": 1})
    assert PROBE.unknown(obj) == ["spec.foo"]
    assert obj["spec"]["foo"] == 1
    assert PROBE.unknown({**obj, "metadata": {"name": "a", "foo": 1}, "bar": 2}) == [
        "bar", "metadata.foo", "spec.foo",
    ]  # fmt: skip


def test_what_was_wrong_before_does_not_stop_a_change_elsewhere() -> None:
    old = _object({"must": "x", "i": 0})
    assert PROBE.validate(_object({"must": "y", "i": 0}), old) == []
    assert PROBE.validate(_object({"must": "y", "i": -1}), old) != []


@pytest.mark.parametrize(
    ("rule", "holds"),
    [
        ("quantity('1Gi').isGreaterThan(quantity('1023Mi'))", True),
        ("quantity('1000m') == quantity('1')", True),
        ("isQuantity('x')", False),
        ("[1, 2, 3].isSorted() && [1, 2].sum() == 3 && [3, 1].min() == 1", True),
        ("'a-b-c'.split('-') == ['a', 'b', 'c'] && ['a', 'b'].join('/') == 'a/b'", True),
        ("'Abc'.lowerAscii() == 'abc' && 'abc'.substring(1) == 'bc'", True),
        ("'abc123'.find('[0-9]+') == '123'", True),
        ("url('https://a.b:80/c?d=e').getHostname() == 'a.b'", True),
        ("isURL('nonsense')", False),
        ("cidr('10.0.0.0/8').containsIP('10.1.2.3')", True),
        ("ip('::1').isLoopback() && ip('1.2.3.4').family() == 4", True),
        ("timestamp('2026-01-01T00:00:00Z') < timestamp('2026-01-02T00:00:00Z')", True),
        ("self.spec.must.startsWith('x')", True),
    ],
)
def test_kubernetes_functions_in_rules(rule: str, holds: bool) -> None:
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": {"must": {"type": "string"}}}},
        "x-kubernetes-validations": [{"rule": rule, "message": "broken"}],
    }
    causes = Schema(schema).validate(_object({"must": "x"}))
    assert (causes == []) is holds
    assert holds or causes[0].message == "Invalid value: broken"


def test_names_are_escaped_as_expressions_write_them() -> None:
    spec = {
        "type": "object",
        "properties": {"name-x": {"type": "string"}, "in": {"type": "string"}},
    }
    rules = [{"rule": "self.spec.name__dash__x == self.spec.__in__"}]
    schema = Schema(
        {"type": "object", "properties": {"spec": spec}, "x-kubernetes-validations": rules}
    )
    assert schema.validate(_object({"name-x": "a", "in": "a"})) == []
    assert schema.validate(_object({"name-x": "a", "in": "b"})) != []


@pytest.mark.parametrize(
    "rule",
    [
        "self.foo(",
        "nope(self)",
        "self.?a.orValue(1) == 1",
        "",
        "sets.unknown(self, [1])",
        "slef == 1",
    ],
)
def test_what_does_not_compile_is_refused_with_the_place(rule: str) -> None:
    assert problem(rule).startswith("compilation failed: ")


def _gang(**spec: Any) -> dict[str, Any]:
    return {**_object(spec), "apiVersion": "athanor.dev/v1alpha1", "kind": "Gang"}


def test_our_own_kinds_say_what_is_wrong() -> None:
    schemas = {
        r.kind: Schema(crd.manifest(r)["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
        for r in OURS
    }
    gang = _gang(podSets=[{"name": "w", "count": 2, "minCount": 3}, {"name": "w"}])
    schemas["Gang"].default(gang)
    assert [(c.field, c.message) for c in schemas["Gang"].validate(gang)] == [
        ("spec.podSets[1]", 'Duplicate value: {"name":"w"}'),
        ("spec.podSets[0].minCount", "Invalid value: minCount must not exceed count"),
    ]
    queue = _object({"pools": [{"pool": "a", "guaranteed": {"cpu": 4}, "limit": {"cpu": "3"}}]})
    found = schemas["Queue"].validate(queue)
    assert found[0].field == "spec.pools[0].guaranteed"
    role = {"name": "w", "template": {"spec": {"containers": [{"name": "main"}]}}}
    old, new = (
        schemas["TrainingJob"].default(_object({"framework": name, "roles": [role]}))
        for name in ("jax", "pytorch")
    )
    assert [c.field for c in schemas["TrainingJob"].validate(new, old)] == ["spec.framework"]
