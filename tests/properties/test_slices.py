"""Devices cut into slices: places that are promised or made free are counted by a dumb twin."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Collection, Iterator
from typing import Any
from unittest import mock

from athanor.features.scheduling.core import rows as r
from athanor.features.scheduling.core.build import build
from athanor.features.scheduling.core.cycle import cycle
from athanor.features.scheduling.core.snapshot import Decisions, GangState, Policy
from athanor.features.scheduling.core.spots import Spots
from athanor.features.scheduling.core.state import State, World
from tests.properties.worlds import GPU, NOW

POLICY = Policy(reserve_after=0.0)
EVERY = 4 if int(os.environ.get("ATHANOR_EXAMPLES", "20")) >= 200 else 97
"""Of the small worlds that are gone through one by one."""
SLOTS = 4
Cell = tuple[int, int, int]
"""A node, a device there, a slot of it."""


def small() -> Iterator[r.Rows]:
    """Every world of a device of four slots that a queue has borrowed in slices, and two gangs of
    queues that want them back: the first may push nobody out, so it waits for ends."""
    quotas = {"p": r.QuotaRow({"cpu": 4000})}
    queues = [r.QueueRow("a", quotas=quotas), r.QueueRow("b", quotas=quotas), r.QueueRow("c")]
    node = r.NodeRow("n", "p", {"cpu": 99_000}, devices=(r.DeviceRow(GPU, slots=SLOTS),))
    for sizes in ((1, 1, 1, 1), (1, 1, 2), (2, 2), (1, 1, 1)):
        kinds = [*itertools.product((60.0, 600.0), (True, False))]
        for some in itertools.product(kinds, repeat=len(sizes)):
            running = [
                r.GangRow(f"g{i}", "c", ask(size), GangState.RUNNING, pool="p", started=NOW,
                          expected_end=NOW + length, preemptible=may_go)
                for i, (size, (length, may_go)) in enumerate(zip(sizes, some, strict=True))
            ]  # fmt: skip
            pods = [r.RunningRow(f"g{i}", 0, "n", 1, sum(sizes[:i])) for i in range(len(sizes))]
            for waits, comes in itertools.product((0, 1, 2), repeat=2):
                line = [
                    r.GangRow("waits", "a", ask(waits), created=NOW, preempts=False),
                    r.GangRow("comes", "b", ask(comes), created=NOW + 1.0),
                ]
                yield r.Rows(
                    [r.PoolRow("p")], [node], queues, [*running, *line], pods,
                    resources=("cpu", GPU),
                )  # fmt: skip


def ask(size: int) -> r.AskRow:
    """A gang of one pod with a slice of so many slots; 0: the whole device."""
    milli = size * 1000 // SLOTS or 1000
    shape = r.ShapeRow((("cpu", 1000),), GPU, devices=1, milli=milli, slice_slots=size)
    return r.AskRow((r.PodSetRow("s", shape),))


class Twin:
    """Who holds which cells: those that run, and those for whom places are kept."""

    def __init__(self, rows: r.Rows) -> None:
        self.rows = rows
        self.seen = Counter[str]()
        self.held: dict[str, list[Cell]] = {}
        numbers = {node.name: n for n, node in enumerate(rows.nodes)}
        for pod in rows.running:
            size = self.size(pod.gang)
            here = cells(numbers[pod.node], pod.devices, pod.slot, size)
            self.held.setdefault(pod.gang, []).extend(here)

    def size(self, gang: str) -> int:
        """Slots of a pod's slice; 0: whole devices."""
        ask = next(g.ask for g in self.rows.gangs if g.name == gang)
        return ask.pod_sets[0].shape.slice_slots

    def keep(self, state: State, gang: int, spots: Spots, gone: Collection[int]) -> None:
        """Places are kept for a gang that nobody has but those who will have gone."""
        names = state.snapshot.gangs.names
        mine = [
            cell
            for spot in spots[0]
            for cell in cells(spot.node, spot.devices, spot.slot, self.size(names[gang]))
        ]
        assert len(set(mine)) == len(mine)
        left = {names[g] for g in {*gone, *state.leaving, *state.released}}
        for name, theirs in self.held.items():
            assert name in left or not {*mine} & {*theirs}, f"{name} has a place of {names[gang]}"
        self.held[names[gang]] = mine


def cells(node: int, devices: int, slot: int, size: int) -> Iterator[Cell]:
    """What a pod holds."""
    for d in range(4):
        if devices >> d & 1:
            for at in range(slot, slot + size) if size else range(SLOTS):
                yield node, d, at


def watched(rows: r.Rows) -> tuple[Decisions, Twin]:
    """A cycle under the twin's eyes."""
    twin, promise, make_way = Twin(rows), State.promise, State.make_way

    def promised(
        self: State, gang: int, pool: int, world: World, spots: Spots, *others: Any
    ) -> None:
        outlived = others[-1]
        twin.seen["held place"] += bool(outlived)
        twin.keep(self, gang, spots, {*outlived, *self.outlived})
        promise(self, gang, pool, world, spots, *others)

    def made(self: State, gang: int, pool: int, world: World, spots: Spots, *others: Any) -> None:
        victims = others[2]
        twin.seen["way after promise"] += bool(self.outlived)
        twin.keep(self, gang, spots, victims)
        make_way(self, gang, pool, world, spots, *others)

    with mock.patch.object(State, "promise", promised), \
         mock.patch.object(State, "make_way", made):  # fmt: skip
        return cycle(build(rows), POLICY, NOW + 30.0)[0], twin


def test_a_slot_is_kept_for_one_gang_only() -> None:
    """Also one that is promised while it is held: nobody else is planned onto it."""
    seen = Counter[str]()
    for rows in itertools.islice(small(), 0, None, EVERY):
        decisions, twin = watched(rows)
        seen.update(twin.seen)
        names, running = [g.name for g in rows.gangs], {row.gang for row in rows.running}
        for one in decisions.admitted:
            placed = one.placed[0]
            spots = zip(placed.nodes.tolist(), placed.devices.tolist(), placed.slots.tolist(),
                        strict=True)  # fmt: skip
            mine = {c for spot in spots for c in cells(*spot, twin.size(names[one.gang]))}
            assert not mine & {c for name in running for c in twin.held[name]}
    assert seen["held place"] and seen["way after promise"]
