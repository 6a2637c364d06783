"""Nodes that suit a gang better (its data, what they cost), against trying every placement."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from athanor.features.scheduling.core import rows as r
from athanor.features.scheduling.core.build import build
from athanor.features.scheduling.core.cycle import cycle
from athanor.features.scheduling.core.snapshot import Policy
from tests.properties.worlds import NOW

WORTH = (0, 1, 3)


@st.composite
def rows(draw: st.DrawFn) -> r.Rows:
    """At most four nodes of three classes in two racks, and a gang of at most four pods."""
    machines = [
        r.NodeRow(f"n{i}", "p", {"cpu": draw(st.integers(0, 4)) * 1000},
                  klass=draw(st.integers(0, 2)), domains={"rack": f"r{draw(st.integers(0, 1))}"})
        for i in range(draw(st.integers(1, 4)))
    ]  # fmt: skip
    shape = r.ShapeRow((("cpu", 1000),), barred=(0, 0, 0))
    near = draw(st.sampled_from(["", "rack"]))
    one = r.PodSetRow("s", shape, draw(st.integers(1, 4)), required=near, prefer=WORTH)
    return r.Rows(
        [r.PoolRow("p", ("rack",))], machines, [r.QueueRow("q")],
        [r.GangRow("g", "q", r.AskRow((one,)))], resources=("cpu",), node_classes=len(WORTH),
    )  # fmt: skip


@given(rows())
def test_no_other_places_suit_a_gang_better(rows: r.Rows) -> None:
    s = build(rows)
    d, _ = cycle(s, Policy(), NOW)
    one, nodes = rows.gangs[0].ask.pod_sets[0], rows.nodes
    best = -1
    for places in itertools.combinations_with_replacement(range(len(nodes)), one.pods):
        racks = {nodes[n].domains["rack"] for n in places}
        fits = all(places.count(n) * 1000 <= nodes[n].capacity["cpu"] for n in places)
        if fits and (not one.required or len(racks) == 1):
            best = max(best, sum(WORTH[nodes[n].klass] for n in places))
    taken = [n for x in d.admitted for placed in x.placed for n in placed.nodes.tolist()]
    worth = sum(WORTH[nodes[n].klass] for n in taken) if taken else -1
    assert worth == best
