"""Verified changes, places, and stories of the simulator on small worlds."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from athanor.cli.plots import draw
from athanor.features.scheduling import scenario
from athanor.features.scheduling.core import alter, position, whatif
from athanor.features.scheduling.core import rows as r
from athanor.features.scheduling.core.build import build
from athanor.features.scheduling.core.cycle import cycle
from athanor.features.scheduling.core.measure import jain, measures
from athanor.features.scheduling.core.simulate import Scenario, play
from athanor.features.scheduling.core.snapshot import GangState, Policy, Snapshot
from athanor.features.scheduling.core.table import floats

NOW = 1_000_000.0


def ask(pods: int, cpu: int, least: int | None = None) -> r.AskRow:
    shape = r.ShapeRow(request=(("cpu", cpu * 1000),))
    return r.AskRow((r.PodSetRow("w", shape, pods, least),))


def world(*gangs: r.GangRow, nodes: int = 1) -> Snapshot:
    running = [r.RunningRow(g.name, 0, "n0") for g in gangs if g.state != GangState.WAITING]
    return build(r.Rows(
        [r.PoolRow("p")], [r.NodeRow(f"n{i}", "p", {"cpu": 8000}) for i in range(nodes)],
        [r.QueueRow("a", quotas={"p": r.QuotaRow()}), r.QueueRow("b", quotas={"p": r.QuotaRow()})],
        gangs, running, resources=("cpu",),
    ))  # fmt: skip


def busy(name: str = "busy", cpu: int = 6, ends: float = 600.0) -> r.GangRow:
    return r.GangRow(name, "a", ask(1, cpu), GangState.RUNNING, created=NOW - 50, pool="p",
                     started=NOW - 50, expected_end=NOW + ends)  # fmt: skip


def waits(name: str, pods: int, cpu: int, queue: str = "a", runs: float = 300.0) -> r.GangRow:
    return r.GangRow(name, queue, ask(pods, cpu), created=NOW - 10, estimate=runs)


def test_the_smallest_change_is_found_and_true() -> None:
    s = world(busy(), waits("x", 5, 1))
    d, _ = cycle(s, Policy(), NOW)
    asker = whatif.Asker(Policy())
    found = {c.kind: c.value for c in whatif.changes(s, d, 1, asker, (0, 1))}
    assert found == {"FewerPods": "2", "SmallerMinimum": "2"}
    smaller = world(busy(), waits("x", 2, 1))
    assert [one.gang for one in cycle(smaller, Policy(), NOW)[0].admitted] == [1]
    larger = world(busy(), waits("x", 3, 1))
    assert not cycle(larger, Policy(), NOW)[0].admitted


def test_what_lets_nobody_start_now_may_let_it_start_sooner() -> None:
    long = busy("long", 8, ends=6000.0)
    gangs = (busy("short", 8, ends=1200.0), long, waits("x", 2, 8, runs=100.0))
    nodes = [r.NodeRow(f"n{i}", "p", {"cpu": 8000}) for i in range(2)]
    running = [r.RunningRow("short", 0, "n0"), r.RunningRow("long", 0, "n1")]
    queues = [r.QueueRow("a", quotas={"p": r.QuotaRow()})]
    s = build(r.Rows([r.PoolRow("p")], nodes, queues, gangs, running, resources=("cpu",)))
    d, _ = cycle(s, Policy(), NOW)
    found = whatif.changes(s, d, 2, whatif.Asker(Policy()))
    assert [(c.kind, c.value, c.start) for c in found] == [
        ("FewerPods", "1", NOW + 1200.0), ("SmallerMinimum", "1", NOW + 1200.0)
    ]  # fmt: skip
    text = "with 1 of its 2 pods of set w it would start in about 20 min instead of 100 min"
    assert found[0].text == text


def test_nothing_is_proposed_for_who_starts_anyway_and_nothing_is_changed() -> None:
    s = world(waits("x", 2, 1))
    before = s.to_json()
    d, _ = cycle(s, Policy(), NOW)
    assert whatif.changes(s, d, 0, whatif.Asker(Policy())) == []
    assert s.to_json() == before


def test_places_count_those_of_the_queue_alone() -> None:
    s = world(busy("full", 8), waits("x", 1, 2), waits("y", 1, 2, "b"), waits("z", 1, 2))
    d, _ = cycle(s, Policy(), NOW)
    assert position.position(s, d, 3) == position.Position(0, 2, 2)
    assert position.position(s, d, 2) == position.Position(1, 1, 1)
    assert position.position(s, d, 0) is None
    assert position.holders(s, d, 0, 0) == [position.Holder(0, 8000, 0, 0)]
    assert [why.code for why in position.here(s, d, 0)] == ["Pool", "Nodes", "Claim"]


def story(*gangs: r.GangRow, nodes: int = 1) -> Scenario:
    s = world(*gangs, nodes=nodes)
    work = [300.0 if g.state == GangState.WAITING else g.expected_end - NOW for g in gangs]
    return Scenario(snapshot=s, policy=Policy(), start=NOW, work=floats(work))


def test_a_story_is_played_to_its_end_and_twice_the_same() -> None:
    one = story(busy(), waits("x", 4, 1), waits("y", 4, 1))
    told = play(one)
    assert [f.started - NOW for f in told.fates] == [0.0, 600.0, 600.0]
    assert [f.ended - NOW for f in told.fates] == [600.0, 900.0, 900.0]
    assert repr(play(one)) == repr(told)
    numbers = measures(one, told)
    assert (numbers.started, numbers.wait_mean, numbers.makespan) == (2, 600.0, 900.0)
    assert numbers.used == pytest.approx((6 * 600 + 8 * 300) / (8 * 900))


def test_changes_make_another_scenario() -> None:
    one = story(busy(), waits("x", 4, 1), waits("y", 4, 1))
    assert measures(one, play(alter.more_nodes(one, "p", 1))).wait_mean == 0.0
    gone = alter.fewer_nodes(alter.more_nodes(one, "n0", 1), ["n0"])
    assert [f.started - NOW for f in play(gone).fates][0] == 0.0  # on the other node
    limited = alter.quota(one, "a", "limit", "p", "cpu", 6000)
    assert max(f.started - NOW for f in play(limited).fates) == 900.0
    assert len(alter.arrivals(one, 3).snapshot.gangs.names) == 7
    held = alter.rule(one, "a", "state", "hold")
    assert play(held).stuck == 2
    for wrong in (
        lambda: alter.more_nodes(one, "q", 1), lambda: alter.rule(one, "a", "weight", "x"),
        lambda: alter.policy(one, "nothing", "1"),
        lambda: alter.quota(one, "a", "x", "p", "cpu", 1),
    ):  # fmt: skip
        with pytest.raises(alter.Unknown):
            wrong()


def test_scenarios_survive_their_file_and_are_drawn(tmp_path: Path) -> None:
    one = story(busy(), waits("x", 4, 1))
    again = scenario.read(scenario.write(one))
    assert dataclasses.asdict(again.policy) == dataclasses.asdict(one.policy)
    assert repr(play(again)) == repr(play(one))
    with pytest.raises(ValueError, match="no scenario"):
        scenario.read("{}")
    for name in ("a.svg", "b.html"):
        draw({"as it is": play(one)}, one.snapshot.queues.names, str(tmp_path / name))
        assert (tmp_path / name).stat().st_size > 1000


def test_fairness_is_one_when_all_are_equal() -> None:
    assert (jain([2.0, 2.0]), jain([1.0, 0.0]), jain([])) == (1.0, 0.5, 1.0)
