"""Nodes that suit a gang better (its data, what they cost), against trying every placement.

And neither that nor topology leads where a gang may not go.
"""

from __future__ import annotations

import itertools
from functools import cache

from hypothesis import given
from hypothesis import strategies as st

from athanor.features.scheduling.core import rows as r
from athanor.features.scheduling.core.build import build
from athanor.features.scheduling.core.cycle import cycle
from athanor.features.scheduling.core.snapshot import Decisions, GangState, Policy, Resize
from tests.properties.worlds import NOW

WORTH = (0, 1, 3)
OPEN = (0,) * len(WORTH)
NEAR: tuple[dict[str, object], ...] = (
    {}, {"required": "rack"}, {"preferred": "rack"}, {"preferred": "rack", "balanced": True},
    {"slice_size": 2, "slice_level": "rack"}, {"spreads": (r.SpreadRow("rack", 1),)},
)  # fmt: skip


@cache
@st.composite
def sets(draw: st.DrawFn, most: int, sizes: tuple[int, ...] = (1,)) -> tuple[r.PodSetRow, ...]:
    """Pod sets of at most four pods together that each may ask for some topology."""
    found: list[r.PodSetRow] = []
    for i in range(draw(st.integers(1, most))):
        shape = r.ShapeRow((("cpu", draw(st.sampled_from(sizes)) * 1000),), barred=OPEN)
        pods = draw(st.integers(1, 4 // most))
        worth = tuple(draw(st.permutations(WORTH))) if most > 1 else WORTH
        one = r.PodSetRow(f"s{i}", shape, pods, **draw(st.sampled_from(NEAR)), prefer=worth)
        found.append(one)
    return tuple(found)


@st.composite
def rows(draw: st.DrawFn, most: int = 1, sizes: tuple[int, ...] = (1,)) -> r.Rows:
    """At most four nodes of three classes in two racks, and a gang."""
    machines = [
        r.NodeRow(f"n{i}", "p", {"cpu": draw(st.integers(0, 4)) * 1000},
                  klass=draw(st.integers(0, 2)), domains={"rack": f"r{draw(st.integers(0, 1))}"})
        for i in range(draw(st.integers(1, 4)))
    ]  # fmt: skip
    within = draw(st.sampled_from(["", "rack"]))
    gang = r.GangRow("g", "q", r.AskRow(draw(sets(most, sizes)), within=within))
    return world(machines, gang)


def world(machines: list[r.NodeRow], gang: r.GangRow) -> r.Rows:
    """One pool, one queue, one gang."""
    return r.Rows(
        [r.PoolRow("p", ("rack",))], machines, [r.QueueRow("q")], [gang],
        resources=("cpu",), node_classes=len(WORTH),
    )  # fmt: skip


def decide(rows: r.Rows) -> Decisions:
    """One cycle."""
    return cycle(build(rows), Policy(), NOW)[0]


def indifferent(rows: r.Rows) -> r.Rows:
    """The same world where all nodes suit alike."""
    gang = rows.gangs[0]
    alike = tuple(one._replace(prefer=()) for one in gang.ask.pod_sets)
    return rows._replace(gangs=[gang._replace(ask=gang.ask._replace(pod_sets=alike))])


@given(rows())
def test_no_other_places_suit_a_gang_better(rows: r.Rows) -> None:
    """Where it needs one rack, or prefers one and some rack holds it all: no other rack does."""
    d = decide(rows)
    ask, nodes = rows.gangs[0].ask, rows.nodes
    one = ask.pod_sets[0]
    ways: dict[bool, list[int]] = {True: [-1], False: [-1]}
    for places in itertools.combinations_with_replacement(range(len(nodes)), one.pods):
        if all(places.count(n) * 1000 <= nodes[n].capacity["cpu"] for n in places):
            racks = {nodes[n].domains["rack"] for n in places}
            ways[len(racks) == 1].append(sum(WORTH[nodes[n].klass] for n in places))
    taken = [n for x in d.admitted for placed in x.placed for n in placed.nodes.tolist()]
    worth = sum(WORTH[nodes[n].klass] for n in taken) if taken else -1
    if one.required or ask.within:
        if not (one.spreads or one.slice_size or one.balanced):
            assert worth == max(ways[True])
    elif one.preferred and not one.balanced and len(ways[True]) > 1:
        assert worth == max(ways[True])
    elif not (one.preferred or one.slice_size or one.spreads):
        assert worth == max(ways[True] + ways[False])


@given(rows(most=2), st.sets(st.integers(0, 3)))
def test_nobody_goes_to_nodes_kept_for_others_or_out_of_the_one_domain(
    rows: r.Rows, kept: set[int]
) -> None:
    names = tuple(node.name for n, node in enumerate(rows.nodes) if n in kept)
    held = [r.ReservationRow("kept", names, ("other",))] if names else []
    queues = [*rows.queues, r.QueueRow("other")]
    for some in (rows, indifferent(rows)):
        d = decide(some._replace(queues=queues, reservations=held))
        taken = {n for x in d.admitted for placed in x.placed for n in placed.nodes.tolist()}
        assert not taken & kept
        racks = {rows.nodes[n].domains["rack"] for n in taken}
        assert len(racks) <= 1 or not rows.gangs[0].ask.within


@given(rows(most=2, sizes=(1, 2)))
def test_what_suits_never_decides_whether_a_gang_starts(rows: r.Rows) -> None:
    assert bool(decide(rows).admitted) == bool(decide(indifferent(rows)).admitted)


@given(rows(most=2, sizes=(1, 2)))
def test_nodes_that_all_suit_alike_change_nothing(rows: r.Rows) -> None:
    one = [node._replace(klass=0) for node in rows.nodes]
    alike = rows._replace(nodes=one)
    found, other = decide(alike), decide(indifferent(alike))
    assert [[placed.nodes.tolist() for placed in x.placed] for x in found.admitted] == [
        [placed.nodes.tolist() for placed in x.placed] for x in other.admitted
    ]


@given(st.permutations(WORTH), st.integers(1, 3))
def test_ranks_that_come_later_go_where_it_suits_them(worth: tuple[int, ...], lost: int) -> None:
    """Those that an elastic gang grows by, and those that replace lost ones."""
    nodes = [r.NodeRow(f"n{k}", "p", {"cpu": 3000}, klass=k) for k in range(len(WORTH))]
    nodes.append(r.NodeRow("old", "p", {"cpu": 4000 - lost * 1000}))
    one = r.PodSetRow("s", r.ShapeRow((("cpu", 1000),), barred=OPEN), 4, 1, prefer=tuple(worth))
    gang = r.GangRow("g", "q", r.AskRow((one,)), GangState.RUNNING, pool="p", started=NOW - 100.0)
    running = [r.RunningRow("g", 0, "old", rank=rank) for rank in range(4 - lost)]
    grows = world(nodes, gang._replace(resize=Resize.LIVE))._replace(running=running)
    loses = world(nodes, gang)._replace(
        running=running, lost=[r.LostRow("g", 0, rank) for rank in range(4 - lost, 4)]
    )
    for rows in (grows, loses):
        (move,) = decide(rows).moved
        assert move.placed[0].nodes.tolist()[4 - lost :] == [worth.index(max(worth))] * lost
