"""Cycles on small worlds, one story each."""

from athanor.features.scheduling.core import rows as r
from athanor.features.scheduling.core.build import build
from athanor.features.scheduling.core.cycle import cycle
from athanor.features.scheduling.core.snapshot import (
    Decisions,
    GangState,
    Policy,
    QueueState,
    Snapshot,
)

NOW = 1000.0
CPU = 1000


def ask(pods: int, cpu: int = 1, least: int | None = None, **near: str | int) -> r.AskRow:
    shape = r.ShapeRow(request=(("cpu", cpu * CPU), ("pods", 1)))
    return r.AskRow((r.PodSetRow("worker", shape, pods, least, **near),))  # type: ignore[arg-type]


def gang(name: str, queue: str, pods: int = 1, cpu: int = 1, **more: object) -> r.GangRow:
    fields = {"created": NOW - 10, **more}
    asked = fields.pop("ask", None) or ask(pods, cpu)
    return r.GangRow(name, queue, asked, **fields)  # type: ignore[arg-type]


def running(name: str, queue: str, cpu: int, **more: object) -> r.GangRow:
    return gang(name, queue, 1, cpu, state=GangState.RUNNING, pool="p", started=NOW - 100, **more)


def node(name: str, cpu: int = 8, **domains: str) -> r.NodeRow:
    return r.NodeRow(name, "p", {"cpu": cpu * CPU, "pods": 110}, domains=domains)


def quota(guaranteed: int = 0, deserved: int | None = None, limit: int | None = None,
          lendable: int | None = None) -> dict[str, r.QuotaRow]:  # fmt: skip
    def amounts(value: int | None) -> dict[str, int]:
        return {} if value is None else {"cpu": value * CPU}

    row = r.QuotaRow(amounts(guaranteed), amounts(deserved), amounts(limit), amounts(lendable))
    return {"p": row}


def world(
    nodes: list[r.NodeRow], queues: list[r.QueueRow], gangs: list[r.GangRow],
    places: dict[str, list[str]] | None = None, levels: tuple[str, ...] = (),
) -> Snapshot:  # fmt: skip
    places = places or {}
    return build(
        r.Rows(
            pools=[r.PoolRow("p", levels)],
            nodes=nodes,
            queues=queues,
            gangs=gangs,
            running=[r.RunningRow(g, 0, n) for g, where in places.items() for n in where],
        )
    )


def decide(s: Snapshot, **policy: object) -> Decisions:
    return cycle(s, Policy(**policy), NOW)[0]  # type: ignore[arg-type]


def started(s: Snapshot, d: Decisions) -> dict[str, list[str]]:
    return {
        s.gangs.names[a.gang]: [s.nodes.names[n] for p in a.placed for n in p.nodes]
        for a in d.admitted
    }


def codes(s: Snapshot, d: Decisions) -> dict[str, list[str]]:
    return {name: [w.code for w in d.why(g)] for g, name in enumerate(s.gangs.names) if d.why(g)}


def test_a_gang_starts_whole_or_not_at_all_and_says_why() -> None:
    s = world(
        [node("a"), node("b")], [r.QueueRow("q")], [gang("x", "q", 3, 4), gang("y", "q", 3, 4)]
    )
    d = decide(s)
    assert started(s, d) == {"x": ["a", "a", "b"]}
    assert codes(s, d) == {"y": ["NoCapacity"]}
    assert "room for 1 of 3 pods on 2 nodes of pool p" in d.why(1)[0].message


def test_what_no_empty_pool_could_hold_never_fits() -> None:
    s = world([node("a")], [r.QueueRow("q")], [gang("x", "q", 1, 9)])
    d = decide(s)
    assert codes(s, d) == {"x": ["NeverFits"]}


def test_a_pool_without_nodes_is_called_that() -> None:
    s = world([], [r.QueueRow("q")], [gang("x", "q", 1, 9)])
    d = decide(s)
    assert [(w.code, w.message) for w in d.why(0)] == [("NeverFits", "pool p has no nodes")]


def test_elastic_gangs_start_with_what_fits() -> None:
    s = world([node("a")], [r.QueueRow("q")], [gang("x", "q", ask=ask(12, 1, 2))])
    assert started(s, decide(s)) == {"x": ["a"] * 8}
    s = world([node("a")], [r.QueueRow("q", quotas=quota(limit=5))],
              [gang("x", "q", ask=ask(12, 1, 2))])  # fmt: skip
    assert started(s, decide(s)) == {"x": ["a"] * 5}


def test_priority_then_age_within_a_queue() -> None:
    s = world(
        [node("a", 1)], [r.QueueRow("q")],
        [gang("old", "q", created=1.0), gang("new", "q", created=2.0),
         gang("vip", "q", created=3.0, priority=5)],
    )  # fmt: skip
    d = decide(s)
    assert started(s, d) == {"vip": ["a"]}
    assert d.line.tolist() == [2, 0, 1]


def test_a_gang_that_a_faster_clock_dated_starts_at_once() -> None:
    s = world([node("a", 1)], [r.QueueRow("q")], [gang("new", "q", created=NOW + 60)])
    assert started(s, decide(s)) == {"new": ["a"]}


def test_strict_queues_wait_behind_their_head_best_effort_ones_pass() -> None:
    gangs = [gang("big", "q", 1, 8, created=NOW - 20), gang("small", "q")]
    busy = running("busy", "other", 4)
    for strict, expected in ((True, {}), (False, {"small": ["a"]})):
        s = world([node("a")], [r.QueueRow("q", strict=strict), r.QueueRow("other")],
                  [*gangs, busy], {"busy": ["a"]})  # fmt: skip
        d = decide(s)
        assert started(s, d) == expected
        if strict:
            assert codes(s, d)["small"] in (["BehindHead"], ["ReservedForOthers"])


def test_limits_hold_at_every_level_and_name_the_queue() -> None:
    queues = [r.QueueRow("root", quotas=quota(limit=3)), r.QueueRow("q", "root", quota(limit=8))]
    s = world([node("a")], queues, [gang("x", "q", 1, 2), gang("y", "q", 1, 2)])
    d = decide(s)
    assert started(s, d) == {"x": ["a"]}
    assert codes(s, d) == {"y": ["QueueLimit"]}
    assert dict(d.why(1)[0].details)["queue"] == "root"


def test_what_is_not_lendable_stays_free() -> None:
    queues = [r.QueueRow("mine", quotas=quota(6, lendable=2)), r.QueueRow("theirs", quotas=quota())]
    s = world([node("a")], queues, [gang("x", "theirs", 1, 5)])
    assert codes(s, decide(s)) == {"x": ["KeptForOthers"]}
    s = world([node("a")], queues, [gang("x", "theirs", 1, 4)])
    assert started(s, decide(s)) == {"x": ["a"]}
    s = world([node("a")], queues, [gang("x", "mine", 1, 6)])
    assert started(s, decide(s)) == {"x": ["a"]}


def test_lent_quota_is_reclaimed_and_kept_until_the_victim_has_gone() -> None:
    queues = [r.QueueRow("a", quotas=quota(4)), r.QueueRow("b", quotas=quota(4))]
    gangs = [gang("mine", "a", 1, 4), running("b1", "b", 4), running("b2", "b", 4, priority=1),
             gang("thief", "b", 1, 4, priority=9, created=1.0)]  # fmt: skip
    s = world([node("n")], queues, gangs, {"b1": ["n"], "b2": ["n"]})
    d = decide(s)
    assert [(s.gangs.names[e.gang], s.gangs.names[e.by], e.reason) for e in d.evicted][0] == (
        "b1", "mine", "Reclaimed",
    )  # fmt: skip
    assert codes(s, d)["mine"] == ["WaitsForEviction"]
    leaving = [gangs[0], gangs[1]._replace(state=GangState.LEAVING), *gangs[2:3]]
    s = world([node("n")], queues, leaving, {"b1": ["n"], "b2": ["n"]})
    d = decide(s)
    assert not d.evicted and codes(s, d) == {"mine": ["WaitsForEviction"]}
    s = world([node("n")], queues, [gangs[0], gangs[2], gangs[3]], {"b2": ["n"]})
    assert list(started(s, decide(s))) == ["mine"]


def test_nobody_is_pushed_out_of_what_is_guaranteed_to_them() -> None:
    queues = [r.QueueRow("a", quotas=quota(4)), r.QueueRow("b", quotas=quota(4))]
    gangs = [gang("more", "a", 1, 4, priority=9), running("a1", "a", 4, priority=9),
             running("b1", "b", 4)]  # fmt: skip
    s = world([node("n")], queues, gangs, {"a1": ["n"], "b1": ["n"]})
    d = decide(s)
    assert not d.evicted and codes(s, d) == {"more": ["NoCapacity"]}


def test_higher_priority_preempts_in_its_queue_as_few_as_needed() -> None:
    gangs = [gang("vip", "q", 1, 4, priority=9), running("small", "q", 2),
             running("large", "q", 4), running("other", "q", 2)]  # fmt: skip
    s = world([node("n")], [r.QueueRow("q")], gangs,
              {"small": ["n"], "large": ["n"], "other": ["n"]})  # fmt: skip
    d = decide(s)
    gone = {s.gangs.names[e.gang] for e in d.evicted}
    assert gone in ({"large"}, {"small", "other"})
    gangs[0] = gangs[0]._replace(preempts=False)
    s = world([node("n")], [r.QueueRow("q")], gangs,
              {"small": ["n"], "large": ["n"], "other": ["n"]})  # fmt: skip
    assert not decide(s).evicted


def test_required_topology_keeps_a_set_in_one_rack() -> None:
    nodes = [node("a", 4, rack="r1"), node("b", 4, rack="r2"), node("c", 4, rack="r2")]
    one = gang("x", "q", ask=ask(6, 1, required="rack"))
    s = world(nodes, [r.QueueRow("q")], [one], levels=("rack",))
    assert started(s, decide(s)) == {"x": ["b"] * 4 + ["c"] * 2}
    wide = gang("x", "q", ask=ask(9, 1, required="rack"))
    s = world(nodes, [r.QueueRow("q")], [wide], levels=("rack",))
    assert codes(s, decide(s)) == {"x": ["NeverFits"]}


def test_queues_on_hold_admit_nothing() -> None:
    s = world([node("a")], [r.QueueRow("q", state=QueueState.HOLD)], [gang("x", "q")])
    assert codes(s, decide(s)) == {"x": ["QueueOnHold"]}


def test_shares_take_turns() -> None:
    queues = [r.QueueRow("a", weight=3), r.QueueRow("b")]
    gangs = [gang(f"{q}{i}", q, created=float(i)) for q in "ab" for i in range(8)]
    s = world([node("n", 8)], queues, gangs)
    names = list(started(s, decide(s)))
    assert sum(name.startswith("a") for name in names) == 6


def test_a_promised_gang_is_not_delayed() -> None:
    gangs = [
        gang("big", "q", 1, 8, created=1.0), gang("long", "q", 1, 2, created=2.0, estimate=500.0),
        gang("short", "q", 1, 2, created=3.0, estimate=50.0),
        running("busy", "q", 4, expected_end=NOW + 100),
    ]  # fmt: skip
    s = world([node("n")], [r.QueueRow("q", strict=True)], gangs, {"busy": ["n"]})
    d = decide(s)
    assert [(s.gangs.names[h.gang], h.start) for h in d.held] == [("big", NOW + 100)]
    assert started(s, d) == {"short": ["n"]}
    assert codes(s, d)["long"] == ["ReservedForOthers"]


def test_empty_clusters_decide_nothing() -> None:
    s = build(r.Rows(pools=[], nodes=[], queues=[]))
    d = decide(s)
    assert (d.admitted, d.evicted, d.line.tolist()) == ((), (), [])
    s = build(r.Rows(pools=[], nodes=[], queues=[r.QueueRow("q")], gangs=[gang("x", "q")]))
    assert codes(s, decide(s)) == {"x": ["NoPool"]}
    s = build(r.Rows(pools=[r.PoolRow("p")], nodes=[], queues=[r.QueueRow("q")],
                     gangs=[gang("x", "q")]))  # fmt: skip
    assert codes(s, decide(s)) == {"x": ["NeverFits"]}


def test_reserved_nodes_are_for_their_queues_alone() -> None:
    queues = [r.QueueRow("a"), r.QueueRow("a1", "a"), r.QueueRow("b")]
    gangs = [gang("mine", "a1", 1, 8), gang("theirs", "b", 1, 8), gang("brief", "b", 1, 1)]
    gangs[2] = gangs[2]._replace(estimate=50.0)
    made = r.Rows(
        pools=[r.PoolRow("p")], nodes=[node("n")], queues=queues, gangs=gangs[1:],
        reservations=[r.ReservationRow("kept", ("n",), ("a",), start=NOW + 100.0)],
    )  # fmt: skip
    s = build(made)
    d = decide(s)
    assert started(s, d) == {"brief": ["n"]}
    assert codes(s, d) == {"theirs": ["ReservedForOthers"]}
    s = build(made._replace(gangs=gangs[:2]))
    assert started(s, decide(s)) == {"mine": ["n"]}
