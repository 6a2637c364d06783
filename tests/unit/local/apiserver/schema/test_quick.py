"""The quick yes never says yes to what the slow way finds fault with."""

from __future__ import annotations

import copy
import random
from typing import Any

import pytest

from athanor.local.apiserver.schema.check import compile_check
from athanor.local.apiserver.schema.quick import compile_quick
from athanor.wire.types.catalog import schema_of

POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "a", "namespace": "default", "labels": {"a": "b"}},
    "spec": {
        "containers": [
            {
                "name": "main",
                "image": "host",
                "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                "ports": [{"containerPort": 80, "protocol": "TCP"}],
                "resources": {"requests": {"cpu": "1", "memory": 5}},
                "livenessProbe": {"httpGet": {"port": "web"}, "periodSeconds": 3},
                "volumeMounts": [{"name": "v", "mountPath": "/v"}],
            },
            {"name": "other", "image": "host"},
        ],
        "volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1Gi"}}],
        "terminationGracePeriodSeconds": 30,
        "hostNetwork": False,
    },
}
CUSTOM: dict[str, Any] = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "required": ["size", "mode"],
            "properties": {
                "size": {"type": "integer", "minimum": 1, "maximum": 9},
                "share": {"type": "number", "exclusiveMinimum": True, "minimum": 0},
                "mode": {"type": "string", "enum": ["On", "Off"]},
                "name": {"type": "string", "pattern": "^a+$", "maxLength": 5},
                "tags": {"type": "array", "items": {"type": "string"},
                         "x-kubernetes-list-type": "set", "maxItems": 3},
                "any": {"x-kubernetes-preserve-unknown-fields": True, "type": "object",
                        "properties": {"inner": {"type": "integer"}}},
                "port": {"x-kubernetes-int-or-string": True,
                         "anyOf": [{"type": "integer"}, {"type": "string"}]},
                "maybe": {"type": "string", "nullable": True},
                "counts": {"type": "object", "additionalProperties": {"type": "integer"},
                           "maxProperties": 2},
                "either": {"type": "object",
                           "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
                           "oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
                "when": {"type": "string", "format": "date-time"},
                "step": {"type": "integer", "multipleOf": 5, "format": "int32"},
            },
        }
    },
}  # fmt: skip
OBJECT: dict[str, Any] = {
    "apiVersion": "x/v1",
    "kind": "X",
    "metadata": {"name": "a"},
    "spec": {
        "size": 3, "share": 0.5, "mode": "On", "name": "aa", "tags": ["x", "y"],
        "any": {"inner": 1, "more": [1]}, "port": "web", "maybe": None, "counts": {"a": 1},
        "either": {"a": "x"}, "when": "2026-01-01T00:00:00Z", "step": 10,
    },
}  # fmt: skip
ODD: list[Any] = [
    None, True, 0, 1, -1, 1.0, 0.5, 2**31, 2**63, 2**64, "", "a", "On", "b" * 9, [], ["x"],
    ["x", "x"], {}, {"a": 1}, {"a": "x", "b": "y"}, {"unknown": 1}, [{"name": "A"}] * 2,
]  # fmt: skip


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) below a value."""
    found: list[tuple[Any, Any]] = []
    keys = list(value) if isinstance(value, dict) else range(len(value))
    for key in keys:
        found.append((value, key))
        if isinstance(value[key], dict | list):
            found += _places(value[key])
    return found


def _spoiled(obj: dict[str, Any], dice: random.Random) -> dict[str, Any]:
    changed = copy.deepcopy(obj)
    for _ in range(dice.choice((1, 1, 2))):
        container, key = dice.choice(_places(changed))
        what = dice.randrange(4)
        if what == 0 and isinstance(container, dict):
            del container[key]
        elif what == 1 and isinstance(container, dict):
            container[f"x{dice.randrange(3)}"] = dice.choice(ODD)
        elif what == 2 and isinstance(container, list):
            container.append(copy.deepcopy(container[key]))
        else:
            container[key] = copy.deepcopy(dice.choice(ODD))
    return changed


@pytest.mark.parametrize("kind", ["pod", "custom"])
def test_quick_is_never_laxer_than_slow(kind: str) -> None:
    schema, obj = (schema_of("", "v1", "Pod"), POD) if kind == "pod" else (CUSTOM, OBJECT)
    assert schema is not None
    quick, slow = compile_quick(schema), compile_check(schema, is_object=True)
    assert slow is not None
    assert quick(obj)
    dice = random.Random(7)
    agreed = 0
    for _ in range(1500):
        changed = _spoiled(obj, dice)
        causes: list[Any] = []
        slow(changed, "", "", causes)
        if quick(changed):
            assert causes == [], changed
            agreed += 1
    assert agreed > 100
