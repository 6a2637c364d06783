"""Environment variables: sources, order, expansion, what is missing."""

from __future__ import annotations

import base64

import pytest

from athanor.api.meta import JSON
from athanor.local.agent.plan.environ import Missing, environment, expand, field

POD: JSON = {
    "metadata": {
        "name": "p", "namespace": "d", "uid": "u", "labels": {"a": "1"},
        "annotations": {"n": 'say "x"\n'},
    },
    "spec": {"containers": [{"name": "main"}], "nodeName": "here"},
}  # fmt: skip
OBJECTS: dict[tuple[str, str], JSON] = {
    ("ConfigMap", "c"): {"data": {"K": "v"}},
    ("Secret", "s"): {"data": {"P": base64.b64encode(b"pw").decode()}},
}


def env(container: JSON, **fixed: str) -> dict[str, str]:
    pod = {**POD, "spec": {**POD["spec"], "containers": [container]}}
    facts = {"podIP": "10.0.0.1", "allocatable.cpu": "2"}
    return environment(
        pod, container, lambda kind, name: OBJECTS.get((kind, name)), facts, {"B": "b"}, fixed
    )


def test_sources_in_their_order() -> None:
    found = env({
        "name": "main",
        "envFrom": [{"prefix": "X_", "configMapRef": {"name": "c"}}, {"secretRef": {"name": "s"}}],
        "env": [
            {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            {"name": "URL", "value": "http://$(IP):$(NONE)/$$(B)$(B)"},
            {"name": "P", "valueFrom": {"secretKeyRef": {"name": "s", "key": "P"}}},
            {"name": "OPT", "valueFrom": {
                "configMapKeyRef": {"name": "c", "key": "none", "optional": True}}},
        ],
    })  # fmt: skip
    assert found == {
        "B": "b", "X_K": "v", "P": "pw", "IP": "10.0.0.1",
        "URL": "http://10.0.0.1:$(NONE)/$(B)b",
    }  # fmt: skip


def test_the_nodes_own_values_reach_what_refers_to_them() -> None:
    port, at = ("PORT", "29500"), ("AT", "localhost:$(PORT)")
    wired = {"name": "main", "env": [{"name": n, "value": v} for n, v in (port, at)]}
    assert env(wired)["AT"] == "localhost:29500"
    assert env(wired, PORT="20016")["AT"] == "localhost:20016"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({"secretKeyRef": {"name": "none", "key": "k"}}, 'secret "none" not found'),
        ({"configMapKeyRef": {"name": "c", "key": "k"}}, "couldn't find key k in ConfigMap c"),
        ({"fieldRef": {"fieldPath": "spec.none"}}, "fieldPath 'spec.none' is not supported"),
    ],
)
def test_what_is_missing_is_named(source: JSON, said: str) -> None:
    with pytest.raises(Missing, match=said) as caught:
        env({"name": "main", "env": [{"name": "X", "valueFrom": source}]})
    assert caught.value.hold.reason == "CreateContainerConfigError"


def test_resources_are_divided_and_rounded_up() -> None:
    container = {
        "name": "main", "resources": {"limits": {"memory": "1500Mi"}},
        "env": [
            {"name": "M", "valueFrom": {
                "resourceFieldRef": {"resource": "limits.memory", "divisor": "1Gi"}}},
            {"name": "C", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
        ],
    }  # fmt: skip
    found = env(container)
    assert (found["M"], found["C"]) == ("2", "2")


def test_fields_of_maps() -> None:
    assert field(POD, "metadata.labels['a']", {}) == "1"
    assert field(POD, "metadata.annotations", {}) == 'n="say \\"x\\"\\n"'


def test_expansion_leaves_what_it_does_not_know() -> None:
    assert expand("$(A)$B $$ $(X Y)", {"A": "1"}) == "1$B $ $(X Y)"
