"""Pushing out and growing against a dumb twin that tries everything: minimal, and never in vain."""

from __future__ import annotations

import os

from hypothesis import given, settings
from hypothesis import strategies as st

from athanor.features.scheduling.core import rows as r
from athanor.features.scheduling.core.build import build
from athanor.features.scheduling.core.cycle import cycle
from athanor.features.scheduling.core.memory import Memo
from athanor.features.scheduling.core.snapshot import Decisions, GangState, Policy, Resize, Snapshot
from tests.properties import worlds
from tests.properties.worlds import GPU, NOW

POLICY = Policy(resize_every=0.0)
LONG = settings(max_examples=max(int(os.environ.get("ATHANOR_EXAMPLES", "50")) // 10, 2))


@st.composite
def small(draw: st.DrawFn) -> r.Rows:
    """At most three nodes, three gangs of low priority that run, and one urgent that waits."""
    count = draw(st.integers(1, 3))
    machines = [draw(worlds.nodes(("p",)))._replace(name=f"n{i}") for i in range(count)]
    gangs = [
        r.GangRow(
            f"g{i}", "q", draw(worlds.asks()), created=float(i),
            preemptible=draw(st.sampled_from([True, True, False])),
            resize=draw(st.sampled_from([Resize.NEVER, Resize.LIVE])),
        )
        for i in range(draw(st.integers(1, 3)))
    ]  # fmt: skip
    pool = r.PoolRow("p", ("rack",))
    return r.Rows([pool], machines, [r.QueueRow("q")], gangs, resources=("cpu", GPU))


def after(rows: r.Rows, d: Decisions, s: Snapshot, spared: str = "") -> r.Rows:
    """Who is told to go has gone, but for one."""
    gone = {s.gangs.names[e.gang] for e in d.evicted} - {spared}
    shrunk = [one for one in d.shrunk if s.gangs.names[one.gang] != spared]
    rows = rows._replace(
        running=[row for row in rows.running if row.gang not in gone]
    )  # fmt: skip
    for one in shrunk:
        rows = worlds.less(rows, s.gangs.names[one.gang], one.counts)
    return rows


@given(small(), worlds.asks())
def test_a_preemption_is_minimal_and_no_chance_is_missed(rows: r.Rows, ask: r.AskRow) -> None:
    s = build(rows)
    d, _ = cycle(s, POLICY, NOW)
    rows = worlds.admit(rows, s, d)
    rows = rows._replace(gangs=[*rows.gangs, r.GangRow("vip", "q", ask, priority=9, created=NOW)])
    s = build(rows)
    d, _ = cycle(s, POLICY, NOW + 100.0)
    vip = len(rows.gangs) - 1
    machines, pool = rows.nodes, "p"
    if any(one.gang == vip for one in d.admitted):
        assert not d.evicted and not d.shrunk
        return
    mine = [e for e in d.evicted if e.by == vip] + [e for e in d.shrunk if e.by == vip]
    if not mine:
        soft = {g.name for g in rows.gangs if g.preemptible}
        left = [row for row in rows.running if row.gang not in soft]
        assert not worlds.fits(machines, ask, pool, worlds.use(rows._replace(running=left)))
        return
    assert worlds.fits(machines, ask, pool, worlds.use(after(rows, d, s)))
    for one in mine:
        name = s.gangs.names[one.gang]
        rest = after(rows, d, s, spared=name)
        assert not worlds.fits(machines, ask, pool, worlds.use(rest)), f"{name} could be spared"


@given(small(), worlds.asks())
def test_nobody_is_preempted_while_surplus_would_do(rows: r.Rows, ask: r.AskRow) -> None:
    s = build(rows)
    d, _ = cycle(s, POLICY, NOW)
    rows = worlds.admit(rows, s, d)
    rows = rows._replace(gangs=[*rows.gangs, r.GangRow("vip", "q", ask, priority=9, created=NOW)])
    s = build(rows)
    d, _ = cycle(s, POLICY, NOW + 100.0)
    if not d.evicted:
        return
    least = rows
    for gang in rows.gangs:
        if gang.resize and gang.preemptible and gang.state == GangState.RUNNING:
            sets = gang.ask.pod_sets
            counts = [one.pods if one.least is None else one.least for one in sets]
            least = worlds.less(least, gang.name, counts)
    assert not worlds.fits(rows.nodes, ask, "p", worlds.use(least))


@given(worlds.rows())
def test_growing_takes_nothing_from_anybody(rows: r.Rows) -> None:
    s = build(rows)
    d, _ = cycle(s, POLICY, NOW)
    rows = worlds.admit(rows, s, d)
    gone = {g.name for g in rows.gangs[:2]}
    rows = worlds.leave(rows, gone, forever=True)
    if not rows.gangs:
        return
    s = build(rows)
    d, _ = cycle(s, POLICY, NOW + 1000.0)
    before = {(row.gang, row.pod_set, row.node, row.devices) for row in rows.running}
    grown = worlds.admit(rows, s, d)
    now = {(row.gang, row.pod_set, row.node, row.devices) for row in grown.running}
    moved = {s.gangs.names[m.gang] for m in d.moved}
    assert before <= now or not moved
    for one in d.moved:
        for placed, pod_set in zip(one.placed, rows.gangs[one.gang].ask.pod_sets, strict=True):
            assert len(placed.nodes) <= pod_set.pods
    used = worlds.use(grown)
    for node in rows.nodes:
        assert used.cpu.get(node.name, 0) <= node.capacity["cpu"]
    assert all(milli <= 1000 for milli in used.devices.values())


@st.composite
def crowded(draw: st.DrawFn) -> r.Rows:
    """Two queues with rights to most of a small pool, and elastic gangs larger than these."""
    machines = [r.NodeRow(f"n{i}", "p", {"cpu": 4000}) for i in range(draw(st.integers(1, 3)))]
    queues = []
    for name in ("a", "b"):
        share = draw(st.integers(1, 5)) * 1000
        more = share + draw(st.integers(0, 3)) * 1000
        queues.append(r.QueueRow(name, quotas={"p": r.QuotaRow({"cpu": share}, {"cpu": more})}))
    gangs = []
    for i in range(draw(st.integers(2, 5))):
        pods = draw(st.integers(1, 6))
        least = draw(st.integers(1, pods))
        shape = r.ShapeRow(request=(("cpu", draw(st.integers(1, 2)) * 1000),))
        ask = r.AskRow((r.PodSetRow("s", shape, pods, least),))
        resize = draw(st.sampled_from([Resize.NEVER, Resize.LIVE, Resize.RESTART]))
        queue, priority = draw(st.sampled_from(["a", "b"])), draw(st.integers(0, 1))
        gangs.append(
            r.GangRow(f"g{i}", queue, ask, priority=priority, created=float(i), resize=resize)
        )
    return r.Rows([r.PoolRow("p")], machines, queues, gangs, resources=("cpu",))


@LONG
@given(
    st.one_of(crowded(), worlds.rows()),
    st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=30, max_size=30),
    st.sampled_from([0.0, 15.0]),
)
def test_no_ping_pong_over_thousands_of_cycles(
    rows: r.Rows, life: list[tuple[int, bool]], starts: float
) -> None:
    """Whatever comes and ends, the cluster comes to rest again each time.

    Gangs need `starts` seconds until all ranks run; only then may their number change.
    """
    memo: Memo | None = None
    now, born = NOW, len(rows.gangs)
    patterns = list(rows.gangs)
    for number, arrives in life:
        if arrives:
            pattern = patterns[number % len(patterns)]
            fresh = pattern._replace(name=f"g{born}", created=now, priority=number % 3)
            rows = rows._replace(gangs=[*rows.gangs, fresh])
            born += 1
        elif rows.gangs:
            name = rows.gangs[number % len(rows.gangs)].name
            rows = worlds.leave(rows, {name}, forever=True)
        still = 0
        for _ in range(60):
            if not rows.gangs:
                break
            s = build(_starting(rows, now - starts))
            d, memo = cycle(s, POLICY, now, memo)
            quiet = not (d.admitted or d.evicted or d.shrunk or d.moved)
            still = still + 1 if quiet else 0
            if still == 4:
                break
            rows = worlds.admit(rows, s, d)
            going = {g.name for g in rows.gangs if g.state == GangState.LEAVING}
            rows = worlds.leave(rows, going, forever=False)
            now += 10.0
        else:
            raise AssertionError("gangs keep pushing each other around")


def _starting(rows: r.Rows, since: float) -> r.Rows:
    """What started after that cannot grow or shrink yet."""
    gangs = [
        g._replace(resize=Resize.NEVER) if g.started > since else g for g in rows.gangs
    ]  # fmt: skip
    return rows._replace(gangs=gangs)
