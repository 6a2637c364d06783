"""A "no" of the search for several pod sets is a proof, or says that it is none."""

import pytest

from athanor.features.scheduling.core import rows as r
from athanor.features.scheduling.core import search
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
