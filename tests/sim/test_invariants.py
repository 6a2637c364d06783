"""The rules of the simulation find what they are there to find."""

from __future__ import annotations

import pytest

from athanor.api.meta import JSON
from athanor.api.registry import OURS
from athanor.runtime.cache import Key
from athanor.testing import lab, virtual
from athanor.testing.nodes import SimulatedNode, forever
from tests.sim.invariants import Invariants


class Served:
    def __init__(self, kind: str) -> None:
        self.resource = next((r for r in OURS if r.kind == kind), None) or Kind(kind)


class Kind:
    def __init__(self, kind: str) -> None:
        self.kind = kind


def written(kind: str, old: JSON | None, new: JSON | None) -> list[str]:
    rules = Invariants(4, {})
    rules.written(Served(kind), old, new)
    return rules.broken


def job(phase: str, retries: int = 0) -> JSON:
    status = {"phase": phase, "retries": retries}
    return {"metadata": {"name": "j"}, "spec": {"runPolicy": {"backoffLimit": 1}}, "status": status}


def gang(phase: str, count: int = 1, name: str = "g") -> JSON:
    asks = {"resources": {"requests": {"cpu": "2"}}}
    sets = [{"name": "w", "count": count, "template": {"spec": {"containers": [asks]}}}]
    placement = {"podSet": "w", "count": count, "nodes": [{"prefix": "n", "each": count}]}
    admission = {"queue": "q", "pool": "p", "placements": [placement]}
    return {
        "metadata": {"name": name}, "spec": {"podSets": sets},
        "status": {"phase": phase, "admission": admission},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "old", "new", "words"),
    [
        ("TrainingJob", job("Succeeded"), job("Running"), "from Succeeded to Running"),
        ("TrainingJob", job("Running", 1), job("Running", 0), "forgot retries"),
        ("TrainingJob", job("Running", 1), job("Running", 2), "retried 2 of 1"),
        ("Gang", gang("Failed"), gang("Running"), "was Failed and is Running"),
        ("Gang", None, gang("Running", 3), "6 are given away"),
    ],
)
def test_a_broken_rule_is_told(kind: str, old: JSON | None, new: JSON, words: str) -> None:
    assert any(words in told for told in written(kind, old, new))


def test_what_a_list_tells_is_of_one_moment() -> None:
    rules, one, other = Invariants(4, {}), gang("Running", 2, "one"), gang("Running", 2, "other")
    rules.written(Served("Gang"), None, one)
    rules.listed([(None, other), (one, gang("Succeeded", 2, "one"))])
    assert not rules.broken
    rules.listed([(None, gang("Running", 1, "third"))])
    assert rules.broken == ["n has 4 CPUs, 6 are given away"]


def test_what_is_right_is_not_told() -> None:
    assert written("TrainingJob", job("Queued"), job("Starting")) == []
    assert written("Gang", gang("Running"), gang("Succeeded")) == []
    assert written("Gang", None, gang("Running", 2)) == []


def pod(uid: str, phase: str, reason: str = "") -> JSON:
    told = {"gang": "g", "pod-set": "w", "rank": "0", "attempt": "0", "rank-attempt": "0"}
    ended = {"state": {"terminated": {"reason": reason}}} if reason else {"state": {}}
    return {
        "metadata": {
            "name": "g-w-0", "uid": uid, "ownerReferences": [{"uid": "u"}],
            "labels": {f"athanor.dev/{key}": value for key, value in told.items()},
        },
        "status": {"phase": phase, "containerStatuses": [ended]},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "broken"), [("Error", True), ("Completed", True), ("ContainerStatusUnknown", False)]
)
def test_an_attempt_that_is_run_again_after_its_own_end_is_told(reason: str, broken: bool) -> None:
    rules = Invariants(4, {})
    rules.written(Served("Pod"), None, pod("a", "Pending"))
    rules.written(Served("Pod"), pod("a", "Pending"), pod("a", "Failed", reason))
    rules.written(Served("Pod"), None, pod("b", "Pending"))
    rules.written(Served("Pod"), pod("b", "Pending"), pod("b", "Running"))
    assert any("a second time" in told for told in rules.broken) == broken


def test_a_rank_that_lives_twice_is_told() -> None:
    async def main() -> None:
        async with lab.server() as bed:
            nodes = {n: SimulatedNode(bed.client, n, bed.clock, forever) for n in ("a", "b")}
            rules = Invariants(4, nodes)
            for node in nodes.values():
                node.alive[Key("default", "g-w-0")] = "uid"
            rules.written(Served("Pod"), None, {"metadata": {"labels": {}}})
            assert "live twice" in rules.broken[0]

    virtual.run(main)
