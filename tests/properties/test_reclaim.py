"""Taking back what was lent, in small worlds against a dumb twin that spares and tries everyone."""

from __future__ import annotations

import bisect
import itertools
import math
from functools import cache
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from athanor.features.scheduling.core import preempt
from athanor.features.scheduling.core import rows as r
from athanor.features.scheduling.core.build import build
from athanor.features.scheduling.core.cycle import cycle
from athanor.features.scheduling.core.snapshot import GangState, Policy
from tests.properties import worlds
from tests.properties.worlds import GPU, NOW

POLICY = Policy()
RUNNING = GangState.RUNNING
ASK = r.AskRow((r.PodSetRow("s", r.ShapeRow((("cpu", 1000),))),))
"""A gang of one core."""


@cache
def asks(most: int) -> st.SearchStrategy[r.AskRow]:
    """A few pods of some cores, perhaps all in one rack; at most so many cores."""
    return st.builds(
        lambda pods, cpu, near: r.AskRow(
            (r.PodSetRow("s", r.ShapeRow((("cpu", cpu * 1000),)), pods, required=near),)
        ),
        st.integers(1, 3), st.integers(1, 4), st.sampled_from(["", "", "rack"]),
    ).filter(lambda ask: cores(ask) <= most)  # fmt: skip


def cores(ask: r.AskRow) -> int:
    """All cores of a gang."""
    return sum(one.pods * dict(one.shape.request)["cpu"] // 1000 for one in ask.pod_sets)


@st.composite
def lent(draw: st.DrawFn) -> r.Rows:
    """Two or three nodes that two queues are guaranteed; one has lent and wants back."""
    sizes = draw(st.lists(st.integers(3, 6), min_size=2, max_size=3))
    machines = [
        r.NodeRow(f"n{i}", "p", {"cpu": size * 1000}, domains={"rack": f"r{i % 2}"})
        for i, size in enumerate(sizes)
    ]
    mine = draw(st.integers(1, sum(sizes)))
    theirs = draw(st.integers(0, sum(sizes) - mine))
    queues = [
        r.QueueRow(name, quotas={"p": r.QuotaRow({"cpu": most * 1000})})
        for name, most in (("mine", mine), ("theirs", theirs))
    ]
    gangs = [
        r.GangRow(f"g{i}", "theirs", draw(asks(9)), created=float(i),
                  priority=draw(st.integers(0, 1)))
        for i in range(draw(st.integers(1, 4)))
    ]  # fmt: skip
    owner = r.GangRow("owner", "mine", draw(asks(mine)), created=NOW)
    pools = [r.PoolRow("p", ("rack",))]
    rows = r.Rows(pools, machines, queues, gangs, resources=("cpu", GPU))
    s = build(rows)
    rows = worlds.admit(rows, s, cycle(s, POLICY, NOW)[0])
    return rows._replace(gangs=[*rows.gangs, owner])


def without(rows: r.Rows, gone: set[str]) -> worlds.Use:
    """What is used when these have left."""
    return worlds.use(rows._replace(running=[x for x in rows.running if x.gang not in gone]))


@given(lent())
def test_what_was_lent_comes_back_from_as_few_as_can_be(rows: r.Rows) -> None:
    s = build(rows)
    d, _ = cycle(s, POLICY, NOW + 100.0)
    owner, names = rows.gangs[-1], s.gangs.names
    right = rows.queues[1].quotas["p"].guaranteed["cpu"]
    running = {g.name for g in rows.gangs if g.state == GangState.RUNNING}
    if any(names[one.gang] == "owner" for one in d.admitted):
        assert not d.evicted
        return
    gone = {names[one.gang] for one in d.evicted}
    if gone:
        assert worlds.fits(rows.nodes, owner.ask, "p", without(rows, gone))
    for one in gone:
        rest = without(rows, gone - {one})
        assert rest.queues["theirs", "p"] > right, f"{one} was within the right of its queue"
        assert not worlds.fits(rows.nodes, owner.ask, "p", rest), f"{one} could be spared"
    if not gone and without(rows, set()).queues.get(("theirs", "p"), 0) > right:
        for one in running:
            left = without(rows, {one})
            assert not worlds.fits(rows.nodes, owner.ask, "p", left), f"{one} could have gone"


@st.composite
def crowded(draw: st.DrawFn) -> r.Rows:
    """Two or three full nodes of one queue that uses more than its right; somebody wants most of a
    node that the other queue is guaranteed."""
    nodes, gangs, running = [], [], []
    for n in range(draw(st.integers(2, 3))):
        sizes = draw(st.lists(st.sampled_from([1, 1, 2]), min_size=2, max_size=3))
        nodes.append(r.NodeRow(f"n{n}", "p", {"cpu": sum(sizes) * 1000}))
        for size in sizes:
            name, ask = f"g{len(gangs)}", r.AskRow((pod(size),))
            began = NOW - draw(st.sampled_from([100.0, 200.0, 300.0, 5000.0]))
            gangs.append(r.GangRow(name, "theirs", ask, RUNNING, pool="p", started=began))
            running.append(r.RunningRow(name, 0, f"n{n}"))
    used = sum(cores(gang.ask) for gang in gangs)
    wanted = draw(st.integers(2, 4))
    quotas = {"mine": wanted, "theirs": draw(st.integers(max(used - 5, 0), used - 1))}
    return r.Rows(
        [r.PoolRow("p")], nodes,
        [r.QueueRow(q, quotas={"p": r.QuotaRow({"cpu": n * 1000})}) for q, n in quotas.items()],
        [*gangs, r.GangRow("owner", "mine", r.AskRow((pod(wanted),)), created=NOW)], running,
        resources=("cpu", GPU),
    )  # fmt: skip


def pod(size: int) -> r.PodSetRow:
    """One pod of so many cores."""
    return r.PodSetRow("s", r.ShapeRow((("cpu", size * 1000),)))


@given(crowded())
def test_a_no_that_is_no_proof_says_so(rows: r.Rows) -> None:
    """Against all choices of those who may go: each above its queue's right, looked at last."""
    d, _ = cycle(build(rows), POLICY, NOW)
    owner = len(rows.gangs) - 1
    if d.evicted or d.why(owner)[-1].code == "NotProven":
        return
    right = rows.queues[1].quotas["p"].guaranteed["cpu"]
    names = [gang.name for gang in rows.gangs[:owner]]
    for size in range(1, len(names) + 1):
        for some in itertools.combinations(names, size):
            gone = set(some)
            if all(without(rows, gone - {v}).queues["theirs", "p"] > right for v in gone):
                assert not worlds.fits(rows.nodes, rows.gangs[owner].ask, "p", without(rows, gone))


def test_a_no_without_trying_every_pair_says_so() -> None:
    """Three may go, and those of one node would do; tried is each with the two cheapest."""
    d, _ = cycle(build(thirds(right=6)), POLICY, NOW)
    assert not d.evicted
    assert [one.code for one in d.why(9)][-1] == "NotProven"


def test_a_no_because_too_little_may_go_is_a_proof() -> None:
    """Two may go, whichever they are, and three cores are asked for."""
    d, _ = cycle(build(thirds(right=7)), POLICY, NOW)
    assert not d.evicted
    assert "NotProven" not in [one.code for one in d.why(9)]


def thirds(right: int) -> r.Rows:
    """Nine gangs of one core on three nodes, the cheapest to evict on different ones; their queue
    has a right to so many cores. Somebody wants a whole node that the other queue is guaranteed."""
    gangs = [
        r.GangRow(f"g{i}", "theirs", ASK, GangState.RUNNING, pool="p", started=NOW - 100.0 - i)
        for i in range(9)
    ]
    wide = r.AskRow((r.PodSetRow("s", r.ShapeRow((("cpu", 3000),))),))
    quotas = {"mine": 3000, "theirs": right * 1000}
    return r.Rows(
        [r.PoolRow("p")], [r.NodeRow(f"n{i}", "p", {"cpu": 3000}) for i in range(3)],
        [r.QueueRow(q, quotas={"p": r.QuotaRow({"cpu": n})}) for q, n in quotas.items()],
        [*gangs, r.GangRow("owner", "mine", wide, created=NOW)],
        [r.RunningRow(f"g{i}", 0, f"n{i % 3}") for i in range(9)], resources=("cpu", GPU),
    )  # fmt: skip


@st.composite
def lenders(draw: st.DrawFn) -> r.Rows:
    """Two or three queues that borrow from a fourth one, in gangs of a core on one node."""
    spare = draw(st.integers(1, 3))
    queues = [r.QueueRow("mine", quotas={"p": r.QuotaRow({"cpu": spare * 1000})})]
    gangs: list[r.GangRow] = []
    for i in range(draw(st.integers(2, 3))):
        right, used = draw(st.integers(0, 2)), draw(st.integers(0, 4))
        weight = draw(st.integers(1, 2))
        quota = r.QuotaRow({"cpu": right * 1000})
        queues.append(r.QueueRow(f"q{i}", quotas={"p": quota}, weight=weight))
        gangs += [
            r.GangRow(
                f"g{i}-{k}", f"q{i}", ASK, GangState.RUNNING, pool="p", created=0.0,
                started=NOW - draw(st.sampled_from([100.0, 110.0, 900.0, 1000.0, 9000.0])),
                saved=draw(st.sampled_from([math.nan, NOW - 5.0])),
            )
            for k in range(used)
        ]  # fmt: skip
    node = r.NodeRow("n", "p", {"cpu": max(len(gangs), 1) * 1000})
    running = [r.RunningRow(gang.name, 0, "n") for gang in gangs]
    owner = r.GangRow("owner", "mine", ASK, created=NOW)
    return r.Rows(
        [r.PoolRow("p")], [node], queues, [*gangs, owner], running, resources=("cpu", GPU)
    )


@given(lenders())
def test_of_about_equal_losses_the_longest_served_goes_first_then_the_queue_that_borrows_most(
    rows: r.Rows,
) -> None:
    s = build(rows)
    d, _ = cycle(s, POLICY, NOW)
    if len(d.evicted) != 1:
        return
    gone = rows.gangs[d.evicted[0].gang]
    said = {q.name: (q.quotas["p"].guaranteed["cpu"] // 1000, q.weight) for q in rows.queues}
    used = {q: sum(g.queue == q for g in rows.gangs if g.name != "owner") for q in said}
    lent = {q: max(used[q] - right, 0) / weight for q, (right, weight) in said.items()}
    unsaved = {g.name: g.started if math.isnan(g.saved) else g.saved for g in rows.gangs}
    order = {
        g.name: (about(unsaved[g.name]), -about(g.started), -lent[g.queue])
        for g in rows.gangs[:-1]
        if lent[g.queue]
    }
    assert order[gone.name] == min(order.values())


def about(since: float) -> int:
    """The class of what a gang of one core has had since then."""
    return bisect.bisect_right([600.0, 1200.0, 2400.0, 4800.0, 9600.0], NOW - since)


def test_a_no_without_trying_everyone_says_so() -> None:
    """The cheapest victims use up what their queue is above its right; the large one would do."""
    wide = r.AskRow((r.PodSetRow("s", r.ShapeRow((("cpu", 3000),))),))
    sizes = {"g0": ("a", ASK), "g1": ("b", wide)}
    gangs = [
        r.GangRow(name, "theirs", ask, GangState.RUNNING, pool="p", started=NOW - 100.0)
        for name, (_, ask) in sizes.items()
    ]
    owner = r.GangRow("owner", "mine", wide, created=NOW)
    nodes = [r.NodeRow("a", "p", {"cpu": 1000}), r.NodeRow("b", "p", {"cpu": 3000})]
    quotas = {"mine": 3000, "theirs": 3000}
    rows = r.Rows(
        [r.PoolRow("p")], nodes,
        [r.QueueRow(q, quotas={"p": r.QuotaRow({"cpu": n})}) for q, n in quotas.items()],
        [*gangs, owner], [r.RunningRow(name, 0, node) for name, (node, _) in sizes.items()],
        resources=("cpu", GPU),
    )  # fmt: skip
    d, _ = cycle(build(rows), POLICY, NOW)
    assert [one.gang for one in d.evicted] == [1]
    with mock.patch.object(preempt, "LOOKS", 0):
        d, _ = cycle(build(rows), POLICY, NOW)
    assert [one.code for one in d.why(2)][-1] == "NotProven"


def test_a_guarantee_comes_back_from_however_many_have_it() -> None:
    """A hundred gangs of one core have borrowed what one gang of a hundred cores may ask for."""
    many = 100
    gangs = [
        r.GangRow(f"g{i}", "theirs", ASK, GangState.RUNNING, pool="p", started=NOW - 100.0)
        for i in range(many)
    ]
    wide = r.AskRow((r.PodSetRow("s", r.ShapeRow((("cpu", 10000),)), 10),))
    rows = r.Rows(
        [r.PoolRow("p")], [r.NodeRow(f"n{i}", "p", {"cpu": 10000}) for i in range(10)],
        [r.QueueRow("mine", quotas={"p": r.QuotaRow({"cpu": many * 1000})}), r.QueueRow("theirs")],
        [*gangs, r.GangRow("owner", "mine", wide, created=NOW)],
        [r.RunningRow(f"g{i}", 0, f"n{i % 10}") for i in range(many)], resources=("cpu", GPU),
    )  # fmt: skip
    d, _ = cycle(build(rows), POLICY, NOW)
    assert len(d.evicted) == many


def test_a_no_after_so_many_looks_for_a_place_says_so() -> None:
    """What the first two leave is enough, but on two nodes; the third makes room on one."""
    gangs = [
        r.GangRow(f"g{i}", "theirs", ASK, GangState.RUNNING, pool="p", started=NOW - 100.0 - i)
        for i in range(4)
    ]
    wide = r.AskRow((r.PodSetRow("s", r.ShapeRow((("cpu", 2000),))),))
    rows = r.Rows(
        [r.PoolRow("p")], [r.NodeRow(f"n{i}", "p", {"cpu": 2000}) for i in range(2)],
        [r.QueueRow("mine", quotas={"p": r.QuotaRow({"cpu": 2000})}), r.QueueRow("theirs")],
        [*gangs, r.GangRow("owner", "mine", wide, created=NOW)],
        [r.RunningRow(f"g{i}", 0, f"n{i % 2}") for i in range(4)], resources=("cpu", GPU),
    )  # fmt: skip
    d, _ = cycle(build(rows), POLICY, NOW)
    assert len(d.evicted) == 2
    with mock.patch.object(preempt, "PLACES", 1):
        d, _ = cycle(build(rows), POLICY, NOW)
    assert not d.evicted
    assert [one.code for one in d.why(4)][-1] == "NotProven"
