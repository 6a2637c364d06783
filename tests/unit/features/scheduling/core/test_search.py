"""A "no" of a search, for several pod sets or for domains, is a proof or says that it is none."""

import pytest

from athanor.features.scheduling.core import rows as r
from athanor.features.scheduling.core import search, spread
from athanor.features.scheduling.core.build import build
from athanor.features.scheduling.core.cycle import cycle
from athanor.features.scheduling.core.snapshot import Policy


@pytest.mark.parametrize(("budget", "code"), [(3000, "NeverFits"), (1, "NotProven")])
def test_a_search_that_ended_early_says_so(
    budget: int, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "BUDGET", budget)
    shape = r.ShapeRow((("cpu", 3000),))
    ask = r.AskRow((r.PodSetRow("a", shape), r.PodSetRow("b", shape)))
    nodes = [r.NodeRow("n", "p", {"cpu": 4000})]
    rows = r.Rows(
        [r.PoolRow("p")], nodes, [r.QueueRow("q")], [r.GangRow("g", "q", ask)], resources=("cpu",)
    )
    d, _ = cycle(build(rows), Policy(), 1000.0)
    assert [one.code for one in d.why(0)] == [code]


SPREAD = (r.SpreadRow("zone", 1), r.SpreadRow("host", 1))
"""Two rules at once: a deal that ends nowhere is taken back, and other ways are looked at."""


@pytest.mark.parametrize(
    ("budget", "soft", "codes"),
    [(2000, False, ["NeverFits"]), (0, False, ["NotProven"]), (0, True, [])],
)
def test_a_search_for_domains_that_ended_early_says_so(
    budget: int, soft: bool, codes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three pods on two nodes of one zone, and a zone where there is room for none."""
    monkeypatch.setattr(spread, "BUDGET", budget)
    rules = tuple(one._replace(soft=soft) for one in SPREAD)
    pods = r.PodSetRow("s", r.ShapeRow((("cpu", 1000),)), 3, spreads=rules)
    nodes = [
        r.NodeRow(f"n{i}", "p", {"cpu": cores * 1000}, domains={"zone": zone, "host": f"h{i}"})
        for i, (zone, cores) in enumerate([("a", 2), ("a", 2), ("b", 0)])
    ]
    rows = r.Rows(
        [r.PoolRow("p", ("zone", "host"))], nodes, [r.QueueRow("q")],
        [r.GangRow("g", "q", r.AskRow((pods,)))], resources=("cpu",),
    )  # fmt: skip
    d, _ = cycle(build(rows), Policy(), 1000.0)
    assert [one.code for one in d.why(0)] == codes
