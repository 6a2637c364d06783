"""The policy `timeshare` and learned runtimes, on worlds that a person can check."""

from __future__ import annotations

import numpy as np

from athanor.features.scheduling.core import rows as r
from athanor.features.scheduling.core.build import build
from athanor.features.scheduling.core.cycle import cycle
from athanor.features.scheduling.core.decisions import TIMESHARE
from athanor.features.scheduling.core.lifetimes import BINS, Outlook, Runs, bins_of, kinds, quantile
from athanor.features.scheduling.core.snapshot import Decisions, Snapshot

NOW = 1_000_000.0


def gang(name: str, cpu: int, **more: object) -> r.GangRow:
    """One pod of so many cores."""
    asked = r.AskRow((r.PodSetRow("w", r.ShapeRow((("cpu", cpu * 1000),))),))
    return r.GangRow(name, "q", asked, created=0.0)._replace(**more)  # type: ignore[arg-type]


def world(*gangs: r.GangRow, nodes: int = 1, queues: tuple[r.QueueRow, ...] = ()) -> Snapshot:
    """Nodes of eight cores; gangs that have `started` run on n0."""
    machines = [r.NodeRow(f"n{i}", "p", {"cpu": 8000}) for i in range(nodes)]
    running = [r.RunningRow(g.name, 0, "n0") for g in gangs if g.state == 1]
    return build(r.Rows([r.PoolRow("p")], machines, queues or [r.QueueRow("q")], gangs, running))


def runs(name: str, cpu: int, since: float, **more: object) -> r.GangRow:
    """A gang that has run for `since` seconds."""
    return gang(name, cpu, state=1, pool="p", started=NOW - since, **more)


def decide(s: Snapshot) -> Decisions:
    """One cycle."""
    return cycle(s, TIMESHARE, NOW)[0]


def said(s: Snapshot, d: Decisions) -> tuple[list[str], list[str]]:
    """Who starts, who goes."""
    names = s.gangs.names
    return [names[a.gang] for a in d.admitted], [names[e.gang] for e in d.evicted]


def test_what_ran_long_makes_way_for_what_has_not_run() -> None:
    """Least service first; the newcomer starts when the victim is gone."""
    s = world(runs("old", 8, 50_000), gang("new", 8))
    d = decide(s)
    assert said(s, d) == ([], ["old"])
    assert d.why(1)[0].code == "WaitsForEviction"
    gone = world(gang("old", 8, attained=50_000), gang("new", 8))
    assert said(gone, decide(gone)) == (["new"], [])


def test_nobody_makes_way_within_its_turn_or_for_who_fits_beside() -> None:
    """A turn is the policy's, or ten times the restart's cost; free nodes are used first."""
    early = world(runs("old", 8, 300), gang("new", 8))
    assert said(early, decide(early)) == ([], [])
    cheap = world(runs("old", 8, 300, restart_cost=10), gang("new", 8))
    assert said(cheap, decide(cheap)) == ([], ["old"])
    beside = world(runs("old", 8, 50_000), gang("new", 8), nodes=2)
    assert said(beside, decide(beside)) == (["new"], [])
    firm = world(runs("old", 8, 50_000, preemptible=False), gang("new", 8))
    assert said(firm, decide(firm)) == ([], [])


def test_the_shortest_rest_goes_first_unless_a_gang_is_critical() -> None:
    """Known rests: the shorter first; one longer than all the rest of the work goes at once."""
    known = {"remaining_at": NOW}
    s = world(*(gang(str(n), 8, remaining=float(n), **known) for n in (300, 100, 200)))
    assert said(s, decide(s)) == (["100"], [])
    long = world(
        gang("long", 1, remaining=9e5, **known), gang("a", 8, remaining=10.0, **known),
        gang("b", 8, remaining=20.0, **known),
    )  # fmt: skip
    assert said(long, decide(long)) == (["long"], [])


def test_a_rest_that_was_only_learned_may_turn_out_twice_as_long() -> None:
    """Half a cluster for twice its expected rest, or all the other work on the other half."""
    for others, goes in ((16, []), (24, ["old"])):
        line = [gang(f"new{i}", 8, estimate=5e5) for i in range(others)]
        s = world(runs("old", 8, 50_000), *line, nodes=2)
        left = Outlook(s, NOW).left
        assert (left[1] * others < 2 * left[0]) == (not goes)
        assert left[1] * others > left[0]
        assert said(s, decide(s)) == (["new0"], goes)


def test_guarantees_and_limits_hold() -> None:
    """A queue inside its guarantee goes first, however long its gangs ran; limits bar."""
    queues = (
        r.QueueRow("sure", quotas={"p": r.QuotaRow(guaranteed={"cpu": 8000})}),
        r.QueueRow("q", quotas={"p": r.QuotaRow(limit={"cpu": 4000})}),
    )
    s = world(runs("mine", 8, 50_000, queue="sure"), gang("new", 4), queues=queues)
    assert said(s, decide(s)) == ([], [])
    s = world(gang("a", 4), gang("b", 4), queues=queues)
    d = decide(s)
    assert said(s, d) == (["a"], [])
    assert d.why(1)[0].code == "QueueLimit"


def test_runtimes_are_learned_by_kind() -> None:
    """After some runs of an hour, an hour is expected; of others less is known."""
    learned = Runs()
    known, other = kinds(False, 8, user="ann", name="a"), kinds(False, 1, user="bob", name="b")
    for _ in range(50):
        learned.ran(known, 3600.0)
        learned.ran(other, 60.0)
    table, row = learned.chances([known, other], np.zeros(2))
    assert table.shape == (2, BINS)
    assert quantile(table[row[0]], 0.0, 0.5) < 5200
    at = int(bins_of(np.array([3600.0]))[0])
    assert table[row[0]][at] > 0.9
    assert quantile(table[row[1]], 0.0, 0.5) < 100


def test_what_is_declared_is_believed_until_seen_otherwise() -> None:
    """The rest of a run shrinks with it; a run that is over is expected to go on a little."""
    s = world(runs("a", 1, 1800, estimate=3600.0), runs("b", 1, 7200, estimate=3600.0))
    outlook = Outlook(s, NOW)
    assert 900 < outlook.left[0] < 3000
    assert 0 < outlook.left[1] < 7200
