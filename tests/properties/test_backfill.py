"""Backfill in small worlds against a dumb twin: promises are the earliest, and are kept."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from athanor.features.scheduling.core import memory
from athanor.features.scheduling.core import rows as r
from athanor.features.scheduling.core.build import build
from athanor.features.scheduling.core.cycle import cycle
from athanor.features.scheduling.core.snapshot import GangState, Policy
from athanor.features.scheduling.core.state import State
from tests.properties import worlds
from tests.properties.worlds import GPU, NOW

POLICY = Policy()
TIMES = [60.0, 120.0, 300.0, 600.0]
EVERY = 1 if int(os.environ.get("ATHANOR_EXAMPLES", "20")) >= 200 else 41
"""Of the small worlds that are gone through one by one."""
KINDS = ((1, 1, 60.0), (1, 2, 120.0), (2, 1, 60.0), (2, 2, 300.0))
"""Pods, cores of each, seconds."""


@st.composite
def crowded(draw: st.DrawFn) -> r.Rows:
    """At most three nodes and four gangs of one queue that say how long they run."""
    machines = [
        r.NodeRow(
            f"n{i}", "p", {"cpu": draw(st.integers(2, 5)) * 1000},
            domains={"rack": draw(st.sampled_from(["r1", "r2"]))},
            devices=(r.DeviceRow(GPU),) * draw(st.integers(0, 2)),
        )
        for i in range(draw(st.integers(1, 3)))
    ]  # fmt: skip
    asks = worlds.asks().filter(lambda ask: worlds.fits(machines, ask, "p"))
    gangs = [
        r.GangRow(f"g{i}", "q", draw(asks), created=float(i),
                  estimate=draw(st.sampled_from(TIMES)))
        for i in range(4)
    ]  # fmt: skip
    pool, queue = r.PoolRow("p", ("rack",)), r.QueueRow("q", strict=draw(st.booleans()))
    return r.Rows([pool], machines, [queue], gangs, resources=("cpu", GPU))


def play(rows: r.Rows, policy: Policy) -> tuple[dict[str, float], dict[str, float]]:
    """When each gang starts if all run as long as they say, and what each was promised last."""
    now, starts, promised = NOW, {}, {}
    ends: dict[str, float] = {}
    while True:
        s = build(rows)
        d, _ = cycle(s, policy, now)
        assert not d.evicted and not d.shrunk
        for held in d.held:
            name = s.gangs.names[held.gang]
            assert held.start <= promised.get(name, held.start), f"{name} is put off"
            promised[name] = held.start
        rows = worlds.admit(rows, s, d)
        for one in d.admitted:
            name = s.gangs.names[one.gang]
            starts[name] = now
            ends[name] = one.expected_end
        if not ends:
            return starts, promised
        now = min(ends.values())
        gone = {name for name, end in ends.items() if end == now}
        ends = {name: end for name, end in ends.items() if name not in gone}
        rows = worlds.leave(rows, gone, forever=True)


def soonest(rows: r.Rows, name: str) -> float | None:
    """When a gang fits beside what still runs then: every end is tried. None: never."""
    gangs = {g.name: g for g in rows.gangs}
    running = [g for g in rows.gangs if g.state == GangState.RUNNING]
    for at in sorted({g.expected_end for g in running}):
        left = [row for row in rows.running if gangs[row.gang].expected_end > at]
        beside = worlds.use(rows._replace(running=left))
        if worlds.fits(rows.nodes, gangs[name].ask, "p", beside):
            return at
    return None


@given(crowded(), st.integers(1, 3))
def test_a_promise_is_kept_and_never_put_off(rows: r.Rows, reserved: int) -> None:
    policy = POLICY.with_(reserved=reserved, reserve_after=0.0)
    starts, promised = play(rows, policy)
    for name, at in promised.items():
        assert starts[name] <= at, f"{name} was promised {at - NOW:g}"


@given(crowded(), st.integers(1, 3))
def test_nobody_with_a_promise_starts_later_than_without_backfill(
    rows: r.Rows, reserved: int
) -> None:
    policy = POLICY.with_(reserved=reserved, reserve_after=0.0)
    s = build(rows)
    held = {s.gangs.names[one.gang] for one in cycle(s, policy, NOW)[0].held}
    starts, _ = play(rows, policy)
    for i, gang in enumerate(rows.gangs):
        if gang.name in held:
            alone, _ = play(rows._replace(gangs=rows.gangs[: i + 1]), policy)
            assert starts[gang.name] <= alone[gang.name]


@given(crowded())
def test_the_first_promise_is_the_earliest_that_there_is(rows: r.Rows) -> None:
    policy = POLICY.with_(reserve_after=0.0)
    s = build(rows)
    d, _ = cycle(s, policy, NOW)
    running = worlds.admit(rows, s, d)
    before = {one.gang for one in d.admitted}
    for held in d.held[:1]:
        ahead = [g for g in before if g < held.gang]
        kept = running._replace(
            running=[x for x in running.running if s.gangs.names.index(x.gang) in ahead],
            gangs=[g for i, g in enumerate(running.gangs) if i in ahead or i == held.gang],
        )
        assert soonest(kept, s.gangs.names[held.gang]) == held.start


@given(worlds.rows())
def test_many_that_end_at_once_leave_what_they_leave_one_by_one(rows: r.Rows) -> None:
    s = build(rows)
    for _ in range(2):
        d, _ = cycle(s, POLICY, NOW)
        rows = worlds.admit(rows, s, d)
        s = build(rows)
    memo = memory.current(None, s, POLICY, NOW)
    state = State(s, POLICY, NOW, memo.ledger, memo.shapes)
    gone = np.array(list(state.held)[::2], dtype=np.int64)
    together, alone = state.now.fork(), state.now.fork()
    state.release_all(together, gone)
    for gang in gone.tolist():
        state.release(alone, gang)
    for name in ("free", "milli", "mib", "cut"):
        assert (getattr(together.ledger, name) == getattr(alone.ledger, name)).all(), name
    for shape, count in together.ledger.count.items():
        assert (count == alone.ledger.count[shape]).all()
    for name in ("use", "held"):
        assert (getattr(together.tree, name) == getattr(alone.tree, name)).all(), name
    for name in ("lend", "firm"):
        one, other = getattr(together.tree, name), getattr(alone.tree, name)
        assert (one.base == other.base).all(), name
        assert (one.total == other.total).all(), name
    assert together.tree.users.keys() == alone.tree.users.keys()
    for who, amounts in together.tree.users.items():
        assert (amounts == alone.tree.users[who]).all()


def every() -> Iterator[r.Rows]:
    """All worlds of up to two nodes of two or three cores and four gangs of these kinds."""
    for strict, count in itertools.product((True, False), (1, 2)):
        for sizes in itertools.combinations_with_replacement((2, 3), count):
            machines = [
                r.NodeRow(f"n{i}", "p", {"cpu": size * 1000}) for i, size in enumerate(sizes)
            ]
            for kinds in itertools.product(KINDS, repeat=4):
                gangs = [
                    r.GangRow(f"g{i}", "q", r.AskRow((
                        r.PodSetRow("s", r.ShapeRow((("cpu", cpu * 1000),)), pods),
                    )), created=float(i), estimate=seconds)
                    for i, (pods, cpu, seconds) in enumerate(kinds)
                ]  # fmt: skip
                queue = r.QueueRow("q", strict=strict)
                yield r.Rows([r.PoolRow("p")], machines, [queue], gangs, resources=("cpu", GPU))


def test_in_every_small_world_promises_hold_and_backfill_delays_nobody() -> None:
    policy = POLICY.with_(reserved=3, reserve_after=0.0)
    for rows in itertools.islice(every(), 0, None, EVERY):
        held = cycle(build(rows), policy, NOW)[0].held
        starts, promised = play(rows, policy)
        assert all(starts[name] <= at for name, at in promised.items())
        for one in held:
            alone, _ = play(rows._replace(gangs=rows.gangs[: one.gang + 1]), policy)
            name = rows.gangs[one.gang].name
            assert starts[name] <= alone[name]
