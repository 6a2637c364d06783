"""Budgets, running times, users, states and reservations: no random world passes any of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from athanor.features.scheduling.core import rows as r
from athanor.features.scheduling.core.build import build
from athanor.features.scheduling.core.cycle import cycle
from athanor.features.scheduling.core.snapshot import Policy, QueueState
from tests.properties import worlds
from tests.properties.worlds import NOW

POLICY = Policy()


@st.composite
def limited(draw: st.DrawFn) -> r.Rows:
    """A world whose queues have budgets, limits and states, and whose gangs have users."""
    rows = draw(worlds.rows())
    queues = [
        queue._replace(
            budget_left=draw(st.sampled_from([r.INF, 0.0, 0.01, 1.0])),
            max_runtime=draw(st.sampled_from([r.INF, 300.0])),
            user_limit=draw(st.sampled_from([{}, {"cpu": 3000}])),
            state=draw(st.sampled_from([QueueState.OPEN, QueueState.OPEN, QueueState.HOLD])),
        )
        for queue in rows.queues
    ]
    gangs = [
        gang._replace(user=draw(st.sampled_from(["ann", "ben"])),
                      limit=draw(st.sampled_from([r.INF, 120.0])))
        for gang in rows.gangs
    ]  # fmt: skip
    kept = r.ReservationRow("kept", (), (queues[-1].name,), pool="p", amounts={"cpu": 4000})
    reservations = [kept] if draw(st.booleans()) else []
    return rows._replace(queues=queues, gangs=gangs, reservations=reservations)


def path(rows: r.Rows, queue: str) -> list[r.QueueRow]:
    by_name = {q.name: q for q in rows.queues}
    found = []
    while queue:
        found.append(by_name[queue])
        queue = by_name[queue].parent
    return found


@given(limited())
def test_no_limit_of_a_queue_is_passed(rows: r.Rows) -> None:
    s = build(rows)
    d, _ = cycle(s, POLICY, NOW)
    hours: dict[str, float] = {}
    cpu: dict[tuple[str, str], int] = {}
    for one in d.admitted:
        gang = rows.gangs[one.gang]
        above = path(rows, gang.queue)
        assert all(queue.state == QueueState.OPEN for queue in above)
        longest = min([gang.limit, *(queue.max_runtime for queue in above)])
        if longest < r.INF:
            assert one.expected_end <= NOW + longest
        bound = longest if longest < r.INF else gang.estimate
        pods = [(gang.ask.pod_sets[i].shape, len(p.nodes)) for i, p in enumerate(one.placed)]
        devices = sum(n * shape.devices * shape.milli for shape, n in pods if shape.kind) / 1000.0
        for queue in above:
            hours[queue.name] = hours.get(queue.name, 0.0) + devices * bound / 3600.0
            key = queue.name, gang.user
            cpu[key] = cpu.get(key, 0) + sum(n * dict(shape.request)["cpu"] for shape, n in pods)
    for queue in rows.queues:
        assert hours.get(queue.name, 0.0) <= queue.budget_left + 1e-6
        for user in ("ann", "ben"):
            assert cpu.get((queue.name, user), 0) <= queue.user_limit.get("cpu", 10**9)


@given(limited())
def test_what_is_reserved_stays_free_for_whom_it_is_kept(rows: r.Rows) -> None:
    if not rows.reservations:
        return
    s = build(rows)
    d, _ = cycle(s, POLICY, NOW)
    capacity = sum(n.capacity["cpu"] for n in rows.nodes if n.pool == "p")
    mine = {q.name for q in rows.queues if rows.reservations[0].queues[0] in
            [above.name for above in path(rows, q.name)]}  # fmt: skip
    used = {"mine": 0, "others": 0}
    for one in d.admitted:
        gang = rows.gangs[one.gang]
        if s.pools.names[one.pool] != "p":
            continue
        whose = "mine" if gang.queue in mine else "others"
        for i, placed in enumerate(one.placed):
            shape = gang.ask.pod_sets[i].shape
            used[whose] += len(placed.nodes) * dict(shape.request)["cpu"]
    if used["others"]:
        assert used["others"] + max(4000, used["mine"]) <= capacity or used["mine"] >= 4000
