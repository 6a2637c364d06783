"""Ranks that lost their node get places by the same rules as when the gang started."""

import pytest

from athanor.features.scheduling.core import rows as r
from athanor.features.scheduling.core.build import build
from athanor.features.scheduling.core.cycle import cycle
from athanor.features.scheduling.core.snapshot import GangState, Policy

NOW = 10_000.0


@pytest.mark.parametrize(
    "rule", [r.SpreadRow("zone", -1), r.SpreadRow("zone", 1, beside=(("a", 1), ("b", 1)))],
    ids=["one a zone", "equally"],
)  # fmt: skip
def test_a_rank_that_lost_its_node_goes_where_the_rules_of_spreading_let_it(
    rule: r.SpreadRow,
) -> None:
    nodes = [
        r.NodeRow(name, "p", {"cpu": cpu * 1000}, domains={"zone": zone})
        for name, cpu, zone in (("a", 1, "x"), ("a1", 1, "x"), ("b", 1, "y"), ("c", 8, "z"))
    ]
    shape = r.ShapeRow((("cpu", 1000),))
    gang = r.GangRow(
        "g", "q", r.AskRow((r.PodSetRow("w", shape, 3, spreads=(rule,)),)), GangState.RUNNING,
        pool="p", started=NOW - 100.0,
    )  # fmt: skip
    running = [r.RunningRow("g", 0, node, rank=rank) for rank, node in enumerate("ab")]
    levels = ("zone",)
    rows = r.Rows(
        [r.PoolRow("p", levels)], nodes, [r.QueueRow("q")], [gang], running,
        [r.LostRow("g", 0, 2)], resources=("cpu",),
    )  # fmt: skip
    s = build(rows)
    d, _ = cycle(s, Policy(), NOW)
    (move,) = d.moved
    assert [s.nodes.names[n] for n in move.placed[0].nodes] == ["a", "b", "c"]
