"""Learned runtimes in backfill, on small worlds."""

from __future__ import annotations

from athanor.features.scheduling.core import rows as r
from athanor.features.scheduling.core.build import build
from athanor.features.scheduling.core.cycle import cycle
from athanor.features.scheduling.core.history import LEAST, REFRESH, History, Paths
from athanor.features.scheduling.core.lifetimes import kinds, quantile, rest
from athanor.features.scheduling.core.snapshot import (
    GangState,
    Policy,
    Snapshot,
)
from athanor.features.scheduling.core.table import Smalls, smalls

PATHS = Paths()
NOW = 1_000_000.0
SHORT, OTHER = kinds(False, 4, user="ann", name="eval"), kinds(True, 8, user="bob", name="train")


def gang(name: str, cpu: int, queue: str = "q", **more: object) -> r.GangRow:
    asked = r.AskRow((r.PodSetRow("w", r.ShapeRow((("cpu", cpu * 1000),))),))
    row = r.GangRow(name, queue, asked, created=NOW - 3600)
    return row._replace(**more)  # type: ignore[arg-type]


def world(*gangs: r.GangRow, queues: tuple[r.QueueRow, ...] = (r.QueueRow("q"),)) -> Snapshot:
    nodes = [r.NodeRow("a", "p", {"cpu": 8000})]
    running = [r.RunningRow(g.name, 0, "a") for g in gangs if g.state == GangState.RUNNING]
    return build(r.Rows([r.PoolRow("p")], nodes, queues, gangs, running))


def taught(times: int, seconds: float = 100.0) -> tuple[History, Smalls]:
    """What so many short runs teach, and the kinds of the gangs of `blocked`."""
    history = History()
    for _ in range(times):
        history.runs.ran(SHORT, seconds)
    paths = [SHORT if name == "small" else OTHER for name in blocked().gangs.names]
    return history, smalls(PATHS.number(path) for path in paths)


def blocked() -> Snapshot:
    """One runs for another 1000 s, one is promised the whole node then, and a small one."""
    busy = gang("busy", 4, state=GangState.RUNNING, pool="p", started=NOW, expected_end=NOW + 1000)
    return world(busy, gang("whole", 8), gang("small", 4, created=NOW - 5))


def started(s: Snapshot, now: float = NOW) -> list[str]:
    return [s.gangs.names[one.gang] for one in cycle(s, Policy(), now)[0].admitted]


def test_who_is_known_to_end_in_time_passes_under_a_promise() -> None:
    """Nothing said, nothing learned: it waits. Too few runs teach nothing, long ones forbid it."""
    assert started(blocked()) == []
    for times, seconds, passes in ((LEAST, 100.0, True), (LEAST - 1, 100.0, False),
                                   (LEAST, 5000.0, False)):  # fmt: skip
        history, numbers = taught(times, seconds)
        assert (started(history.mark(blocked(), numbers, PATHS, NOW)) == ["small"]) is passes


def test_what_is_learned_is_the_end_that_is_expected() -> None:
    history, numbers = taught(50)
    s = history.mark(blocked(), numbers, PATHS, NOW)
    made = cycle(s, Policy(), NOW)[0].admitted[0]
    assert 60 < made.expected_end - NOW < 150


def test_history_is_worked_out_anew_only_after_a_while_but_new_kinds_at_once() -> None:
    history, numbers = taught(LEAST - 1)
    assert (history.mark(blocked(), numbers, PATHS, NOW).gangs.lifetime < 0).all()
    history.runs.ran(SHORT, 100.0)
    assert (history.mark(blocked(), numbers, PATHS, NOW + 1).gangs.lifetime < 0).all()
    fresh = numbers.copy()
    fresh[0] = PATHS.number(kinds(False, 2, user="eve"))
    known = history.mark(blocked(), fresh, PATHS, NOW + 2).gangs.lifetime >= 0
    assert known.tolist() == [True, False, False]
    later = history.mark(blocked(), numbers, PATHS, NOW + REFRESH)
    assert [n for n, row in zip(later.gangs.names, later.gangs.lifetime, strict=True)
            if row >= 0] == ["small"]  # fmt: skip


def test_the_rest_of_a_run_is_the_quantile_of_those_that_came_as_far() -> None:
    history, numbers = taught(30)
    s = history.mark(blocked(), smalls([PATHS.number(SHORT)] * 3), PATHS, NOW)
    for now in (NOW, NOW + 50, NOW + 5000):
        for part in (0.5, 0.9):
            got = rest(s, now, part)
            for g, name in enumerate(s.gangs.names):
                ran = now - NOW if name == "busy" else 0.0
                chance = s.lifetimes.ends[s.gangs.lifetime[g]]
                assert got[g] == quantile(chance, ran, part) - ran
