"""Fair shares over time: who sends many short jobs between two looks gains nothing by it."""

from __future__ import annotations

import pytest

from athanor.features.scheduling.core import rows as r
from athanor.features.scheduling.core.build import build
from athanor.features.scheduling.core.cycle import cycle
from athanor.features.scheduling.core.memory import Memo
from athanor.features.scheduling.core.snapshot import GangState, Policy

LOOK, LOOKS, CORES = 30.0, 300, 4
ASK = r.AskRow((r.PodSetRow("s", r.ShapeRow((("cpu", 1000),))),))
RUNS = {"short": 29.0, "long": 290.0}
"""Short jobs are gone before the next look: none is ever seen to use anything."""


def used(policy: Policy) -> dict[str, float]:
    """Core-seconds that two queues get, both with work enough at every look."""
    ends: dict[str, tuple[str, float]] = {}
    got = dict.fromkeys(RUNS, 0.0)
    past: dict[str, dict[tuple[str, str], float]] = {queue: {} for queue in RUNS}
    memo: Memo | None = None
    for look in range(LOOKS):
        now = LOOK * look
        ends = {name: one for name, one in ends.items() if one[1] > now}
        running = [
            r.GangRow(name, queue, ASK, GangState.RUNNING, pool="p", started=end - RUNS[queue],
                      created=end - RUNS[queue])
            for name, (queue, end) in sorted(ends.items())
        ]  # fmt: skip
        waiting = [
            r.GangRow(f"{queue}-{look}-{i}", queue, ASK, created=now)
            for i in range(CORES) for queue in RUNS
        ]  # fmt: skip
        queues = [
            r.QueueRow(queue, half_life=1200.0, decayed=past[queue], decayed_at=now - LOOK)
            for queue in RUNS
        ]
        s = build(
            r.Rows(
                [r.PoolRow("p")], [r.NodeRow("n", "p", {"cpu": CORES * 1000})], queues,
                [*running, *waiting], [r.RunningRow(one.name, 0, "n") for one in running],
                resources=("cpu",),
            )
        )  # fmt: skip
        d, memo = cycle(s, policy, now, memo)
        past = {q: {("p", "cpu"): float(d.decayed[i, 0, 0])} for i, q in enumerate(s.queues.names)}
        for one in d.admitted:
            queue = s.queues.names[int(s.gangs.queue[one.gang])]
            ends[s.gangs.names[one.gang]] = queue, now + RUNS[queue]
            got[queue] += RUNS[queue]
    return got


@pytest.mark.parametrize(("policy", "fair"), [(Policy(), True), (Policy(entry_penalty=0.0), False)])
def test_many_short_jobs_between_two_looks_gain_nothing(policy: Policy, *, fair: bool) -> None:
    got = used(policy)
    assert (got["short"] <= got["long"]) == fair
