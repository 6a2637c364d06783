"""Why a running gang is where it is."""

from athanor.features.scheduling.core import position
from athanor.features.scheduling.core import rows as r
from athanor.features.scheduling.core.build import build
from athanor.features.scheduling.core.cycle import cycle
from athanor.features.scheduling.core.snapshot import GangState, Policy

NOW = 10_000.0


def nodes_fact(prefer: tuple[int, ...]) -> tuple[str, dict[str, object]]:
    """What is said of the nodes of a gang with two pods on b and one on c; d is closed to it."""
    machines = [r.NodeRow(name, "p", {"cpu": 4000}, klass=k) for k, name in enumerate("abcd")]
    shape = r.ShapeRow((("cpu", 1000),), barred=(0, 0, 0, 1))
    ask = r.AskRow((r.PodSetRow("w", shape, 3, prefer=prefer),))
    gang = r.GangRow("g", "q", ask, GangState.RUNNING, pool="p", started=NOW - 100.0)
    running = [r.RunningRow("g", 0, node, rank=rank) for rank, node in enumerate("bbc")]
    s = build(r.Rows([r.PoolRow("p")], machines, [r.QueueRow("q")], [gang], running,
                     resources=("cpu",), node_classes=4))  # fmt: skip
    told = position.here(s, cycle(s, Policy(), NOW)[0], 0)
    found = next(one for one in told if one.code == "Nodes")
    return found.message, dict(found.details)


def test_it_is_told_how_many_pods_are_where_it_suits_them_best() -> None:
    text, details = nodes_fact((0, 100, 50, 200))
    assert text == (
        "3 pods on 2 nodes: 2 where it suits best (preferred nodes and data, then cost),"
        " and where least is broken up"
    )
    assert details["pods that it suits best"] == 2


def test_nothing_is_said_of_it_where_all_nodes_suit_alike() -> None:
    for prefer in ((), (7, 7, 7, 200)):
        text, details = nodes_fact(prefer)
        assert text == "3 pods on 2 nodes: where least is broken up"
        assert details == {"nodes": 2, "pods": 3}
