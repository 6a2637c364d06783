"""The account of devices that are cut into slices."""

from __future__ import annotations

from athanor.features.scheduling.core import rows as r
from athanor.features.scheduling.core.build import build
from athanor.features.scheduling.core.cycle import cycle
from athanor.features.scheduling.core.snapshot import Policy

NOW = 1_000_000.0
GPU = "gpu/x"


def test_a_slice_that_is_promised_while_it_is_held_is_not_free() -> None:
    """Booked twice, it must not read as free: a preemption would be planned onto it."""
    shape = r.ShapeRow((("cpu", 1000),), kind=GPU, devices=1, slice_slots=1)
    ask = r.AskRow((r.PodSetRow("w", shape),))
    node = r.NodeRow("a", "p", {"cpu": 8000}, devices=(r.DeviceRow(GPU, slots=7),))
    rows = r.Rows(
        [r.PoolRow("p")], [node], [r.QueueRow("q")], [r.GangRow("g", "q", ask)],
        resources=("cpu", GPU),
    )  # fmt: skip
    decisions, memo = cycle(build(rows), Policy(), NOW)
    placed = decisions.admitted[0].placed[0]
    slot, device = int(placed.slots[0]), int(placed.devices[0])
    ledger, want = memo.ledger.fork(), memo.shapes[0]
    ledger.force(0, want, device, slot)
    ledger.force(0, want, device, slot)
    assert int(ledger.cut[0, 0]) == 1 << slot
    ledger.give(0, want, device, slot)
    assert int(ledger.cut[0, 0]) == 0
