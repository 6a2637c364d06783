"""The compiled loops decide bit for bit what the plain ones decide, whatever the devices."""

from __future__ import annotations

import dataclasses
import importlib
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from athanor.features.scheduling.core import frag
from athanor.features.scheduling.core import rows as r
from athanor.features.scheduling.core.build import build
from athanor.features.scheduling.core.ledger import Ledger, shape_of
from athanor.features.scheduling.core.place import force, place, undo
from athanor.features.scheduling.core.score import How, Rater
from athanor.features.scheduling.core.snapshot import Snapshot
from athanor.features.scheduling.core.spots import SetAsk, Spots
from athanor.features.scheduling.core.topology import Near

pytestmark = pytest.mark.skipif(
    find_spec("numba") is None, reason="athanor[scale] is not installed"
)
NEVER = 10**9
KINDS = ("gpu", "npu")
MODELS = ("small", "big")


@cache
@st.composite
def nodes(draw: st.DrawFn) -> r.NodeRow:
    """A machine with up to four devices: of one sort, or mixed, sliced or not."""
    one = st.builds(
        r.DeviceRow, st.sampled_from(KINDS), st.sampled_from(("", *MODELS)),
        st.sampled_from([16_000, 40_000]), st.sampled_from([0, 0, 7, 8]),
        st.sampled_from([True, True, True, False]),
    )  # fmt: skip
    alike = draw(st.booleans())
    count = draw(st.integers(0, 4))
    devices = (draw(one),) * count if alike else tuple(draw(one) for _ in range(count))
    return r.NodeRow(
        "", "p", {"cpu": draw(st.integers(0, 8)) * 1000, "memory": 64}, devices=devices
    )


@cache
@st.composite
def shapes(draw: st.DrawFn) -> r.ShapeRow:
    """One pod: no devices, whole ones, shares (perhaps with their own memory) or a slice."""
    request = (("cpu", draw(st.integers(0, 3)) * 500), ("memory", draw(st.integers(0, 9))))
    limit = draw(st.sampled_from([0, 0, 0, 2]))
    sort = draw(st.sampled_from(["none", "whole", "share", "shares", "slice"]))
    if sort == "none":
        return r.ShapeRow(request, per_node=limit)
    milli = 1000 if sort in ("whole", "slice") else draw(st.sampled_from([150, 300, 500, 999]))
    return r.ShapeRow(
        request, draw(st.sampled_from(KINDS)),
        1 if sort in ("share", "slice") else draw(st.integers(1, 3)), milli,
        mib=draw(st.sampled_from([0, 0, 9_000])) if sort.startswith("share") else 0,
        min_mib=draw(st.sampled_from([0, 0, 20_000])),
        slice_slots=draw(st.integers(1, 4)) if sort == "slice" else 0,
        models=draw(st.sampled_from([(), (), ("big",), ("big", "small")])), per_node=limit,
    )  # fmt: skip


@st.composite
def worlds(draw: st.DrawFn) -> Snapshot:
    """Some nodes and shapes; a gang of everything makes the shapes known."""
    machines = [
        node._replace(name=f"n{i}")
        for i, node in enumerate(draw(st.lists(nodes(), min_size=1, max_size=8)))
    ]
    sets = draw(st.lists(shapes(), min_size=1, max_size=6, unique=True))
    ask = r.AskRow(tuple(r.PodSetRow(f"s{i}", shape) for i, shape in enumerate(sets)))
    return build(
        r.Rows([r.PoolRow("p")], machines, [r.QueueRow("q")], [r.GangRow("g", "q", ask)],
               resources=("cpu", "memory"))
    )  # fmt: skip


def look(ledger: Ledger, ask: SetAsk) -> list[list[int]]:
    """All that a view says (the device only where there is room)."""
    view = ledger.view(ask.shape, 0)
    device = np.where(view.room > 0, view.device, -1)
    return [view.room.tolist(), view.score.tolist(), device.tolist()]


@settings(deadline=None)
@given(
    worlds(), st.sampled_from(How),
    st.lists(st.tuples(st.integers(0, 5), st.integers(1, 3), st.booleans()), max_size=14),
)  # fmt: skip
def test_both_ways_see_and_choose_the_same(
    s: Snapshot, how: How, steps: list[tuple[int, int, bool]]
) -> None:
    known = [shape_of(s.shapes, k) for k in range(len(s.shapes.kind))]
    asks = [SetAsk(i, shape, 1, 1, Near()) for i, shape in enumerate(known)]
    scale = np.max(s.nodes.capacity, axis=0)
    rater = Rater(how, scale, frag.mix(known, [1.0] * len(known), 0))
    plain, quick = Ledger(s.nodes, rater, NEVER), Ledger(s.nodes, rater, 0)
    assert plain.engine is None and quick.engine is not None
    held: list[tuple[SetAsk, Spots]] = []
    for k, pods, back in steps:
        ask = asks[k % len(asks)]
        if back and held:
            one, spots = held.pop(0)
            for ledger in (plain, quick):
                undo(ledger, (one,), spots)
        found = [place(ledger, (ask,), (pods,), 0, ()) for ledger in (plain, quick)]
        assert found[0] == found[1]
        if found[0] is not None:
            held.append((ask, found[0]))
        if len(held) == 3:
            other = rater._replace(mix=frag.mix(known, [1.0 + i for i in range(len(known))], 0))
            plain.rerate(other)
            quick.rerate(other)
        for column in ("free", "milli", "mib", "cut"):
            assert np.array_equal(getattr(plain, column), getattr(quick, column))
        assert look(plain, ask) == look(quick, ask)
    for ask in asks:
        assert look(plain, ask) == look(quick, ask)


@settings(deadline=None)
@given(worlds(), st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2)), max_size=14))
def test_a_ledger_that_is_narrowed_is_where_both_meet(
    s: Snapshot, steps: list[tuple[int, int]]
) -> None:
    known = [shape_of(s.shapes, k) for k in range(len(s.shapes.kind))]
    asks = [SetAsk(i, shape, 1, 1, Near()) for i, shape in enumerate(known)]
    scale = np.max(s.nodes.capacity, axis=0)
    one = Ledger(s.nodes, Rater(How.GRADIENT, scale, frag.mix(known, [1.0] * len(known), 0)), NEVER)
    other, held = one.fork(), []
    for k, what in steps:
        ask = asks[k % len(asks)]
        if what == 0 and held:
            undo(other, *held.pop())  # it ends there alone
            continue
        found = place(other if what == 1 else one, (ask,), (1,), 0, ())
        if found is not None and what == 2:
            force(other, (ask,), found)
            held.append(((ask,), found))
    for ask in asks:
        look(one, ask)
    both = one.meet(other)
    one.narrow(other)
    for column in ("free", "milli", "mib", "cut", "open"):
        assert np.array_equal(getattr(one, column), getattr(both, column))
    for ask in asks:
        assert look(one, ask) == look(both, ask)


def test_tables_grow_when_patterns_are_many() -> None:
    devices = (r.DeviceRow("gpu", "m", 1000),) * 4
    machines = [r.NodeRow(f"n{i}", "p", {"cpu": 10**6}, devices=devices) for i in range(40)]
    sizes = [r.ShapeRow((("cpu", 1),), "gpu", 1, milli) for milli in range(11, 91)]
    ask = r.AskRow(tuple(r.PodSetRow(f"s{i}", shape) for i, shape in enumerate(sizes)))
    s = build(r.Rows([r.PoolRow("p")], machines, [r.QueueRow("q")], [r.GangRow("g", "q", ask)],
                     resources=("cpu",)))  # fmt: skip
    known = [shape_of(s.shapes, k) for k in range(len(s.shapes.kind))]
    rater = Rater(How.GRADIENT, np.max(s.nodes.capacity, axis=0), frag.mix(known[:9], [1.0] * 9, 0))
    plain, quick = Ledger(s.nodes, rater, NEVER), Ledger(s.nodes, rater, 0)
    for i in range(400):
        asked = (SetAsk(0, known[i * 31 % len(known)], 1, 1, Near()),)
        assert place(plain, asked, (1,), 0, ()) == place(quick, asked, (1,), 0, ())
    assert quick.engine is not None and quick.engine.size[1] > 256


def test_what_the_loops_cannot_hold_goes_the_plain_way() -> None:
    node = r.NodeRow("n", "p", {"cpu": 1}, devices=(r.DeviceRow("gpu", "m", 1 << 24),))
    s = build(r.Rows([r.PoolRow("p")], [node], [r.QueueRow("q")], []))
    rater = Rater(How.PACK, np.max(s.nodes.capacity, axis=0))
    assert Ledger(s.nodes, rater, 0).engine is None
    wide = dataclasses.replace(s.nodes, memory=s.nodes.memory // 2)
    assert Ledger(wide, rater, 0).engine is not None


def test_a_loop_without_a_folder_to_be_kept_in_is_compiled_all_the_same() -> None:
    jit = importlib.import_module("athanor.features.scheduling.core.jit")
    made: dict[str, Any] = {}
    exec("def twice(x):\n    return 2 * x", made)  # numba finds no folder for what has no file
    with pytest.raises(RuntimeError, match="cannot cache"):
        importlib.import_module("numba").njit(cache=True)(made["twice"])
    assert jit.loop(made["twice"])(21) == 42
