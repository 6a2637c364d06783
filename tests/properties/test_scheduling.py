"""The scheduler's laws over random small worlds: nothing here knows how a decision is found."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from athanor.features.scheduling.core import rows as r
from athanor.features.scheduling.core.build import build
from athanor.features.scheduling.core.cycle import cycle
from athanor.features.scheduling.core.memory import Memo
from athanor.features.scheduling.core.snapshot import Decisions, GangState, Policy, Snapshot
from tests.properties import worlds
from tests.properties.worlds import GPU, NOW

POLICY = Policy()


def same(a: Decisions, b: Decisions) -> bool:
    return repr(a) == repr(b)


def check(rows: r.Rows) -> None:
    """Nothing is given twice, and no limit is passed."""
    used = worlds.use(rows)
    nodes = {n.name: n for n in rows.nodes}
    for name, cpu in used.cpu.items():
        assert cpu <= nodes[name].capacity["cpu"]
    for (name, device), milli in used.devices.items():
        assert milli <= 1000 and device < len(nodes[name].devices)
    queues = {q.name: q for q in rows.queues}
    for (queue, pool), cpu in used.queues.items():
        limit = queues[queue].quotas.get(pool, r.QuotaRow()).limit
        assert cpu <= limit.get("cpu", cpu)


@given(worlds.rows())
def test_deciding_twice_is_deciding_the_same(rows: r.Rows) -> None:
    s = build(rows)
    before = s.to_json()
    assert same(cycle(s, POLICY, NOW)[0], cycle(s, POLICY, NOW)[0])
    assert s.to_json() == before
    assert same(cycle(Snapshot.from_json(before), POLICY, NOW)[0], cycle(s, POLICY, NOW)[0])


@given(worlds.rows())
def test_gangs_start_whole_where_there_is_room_and_everybody_else_knows_why(rows: r.Rows) -> None:
    s = build(rows)
    d, _ = cycle(s, POLICY, NOW)
    check(worlds.admit(rows, s, d))
    started = {one.gang for one in d.admitted}
    for one in d.admitted:
        for placed, pod_set in zip(one.placed, rows.gangs[one.gang].ask.pod_sets, strict=True):
            least = pod_set.pods if pod_set.least is None else pod_set.least
            assert least <= len(placed.nodes) <= pod_set.pods
            if pod_set.required:
                racks = {rows.nodes[n].domains["rack"] for n in placed.nodes.tolist()}
                assert len(racks) == 1
            assert all(rows.nodes[n].pool == s.pools.names[one.pool] for n in placed.nodes)
            if pod_set.shape.kind:
                assert all(m.bit_count() == pod_set.shape.devices for m in placed.devices.tolist())
    for g in range(len(rows.gangs)):
        assert bool(d.why(g)) == (g not in started)


@given(worlds.rows(), st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=8))
def test_the_memo_changes_nothing_but_the_time(rows: r.Rows, ends: list[tuple[int, bool]]) -> None:
    memo: Memo | None = None
    now = NOW
    for number, forever in ends:
        s = build(rows)
        fresh, _ = cycle(s, POLICY, now)
        kept, memo = cycle(s, POLICY, now, memo)
        assert same(fresh, kept)
        rows = worlds.admit(rows, s, kept)
        check(rows)
        gone = {g.name for g in rows.gangs if g.state == GangState.LEAVING}
        rows = worlds.leave(rows, gone, forever=False)
        rows = worlds.leave(rows, {f"g{number}"}, forever=forever)
        now += 100.0
        if not rows.gangs:
            return


@given(worlds.rows())
def test_what_is_kept_for_a_queue_is_never_lent(rows: r.Rows) -> None:
    s = build(rows)
    d, _ = cycle(s, POLICY, NOW)
    used = worlds.use(worlds.admit(rows, s, d)).queues
    for pool in worlds.POOLS:
        capacity = sum(n.capacity["cpu"] for n in rows.nodes if n.pool == pool)
        kept = 0
        borrowed = False
        for queue in rows.queues:
            if queue.name == "root":
                continue
            quota = queue.quotas.get(pool, r.QuotaRow())
            own = quota.guaranteed.get("cpu", 0)
            keep = own - quota.lendable.get("cpu", own)
            mine = used.get((queue.name, pool), 0)
            borrowed |= mine > keep
            kept += max(keep, mine)
        assert kept <= capacity or not borrowed


@given(worlds.rows())
def test_evictions_take_only_what_is_not_guaranteed(rows: r.Rows) -> None:
    s = build(rows)
    d, _ = cycle(s, POLICY, NOW)
    rows = worlds.admit(rows, s, d)
    newcomers = [
        g._replace(name=f"x{i}", priority=g.priority + i % 2, created=NOW)
        for i, g in enumerate(rows.gangs)
    ]
    rows = rows._replace(gangs=[*rows.gangs, *newcomers])
    s = build(rows)
    d, _ = cycle(s, POLICY, NOW + 1000.0)
    by_name = {g.name: g for g in rows.gangs}
    gone = {s.gangs.names[e.gang] for e in d.evicted}
    left = worlds.use(worlds.leave(rows, gone, forever=True)).queues
    queues = {q.name: q for q in rows.queues}
    for eviction in d.evicted:
        victim, by = by_name[s.gangs.names[eviction.gang]], by_name[s.gangs.names[eviction.by]]
        assert victim.preemptible and victim.state == GangState.RUNNING
        if victim.queue == by.queue:
            assert victim.priority < by.priority
            continue
        quota = queues[victim.queue].quotas.get(victim.pool, r.QuotaRow())
        held = sum(
            dict(victim.ask.pod_sets[p.pod_set].shape.request)["cpu"]
            for p in rows.running if p.gang == victim.name
        )  # fmt: skip
        after = left.get((victim.queue, victim.pool), 0)
        assert after + held > quota.guaranteed.get("cpu", 0)


@given(st.lists(worlds.nodes(("p",)), min_size=1, max_size=3), worlds.asks())
def test_a_gang_starts_if_and_only_if_some_way_exists(
    nodes: list[r.NodeRow], ask: r.AskRow
) -> None:
    named = [n._replace(name=f"n{i}") for i, n in enumerate(nodes)]
    rows = r.Rows(
        [r.PoolRow("p", ("rack",))], named, [r.QueueRow("q")], [r.GangRow("g", "q", ask)],
        resources=("cpu", GPU),
    )  # fmt: skip
    d, _ = cycle(build(rows), POLICY, NOW)
    assert bool(d.admitted) == worlds.fits(named, ask, "p")


@given(worlds.rows(most_gangs=4))
def test_a_cluster_left_alone_comes_to_rest(rows: r.Rows) -> None:
    """No ping-pong: with nothing arriving or ending, evictions stop."""
    now, still = NOW, 0
    memo: Memo | None = None
    for _ in range(30):
        s = build(rows)
        d, memo = cycle(s, POLICY, now, memo)
        still = 0 if d.admitted or d.evicted else still + 1
        if still == 3:
            return
        rows = worlds.admit(rows, s, d)
        gone = {g.name for g in rows.gangs if g.state == GangState.LEAVING}
        rows = worlds.leave(rows, gone, forever=False)
        now += 10.0
    raise AssertionError("gangs keep pushing each other out")
