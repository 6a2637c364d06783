"""Taking back what was lent, in small worlds against a dumb twin that spares and tries everyone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from athanor.features.scheduling.core import rows as r
from athanor.features.scheduling.core.build import build
from athanor.features.scheduling.core.cycle import cycle
from athanor.features.scheduling.core.snapshot import GangState, Policy
from tests.properties import worlds
from tests.properties.worlds import GPU, NOW

POLICY = Policy()


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
