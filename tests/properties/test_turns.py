"""Who comes first, and who may push whom out: the quick ways against the plain ones."""

from __future__ import annotations

import random

import numpy as np
import pytest

from athanor.features.scheduling.core import rights
from athanor.features.scheduling.core import rows as r
from athanor.features.scheduling.core.build import build
from athanor.features.scheduling.core.ledger import Ledger, shape_of
from athanor.features.scheduling.core.line import Line
from athanor.features.scheduling.core.score import How, Rater
from athanor.features.scheduling.core.snapshot import Consent, GangState, Policy
from athanor.features.scheduling.core.state import State
from athanor.features.scheduling.core.turns import Turns


def tree(dice: random.Random, count: int) -> list[int]:
    """A parent for each queue (-1: none), four levels deep at most."""
    parents: list[int] = []
    for q in range(count):
        parents.append(dice.choice([-1, *range(q)]) if q else -1)
        if len(path(parents, q)) > 4:
            parents[q] = -1
    return parents


def path(parents: list[int], q: int) -> list[int]:
    found = [q]
    while parents[found[-1]] >= 0:
        found.append(parents[found[-1]])
    return found


@pytest.mark.parametrize("seed", range(30))
def test_turns_are_those_of_a_look_at_every_head(seed: int) -> None:
    dice = random.Random(seed)
    count = dice.randint(1, 9)
    paths = [path(parents, q) for parents in [tree(dice, count)] for q in range(count)]
    share = [dice.randint(0, 3) / 4 for _ in range(count)]
    claim = [dice.randint(0, 2) for _ in range(50)]
    priority = [dice.randint(0, 1) for _ in range(50)]
    lines: dict[int, Line] = {}
    for q in range(count):
        mine = np.array([g for g in range(50) if g % (count + 1) == q], dtype=np.int64)
        if dice.random() < 0.8 and len(mine):
            lines[q] = Line(q)
            lines[q].add(mine, np.arange(50))

    def head(line: Line) -> tuple[int, int, float, int] | None:
        g = line.head()
        return None if g is None else (claim[g], -priority[g], float(g % 7), g)

    def key(line: Line) -> tuple[object, ...]:
        said = head(line)
        assert said is not None
        shares = tuple(share[q] for q in reversed(paths[line.number]))
        return said[0], said[1], shares, said[2], said[3]

    stamps = [0] * count
    turns = Turns(lines, paths, stamps, head, share.__getitem__)
    while (line := turns.first()) is not None:
        assert line is min((one for one in lines.values() if one.head() is not None), key=key)
        line.take()
        for q in paths[line.number] if dice.random() < 0.7 else ():
            share[q] += (more := dice.choice([0.0, 0.25, 0.5]))
            stamps[q] += more > 0
    assert all(one.head() is None for one in lines.values())


@pytest.mark.parametrize("seed", range(30))
def test_all_who_may_be_pushed_out_are_found_at_once(seed: int) -> None:
    dice = random.Random(seed)
    parents = tree(dice, dice.randint(1, 8))
    queues = [
        r.QueueRow(
            f"q{q}", f"q{up}" if up >= 0 else "",
            {"p": r.QuotaRow({"cpu": dice.randint(0, 4)}, {"cpu": dice.randint(0, 6)})},
            within=dice.choice([Consent.NEVER, Consent.LOWER_PRIORITY]),
            reclaim=dice.choice([Consent.NEVER, Consent.LOWER_PRIORITY, Consent.ANY, Consent.ANY]),
        )
        for q, up in enumerate(parents)
    ]  # fmt: skip
    ask = r.AskRow((r.PodSetRow("w", r.ShapeRow((("cpu", 1),))),))
    gangs = [
        r.GangRow(f"g{i}", f"q{dice.randrange(len(queues))}", ask, priority=dice.randint(0, 2),
                  state=GangState.WAITING if i < 6 else GangState.RUNNING, pool="p")
        for i in range(24)
    ]  # fmt: skip
    running = [r.RunningRow(gang.name, 0, "n") for gang in gangs[6:]]
    rows = r.Rows([r.PoolRow("p")], [r.NodeRow("n", "p", {"cpu": 99})], queues, gangs, running,
                  resources=("cpu",))  # fmt: skip
    s = build(rows)
    ledger = Ledger(s.nodes, Rater(How.PACK, np.max(s.nodes.capacity, axis=0)))
    shapes = [shape_of(s.shapes, k) for k in range(len(s.shapes.kind))]
    state = State(s, Policy(), 100.0, ledger, shapes)
    held = state.movable(0)
    assert held.tolist() == list(range(6, 24))
    amounts = state.ask(0).amounts((1,))
    for g in range(6):
        found = rights.open_to(state, state.now, g, held, 0, amounts)
        plain = [rights.allowed(state, state.now, g, v, 0, amounts) for v in held.tolist()]
        assert found.tolist() == plain
