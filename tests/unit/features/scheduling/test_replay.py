"""History is played on the nodes of then, beside what really happened."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
import pytest

from athanor.api.core import ConfigMap, Node
from athanor.api.meta import JSON
from athanor.api.scheduling import Gang, Pool, Queue
from athanor.features.scheduling import fleet, record, replay, scenario
from athanor.features.scheduling.core.measure import measures
from athanor.features.scheduling.core.simulate import play
from athanor.features.scheduling.core.snapshot import Policy
from athanor.features.scheduling.fleet import Fleets
from athanor.features.scheduling.observe import Observed
from athanor.features.scheduling.record import Recorder
from athanor.kit.times import parse_rfc3339, rfc3339
from athanor.runtime.plan import Action, Patch
from tests.unit.features.scheduling.test_record import Home, records

NOW = parse_rfc3339("2026-01-20T12:00:00Z")


def machine(name: str, cores: int = 8, rack: str = "r", **more: Any) -> Node:
    """A node of so many cores in a rack, with labels that nobody asks for."""
    labels = {"rack": rack, "feature": "x", "kubernetes.io/hostname": name, "zone": "z"}
    size = {"cpu": str(cores), "pods": "10"}
    return msgspec.convert(
        {"metadata": {"name": name, "labels": labels}, "status": {"allocatable": size}, **more},
        Node,
    )


def world(*machines: Node) -> dict[Any, Any]:
    """A cluster of these nodes."""
    pool = {"metadata": {"name": "default"},
            "spec": {"nodeSelector": {"zone": "z"}, "topologyLevels": ["rack"]}}  # fmt: skip
    return {
        Node: machines,
        Pool: [msgspec.convert(pool, Pool)],
        Queue: [msgspec.convert({"metadata": {"name": "team"}}, Queue)],
    }


def gang(name: str, came: float, runs: list[tuple[float, float, str]], **spec: Any) -> Gang:
    """A gang of eight cores that had these runs; all but the last one ended by an eviction."""
    container = {"name": "main", "resources": {"requests": {"cpu": "8"}}}
    one = {"name": "w", "count": 1, "template": {"spec": {"containers": [container]}}}
    *before, last = runs
    past = [{"admittedAt": rfc3339(a), "endedAt": rfc3339(b), "reason": why}
            for a, b, why in before]  # fmt: skip
    begun, end, phase = last
    return msgspec.convert({
        "metadata": {"name": name, "namespace": "ns", "uid": name,
                     "creationTimestamp": rfc3339(came)},
        "spec": {"queue": "team", "podSets": [one], **spec},
        "status": {"phase": phase, "startedAt": rfc3339(begun + 5.0), "finishedAt": rfc3339(end),
                   "evictions": len(before), "runs": past,
                   "ranSeconds": int(sum(b - a for a, b, _ in before)),
                   "admission": {"queue": "team", "pool": "default",
                                 "admittedAt": rfc3339(begun)}},
    }, Gang)  # fmt: skip


RUNS = [(NOW, NOW + 100.0, "Reclaimed"), (NOW + 300.0, NOW + 600.0, "Succeeded")]


def test_what_was_done_before_an_eviction_counts_where_checkpoints_are_written() -> None:
    anew = record.past_of(gang("a", NOW, RUNS), NOW)
    assert anew is not None and anew.ran == 300.0
    on = record.past_of(gang("a", NOW, RUNS, checkpoint={"restartSeconds": 20}), NOW)
    assert on is not None and on.ran == 300.0 + 100.0 - 20.0
    made, _ = Recorder("home")([gang("a", NOW, RUNS)], [], NOW)
    assert record.remembered(records(made))[0].runs == anew.runs
    assert [run.reason for run in anew.runs] == ["Reclaimed", "Succeeded"]


def test_what_really_happened_stands_beside_the_replay() -> None:
    """One core would have done for both, one after the other; what was, was worse."""
    late = gang("b", NOW, [(NOW + 900.0, NOW + 1000.0, "Succeeded")])
    made, _ = Recorder("home")([gang("a", NOW, RUNS), late], [], NOW + 1000.0)
    again = replay.history(world(machine("n")), Policy(), NOW + 1000.0, records(made))
    was = measures(again.scenario, again.recorded)
    assert (was.gangs, was.started, was.ended, was.evictions) == (2, 2, 2, 1)
    assert was.wait_mean == (0.0 + 900.0) / 2
    assert was.used == pytest.approx((100.0 + 300.0 + 100.0) / 1001.0)
    played = measures(again.scenario, play(again.scenario))
    assert (played.wait_mean, played.evictions) == (300.0 / 2, 0)
    assert again.unknown == 0 and again.on_todays


def test_entries_of_before_there_were_runs_are_still_played() -> None:
    made, _ = Recorder("home")([gang("a", NOW, RUNS), gang("b", NOW, RUNS[1:])], [], NOW)
    (one,) = records(made)
    said: JSON = msgspec.json.decode(one.data["a"])
    del said["runs"], said["evictions"]
    old = {"a": msgspec.json.encode(said).decode(), "b": one.data["b"], "c": "1"}
    found = replay.history(
        world(machine("n")), Policy(), NOW, [msgspec.structs.replace(one, data=old)]
    )
    assert found.scenario.work.tolist() == [300.0, 300.0]
    assert found.unknown == 1
    assert measures(found.scenario, found.recorded).started == 1


def told(fleets: Fleets, now: float, *machines: Node) -> list[Action]:
    seen = scenario.observed(world(*machines))
    return fleets(seen, now)[0]


def test_a_replay_uses_the_nodes_of_then() -> None:
    """Four in a rack for two hours, then two for as long: three on average, none of today's."""
    fleets = Fleets("home")
    five = [machine(f"n{i}", rack="b" if i == 0 else "a") for i in range(5)]
    shut = machine("shut", spec={"unschedulable": True})
    made = told(fleets, NOW, *five, shut)
    made += told(fleets, NOW + 7200.0, *five[:3], shut)
    assert not any(name in str(made) for name in ("n0", "feature", "shut"))
    over = NOW + 4 * 3600.0
    past, _ = Recorder("home")([gang("a", NOW, [(NOW, over, "Succeeded")])], [], over)
    kept = [*records(made), *records(past)]
    found = replay.history(world(machine("new", 64)), Policy(), over, kept)
    nodes = found.scenario.snapshot.nodes
    assert not found.on_todays
    cpu = found.scenario.snapshot.resources.index("cpu")
    assert nodes.capacity[:, cpu].tolist() == [8000] * 4
    assert sorted(Counter(nodes.domains[0].tolist()).values()) == [1, 3]
    assert scenario.write(found.scenario) == scenario.write(
        replay.history(world(machine("new", 64)), Policy(), over, kept[::-1]).scenario
    )


def test_nodes_are_written_when_they_changed_and_twice_is_once() -> None:
    fleets, home, one, two = Fleets("home"), Home(), machine("a"), machine("b")

    def seen(what: Observed) -> Observed:
        return msgspec.structs.replace(what, records=tuple(home.seen))

    first, more = scenario.observed(world(one)), scenario.observed(world(one, two))
    fleets(first, NOW - fleet.EVERY)  # never arrived
    made, _ = fleets(first, NOW)
    home.do(made)
    assert fleets(seen(first), NOW + 1.0) == ([], [])
    assert fleets(seen(more), NOW + 1.0) == ([], [fleet.EVERY - 1.0])
    (patch,), _ = fleets(seen(more), NOW + fleet.EVERY)
    assert isinstance(patch, Patch) and [*patch.body["data"]] == ["nodes-12"]
    home.do([patch])
    again, _ = Fleets("home")(more, NOW + fleet.EVERY)  # a restart
    assert records(again) == home.records
    home.do(fleets(seen(more), NOW + 86400.0)[0])
    assert [*home.maps] == ["athanor-history-2026-01-20-nodes", "athanor-history-2026-01-21-nodes"]
    assert Fleets()(first, NOW) == ([], [])


def test_of_very_many_sorts_of_nodes_the_most_numerous_are_told() -> None:
    machines = [machine(f"n{i:04}", rack=f"rack-{max(i - 5, 0)}") for i in range(3000)]
    (one,) = records(told(Fleets("home"), NOW, *machines))
    text = one.data["nodes-12"]
    assert len(text) < 2 * fleet.MOST
    found = fleet.there([one], NOW, NOW + 60.0)
    assert 500 < len(found) < 3000
    assert sum(node.metadata.labels["rack"] == "rack-0" for node in found) == 6
    assert msgspec.json.decode(text)["left"] == 3000 - len(found)


def test_what_cannot_be_read_of_nodes_is_left_out() -> None:
    texts = {"nodes-12": "{", "nodes-xx": "{}", "nodes-13": '{"sorts": [1]}', "uid": "{}"}
    labels = {record.LABEL: "2026-01-20"}
    torn = msgspec.convert({"metadata": {"name": "x", "labels": labels}, "data": texts}, ConfigMap)
    assert fleet.there([torn], NOW, NOW + 60.0) == []
