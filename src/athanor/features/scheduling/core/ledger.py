"""What is free on every node, exactly, and which shape fits where: kept current node by node.

A view of a shape (how many of its pods each node takes, and how good the node is for one) is
computed once, then only for the nodes that changed since it was last looked at. A fork is a cheap
copy to try evictions and reservations on.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from athanor.features.scheduling.core import fast, gpu
from athanor.features.scheduling.core.booked import Booked, Pods, book
from athanor.features.scheduling.core.shapes import Devs, Shape, View, shape_of
from athanor.features.scheduling.core.snapshot import UNSET, Nodes, Shapes
from athanor.features.scheduling.core.table import Bools, Ints, Smalls

__all__ = ["BrokenLedger", "Ledger", "Scorer", "Shape", "View", "shape_of"]

MANY = 64
"""From so many nodes on it pays to look for those in equal states."""
PRIME = 0x1E3779B97F4A7C15
RECALLED = 1 << 16
"""So many states of nodes are remembered for a shape."""
State = tuple[int, bool, bytes, bytes, bytes, bytes]
"""What a node is, whether it is open, and what is free there."""


class BrokenLedger(RuntimeError):
    """An invariant does not hold: capacity would be given twice."""


class Scorer(Protocol):
    """A way to compare nodes by their own state; `rules` says the same in arrays."""

    def __call__(self, ledger: Ledger, shape: Shape, view: View, nodes: Smalls) -> None:
        """Fill `score` (and `device`) of the given nodes, all of which have room."""

    def rules(self) -> fast.Rules:
        """For the compiled loops."""


class Ledger:
    """Free capacity of every node. `rater` compares nodes; it must depend on the node alone."""

    def __init__(self, nodes: Nodes, rater: Scorer, large: int = fast.LARGE) -> None:
        self.nodes = nodes
        self.rater = rater
        self.has = (nodes.kind != UNSET).any(axis=1)
        self.pattern = np.full(len(nodes.names), UNSET, dtype=np.int32)
        self.engine = fast.engine(nodes, large)
        if self.engine is not None:
            self.engine.rerate(rater.rules())
        self.free = (nodes.capacity - nodes.foreign).copy()
        usable = (nodes.kind != UNSET) & nodes.healthy
        self.milli = np.where(usable, gpu.WHOLE, gpu.NO_DEVICE).astype(np.int32)
        self.mib = np.where(usable, nodes.memory, 0)
        self.cut = np.zeros_like(nodes.slots)
        self.open = np.ones(len(nodes.names), dtype=np.bool_)
        self.count: dict[Shape, Smalls] = {}
        self.journal = fast.Journal()
        self.views: dict[tuple[Shape, int], View] = {}
        self.sorts: dict[Shape, Bools] = {}
        self.ground = _ground(nodes)
        self.keys = np.zeros(len(nodes.names), dtype=np.int64)
        self.hashed = -1
        self.recall: dict[Shape, dict[State, tuple[int, int, int]]] = {}
        self.gave_up = [0]
        """How often a search in this ledger or a copy of it ended without a proof."""

    def fork(self) -> Ledger:
        """A copy that can be changed without this one noticing."""
        other = Ledger.__new__(Ledger)
        other.__dict__.update(self.__dict__)
        for name in ("free", "milli", "mib", "cut", "open", "pattern", "journal"):
            setattr(other, name, getattr(self, name).copy())
        other.count = {shape: count.copy() for shape, count in self.count.items()}
        other.views = {key: view.fork() for key, view in self.views.items()}
        return other

    def meet(self, other: Ledger) -> Ledger:
        """What is free in both: whoever fits there fits now and delays nobody later."""
        both = self.fork()
        for name in ("free", "milli", "mib", "open"):
            setattr(both, name, np.minimum(getattr(self, name), getattr(other, name)))
        both.cut = self.cut | other.cut
        for shape, count in other.count.items():
            mine = both.count.get(shape)
            both.count[shape] = count.copy() if mine is None else np.maximum(mine, count)
        now = Booked(self.free, self.milli, self.mib, self.cut, self.open, self.count)
        both._changed(both._unlike(now))
        return both

    def narrow(self, other: Ledger) -> None:
        """`meet`, of this ledger itself."""
        less = [np.flatnonzero(self.open & ~other.open)]
        for mine, theirs in (
            (self.free, other.free), (self.milli, other.milli), (self.mib, other.mib),
        ):  # fmt: skip
            cells = np.flatnonzero(theirs < mine)
            if len(cells):
                less.append(cells // mine.shape[1])
                np.minimum(mine, theirs, out=mine)
        cells = np.flatnonzero(other.cut & ~self.cut)
        if len(cells):
            less.append(cells // self.cut.shape[1])
            self.cut |= other.cut
        self.open &= other.open
        for shape, count in other.count.items():
            held = self.count.setdefault(shape, np.zeros(len(self.open), dtype=np.int32))
            less.append(np.flatnonzero(count > held))
            np.maximum(held, count, out=held)
        self._changed(np.unique(np.concatenate(less)))

    def _unlike(self, that: Booked) -> Ints:
        """The nodes where what is free is not this."""
        count = that.beside
        pairs = [
            (self.free, that.free), (self.milli, that.milli), (self.mib, that.mib),
            (self.cut, that.cut), (self.open, that.open),
        ]  # fmt: skip
        none = np.zeros(len(self.open), dtype=np.int32)
        pairs += [
            (self.count.get(shape, none), count.get(shape, none))
            for shape in self.count.keys() | count.keys()
        ]
        cells = [np.flatnonzero(a != b) // (a.size // max(len(a), 1) or 1) for a, b in pairs]
        return np.unique(np.concatenate(cells))

    def devs(self, nodes: Smalls) -> Devs:
        """The devices of these nodes."""
        known = self.nodes
        return Devs(
            known.kind[nodes], known.model[nodes], known.memory[nodes], known.slots[nodes],
            self.milli[nodes], self.mib[nodes], self.cut[nodes],
        )  # fmt: skip

    def _held(self) -> tuple[fast.Array, ...]:
        """What is free, for the compiled loops."""
        return (
            self.free, self.milli, self.mib, self.cut, self.open, self.pattern, self.has,
            self.nodes.capacity,
        )  # fmt: skip

    def _changed(self, nodes: Ints) -> None:
        """Views look at these nodes again."""
        self.pattern[nodes] = UNSET
        self.journal.extend(nodes)

    def grab(self, node: int, shape: Shape, device: int = UNSET) -> tuple[int, int]:
        """Pick the devices for one more pod (see `pick`) and take them: their mask, the slot."""
        if self.engine is None or shape.per_node:
            devices, slot = self.pick(node, shape, device)
            self.take(node, shape, devices, slot)
            return devices, slot
        found = self.engine.take(self._held(), shape, node, device)
        if found is None:
            raise BrokenLedger(f"node {self.nodes.names[node]} would be given twice")
        self.journal.append(node)
        return found

    def take(self, node: int, shape: Shape, devices: int, slot: int = UNSET) -> None:
        """Give a pod its place. Raises BrokenLedger when it is not free."""
        self._book(node, shape, devices, slot, 1)
        if (self.free[node] < 0).any() and self._newly_negative(node, shape):
            raise BrokenLedger(f"node {self.nodes.names[node]} would be given twice")

    def take_whole(self, node: int, shape: Shape, pods: int) -> list[int]:
        """Take places for so many pods of whole devices (or none) at once; devices a pod."""
        want = shape.devices
        masks = [0] * pods
        self.free[node] -= pods * np.array(shape.request, dtype=np.int64)
        if want.needed:
            free = np.flatnonzero(self._sort(shape)[node] & (self.milli[node] == gpu.WHOLE))
            chosen = free[: pods * want.needed]
            if len(chosen) < pods * want.needed:
                raise BrokenLedger(f"node {self.nodes.names[node]} would be given twice")
            self.milli[node, chosen] -= want.milli
            self.mib[node, chosen] -= want.mib or self.nodes.memory[node, chosen]
            for i, device in enumerate(chosen.tolist()):
                masks[i // want.needed] |= 1 << device
        if self._newly_negative(node, shape):
            raise BrokenLedger(f"node {self.nodes.names[node]} would be given twice")
        self.pattern[node] = UNSET
        self.journal.append(node)
        return masks

    def give(self, node: int, shape: Shape, devices: int, slot: int = UNSET) -> None:
        """Take a pod's place back."""
        self._book(node, shape, devices, slot, -1)

    def give_all(self, table: Shapes, shapes: list[Shape], pods: Pods) -> None:
        """Take the places of many pods back; `shapes` are the rows of `table`."""
        held = Booked(self.free, self.milli, self.mib, self.cut, self.open, self.count)
        book(held, self.nodes, table, shapes, pods, -1)
        self._changed(np.unique(pods.node))

    def _newly_negative(self, node: int, shape: Shape) -> bool:
        free = self.free[node]
        asked = np.array(shape.request)
        return bool(((free < 0) & (asked > 0)).any())

    def force(self, node: int, shape: Shape, devices: int, slot: int = UNSET) -> None:
        """Book a pod even where its place is taken: it runs already and the node has shrunk since,
        or it is promised a place whose holder is still there."""
        self._book(node, shape, devices, slot, 1)

    def _book(self, node: int, shape: Shape, devices: int, slot: int, sign: int) -> None:
        self.free[node] -= sign * np.array(shape.request, dtype=np.int64)
        want = shape.devices
        d = 0
        while devices >> d:
            if devices >> d & 1 and self.milli[node, d] != gpu.NO_DEVICE:
                if want.slots:
                    mask = ((1 << want.slots) - 1) << slot
                    if sign > 0:
                        self.cut[node, d] |= mask
                    else:
                        self.cut[node, d] &= ~mask
                    self.milli[node, d] = 0 if self.cut[node, d] else gpu.WHOLE
                else:
                    self.milli[node, d] -= sign * want.milli
                    self.mib[node, d] -= sign * (
                        want.mib or self.nodes.memory[node, d] * want.milli // gpu.WHOLE
                    )
            d += 1
        if shape.per_node:
            count = self.count.setdefault(shape, np.zeros(len(self.open), dtype=np.int32))
            count[node] += sign
        self.pattern[node] = UNSET
        self.journal.append(node)

    def become(self, truth: Booked) -> None:
        """Take over what is free; only nodes where it differs are looked at again."""
        changed = self._unlike(truth)
        self.free, self.milli, self.mib = truth.free, truth.milli, truth.mib
        self.cut, self.open, self.count = truth.cut, truth.open, truth.beside
        self._changed(changed)

    def reground(self, nodes: Nodes) -> None:
        """The same nodes with other capacities."""
        self.nodes, self.ground, self.hashed, self.recall = nodes, _ground(nodes), -1, {}
        self.forget_journal()

    def forget_journal(self) -> None:
        """Start the journal anew; every view is computed again when it is next asked for."""
        self.journal, self.hashed = fast.Journal(), -1
        for view in self.views.values():
            view.seen = -1

    def pick(self, node: int, shape: Shape, device: int = UNSET) -> tuple[int, int]:
        """The devices (bit mask) and slice slot for one more pod; `device`: the scorer's choice."""
        want = shape.devices
        if not want.needed:
            return 0, UNSET
        if device != UNSET and want.needed == 1:
            at = int(self.cut[node, device]), int(self.nodes.slots[node, device])
            return 1 << device, gpu.slot_of(want, *at) if want.slots else UNSET
        mask = gpu.choose(
            want, self._sort(shape)[node], self.milli[node], self.mib[node], self.cut[node],
            self.nodes.slots[node],
        )  # fmt: skip
        if not want.slots:
            return mask, UNSET
        d = mask.bit_length() - 1
        return mask, gpu.slot_of(want, int(self.cut[node, d]), int(self.nodes.slots[node, d]))

    def fitting(self, node: int, shape: Shape) -> list[int]:
        """The devices of a node that have room for one device of the shape."""
        want = shape.devices
        ok = self._sort(shape)[node] & (self.milli[node] >= want.milli)
        if want.mib:
            ok &= self.mib[node] >= want.mib
        found: list[int] = np.flatnonzero(ok).tolist()
        return found

    def rerate(self, rater: Scorer) -> None:
        """Compare nodes by another rater from now on."""
        self.rater, self.recall = rater, {}
        if self.engine is not None:
            self.engine.rerate(rater.rules())
            return
        for view in self.views.values():
            view.seen = -1

    def view(self, shape: Shape, pool: int) -> View:
        """The shape's view of a pool's nodes, current."""
        view = self.views.get((shape, pool))
        if view is None:
            allowed = (self.nodes.pool == pool) & (np.array(shape.barred)[self.nodes.klass] == 0)
            view = View(allowed, self._sort(shape), len(self.open))
            self.views[shape, pool] = view
        here = len(self.journal)
        if view.seen == here and (self.engine is None or self.engine.rated(view)):
            return view
        if view.seen < 0 or here - view.seen > len(self.open):
            changed = np.arange(len(self.open), dtype=np.int32)
        else:
            changed = self.journal.since(view.seen)
        view.seen = here
        view.own()
        if self.engine is not None:
            self.engine.refresh(self._held(), shape, view, changed, self.count.get(shape))
            return view
        changed = np.unique(changed)
        changed = changed[view.allowed[changed]]
        if len(changed):
            self._refresh(shape, view, changed)
        return view

    def _refresh(self, shape: Shape, view: View, nodes: Smalls) -> None:
        """Look at these nodes; of those that are in the same state only one is computed."""
        if shape.per_node:
            self._compute(shape, view, nodes)
            return
        if len(nodes) <= MANY:
            self._recalled(shape, view, nodes)
            return
        first, same = self._states(nodes)
        if len(first) < len(nodes) // 2:
            some = nodes[first]
            self._compute(shape, view, some)
            for column in (view.room, view.score, view.device):
                column[nodes] = column[some][same]
        else:
            self._compute(shape, view, nodes)

    def _recalled(self, shape: Shape, view: View, nodes: Smalls) -> None:
        """Look at a few nodes; in most clusters some node was in the same state before."""
        known = self.recall.setdefault(shape, {})
        if len(known) > RECALLED:
            known.clear()
        rows = nodes.tolist()
        states = [self._state(node) for node in rows]
        unknown = [node for node, state in zip(rows, states, strict=True) if state not in known]
        if unknown:
            self._compute(shape, view, np.array(unknown, dtype=np.int32))
        for node, state in zip(rows, states, strict=True):
            found = known.get(state)
            if found is None:
                found = (view.room.item(node), view.score.item(node), view.device.item(node))
                known[state] = found
            view.room[node], view.score[node], view.device[node] = found

    def _state(self, node: int) -> State:
        """All that decides how a node looks to a shape."""
        return (
            self.ground.item(node), self.open.item(node), self.free[node].tobytes(),
            self.milli[node].tobytes(), self.mib[node].tobytes(), self.cut[node].tobytes(),
        )  # fmt: skip

    def _states(self, nodes: Smalls) -> tuple[Ints, Ints]:
        """One node of each state among `nodes`, and every node's state; equal states look equal.

        States are told apart by a 64-bit hash and then compared, so a collision costs only time.
        """
        keys = self._keys()[nodes]
        _, first, same = np.unique(keys, return_index=True, return_inverse=True)
        held = (self.ground, self.open, self.free, self.milli, self.mib, self.cut)
        if all(np.array_equal(a[nodes], a[nodes[first]][same]) for a in held):
            return first, same
        return np.arange(len(nodes)), np.arange(len(nodes))

    def _keys(self) -> Ints:
        """The hash of every node's state, computed anew for nodes that changed."""
        if self.hashed < 0:
            changed = np.arange(len(self.open))
        else:
            changed = np.unique(self.journal.since(self.hashed))
        if len(changed):
            key = self.ground[changed] * 2 + self.open[changed]
            for held in (self.free, self.milli, self.mib, self.cut):
                factors = (np.arange(held.shape[1], dtype=np.int64) * 2 + 1) * PRIME
                part = held[changed].astype(np.int64) @ factors
                key = (key ^ (key >> 29)) * PRIME + part
            self.keys = self.keys.copy()
            self.keys[changed] = key
        self.hashed = len(self.journal)
        return self.keys

    def _compute(self, shape: Shape, view: View, nodes: Smalls) -> None:
        room = self._room(shape, view, nodes)
        view.room[nodes] = room
        some = room > 0
        view.score[nodes[~some]] = -1
        if some.any():
            self.rater(self, shape, view, nodes[some])

    def _room(self, shape: Shape, view: View, nodes: Smalls) -> Ints:
        free = self.free[nodes]
        device = shape.devices.kind
        room = np.full(len(nodes), np.iinfo(np.int64).max)
        for r, asked in enumerate(shape.request):
            if asked > 0:
                np.minimum(room, free[:, r] // asked, out=room)
        if device != UNSET:
            slots = gpu.room(
                shape.devices, view.fits[nodes], self.milli[nodes], self.mib[nodes],
                self.cut[nodes], self.nodes.slots[nodes],
            )  # fmt: skip
            np.minimum(room, slots, out=room)
        if shape.per_node:
            here = self.count.get(shape)
            left = shape.per_node - (here[nodes] if here is not None else 0)
            np.minimum(room, left, out=room)
        return np.where(self.open[nodes], np.maximum(room, 0), 0)

    def _sort(self, shape: Shape) -> Bools:
        """Which devices are of the sort this shape asks for."""
        known = self.sorts.get(shape)
        if known is None:
            known = self.sorts[shape] = self._compare(shape)
        return known

    def _compare(self, shape: Shape) -> Bools:
        nodes = self.nodes
        if shape.devices.kind == UNSET:
            return np.zeros(nodes.kind.shape, dtype=np.bool_)
        fits: Bools = nodes.kind == shape.devices.kind
        if not all(shape.models):
            fits &= np.append(np.array(shape.models, dtype=np.bool_), False)[nodes.model]
        if shape.min_mib:
            fits &= nodes.memory >= shape.min_mib
        return fits


def _ground(nodes: Nodes) -> Ints:
    """A number for each sort of node: what never changes while nodes stay the same."""
    held = (nodes.model, nodes.kind, nodes.memory, nodes.slots, nodes.capacity, nodes.healthy)
    rows = np.concatenate([a.astype(np.int64) for a in held], axis=1)
    if not rows.size:
        return np.zeros(len(nodes.names), dtype=np.int64)
    numbers: Ints = np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1)
    return numbers
