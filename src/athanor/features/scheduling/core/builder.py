"""Snapshots of a world that changes little from look to look: what is unchanged is not made again.

The result is what `build` makes of the same rows, to the bit. Whoever gives rows gives the same
list again where nothing in it has changed; tables of unchanged rows are the same objects.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple, TypeVar, cast

import numpy as np

from athanor.features.scheduling.core.board import Board, Entry, Order, order
from athanor.features.scheduling.core.build import first_sets, ground, wanted
from athanor.features.scheduling.core.columns import (
    domains,
    lost_table,
    nodes_table,
    queues_table,
)
from athanor.features.scheduling.core.numbers import Numbers, Offer, number, numbers, offer
from athanor.features.scheduling.core.rows import AskRow, NodeRow, Rows
from athanor.features.scheduling.core.snapshot import Nodes, Queues, Snapshot
from athanor.features.scheduling.core.table import Floats, Smalls, renewed

T = TypeVar("T")


class Past(NamedTuple):
    """Past use of queues (× pools × resources) as of a time, as the last cycle left it."""

    at: float
    queues: tuple[str, ...]
    pools: tuple[str, ...]
    resources: tuple[str, ...]
    use: Floats


class _Machines:
    """The table of nodes, patched where their rows differ."""

    def __init__(self) -> None:
        self._offered: tuple[Sequence[NodeRow], Offer] | None = None
        self._made: tuple[Sequence[NodeRow], tuple[object, ...], Nodes] | None = None

    def offer(self, rows: Sequence[NodeRow]) -> Offer:
        """What the nodes name; the same value as long as they name the same."""
        known = self._offered
        if known is None:
            found = offer(rows)
        elif known[0] is rows or (
            len(known[0]) == len(rows)
            and all(a is b or _names(a) == _names(b) for a, b in zip(known[0], rows, strict=True))
        ):
            found = known[1]
        else:
            found = offer(rows)
            found = known[1] if _equal(known[1], found) else found
        self._offered = rows, found
        return found

    def table(self, rows: Sequence[NodeRow], known: Numbers) -> Nodes:
        """The nodes as columns."""
        numbering = (*known[:5], known.nodes, known.nested)
        if self._made is None or not all(map(_same, self._made[1], numbering)):
            made = nodes_table(rows, known)
        elif self._made[0] is rows:
            return self._made[2]
        else:
            made = _patched(self._made[2], self._made[0], rows, known)
        self._made = rows, numbering, made
        return made


def _patched(
    table: Nodes, before: Sequence[NodeRow], rows: Sequence[NodeRow], known: Numbers
) -> Nodes:
    """The table with the rows that are others now (of nodes of the same names)."""
    at = [i for i, (a, b) in enumerate(zip(before, rows, strict=True)) if a is not b]
    if any(len(before[i].devices) != len(rows[i].devices) for i in at):
        return nodes_table(rows, known)
    part = nodes_table([rows[i] for i in at], known)
    columns: dict[str, object] = {}
    for name in _BY_NODE:
        old, new = getattr(table, name), getattr(part, name)
        column = old.copy()
        column[(at, slice(None, new.shape[1])) if new.ndim == 2 else at] = new
        column.setflags(write=False)
        columns[name] = column
    if any(before[i].domains != rows[i].domains for i in at):
        columns["domains"] = domains(rows, known)
    return renewed(table, columns)


class Builder:
    """Gangs are put by name, the rest is given whole at each look."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self._changed: dict[str, Entry | None] = {}
        self._board: Board | None = None
        self._machines = _Machines()
        self._made: dict[str, tuple[tuple[object, ...], object]] = {}

    def put(self, name: str, entry: Entry | None) -> None:
        """A gang came, changed or went (None)."""
        if entry is None:
            self.entries.pop(name, None)
        else:
            self.entries[name] = entry
        self._changed[name] = entry

    def snapshot(
        self, rows: Rows, asks: Mapping[int, AskRow], past: Past | None, bare: Collection[str]
    ) -> tuple[Snapshot, Smalls, Smalls]:
        """The snapshot, and what was `told` beside each gang, and its `kind`.

        `asks`: what each wish is.
        `rows` has no gangs and nothing running. Queues in `bare` have no past.
        """
        offered = self._machines.offer(rows.nodes)
        known = self._kept(
            "base", (rows.pools, rows.queues, rows.reservations, rows.levels, offered),
            lambda: numbers(rows, (), offered),
        )  # fmt: skip
        board = self._current(known)
        wishes = order(board.wishes, max(asks, default=-1) + 1)
        wanting = tuple(asks[wish] for wish in wishes.found.tolist())
        classes = self._kept("classes", (wanting,), lambda: number(wanting))
        known = self._kept(
            "numbers", (known, classes), lambda: numbers(rows, classes, offered)
        )  # fmt: skip
        first = self._kept("first", (classes,), lambda: first_sets(classes))
        lut = self._kept(
            "lut", (wanting, classes, wishes.places.tobytes()),
            lambda: _classes(wishes, wanting, classes),
        )  # fmt: skip
        gangs, running, users = board.tables(lut, first)
        spots = {row.gang: bisect_left(board.names, row.gang) for row in rows.lost}
        places = {n: (g, int(first[gangs.klass[g]])) for n, g in spots.items()}
        queues = self._kept(
            "queues", (rows.queues, known), lambda: queues_table(rows.queues, known)
        )
        return Snapshot(
            users=users,
            gangs=gangs,
            running=running,
            lost=lost_table(rows.lost, places),
            nodes=self._machines.table(rows.nodes, known),
            queues=_remembering(queues, known, past, bare),
            **self._kept(
                "ground", (rows.pools, rows.reservations, rows.taints, known),
                lambda: ground(rows, known),
            ),
            **self._kept(
                "wanted", (classes, known, rows.node_classes),
                lambda: wanted(rows, classes, known),
            ),
        ), board.told, board.kinds  # fmt: skip

    def _kept(self, name: str, key: tuple[object, ...], make: Callable[[], T]) -> T:
        """What was made of the same things before, or of equal ones; else it is made."""
        known = self._made.get(name)
        if known is not None and all(map(_same, known[0], key)):
            return cast(T, known[1])
        made = make()
        if known is not None and isinstance(made, tuple | dict) and _equal(known[1], made):
            made = cast(T, known[1])
        self._made[name] = key, made
        return made

    def _current(self, known: Numbers) -> Board:
        """The board with all changes; a new one where names have other numbers."""
        board, changed = self._board, self._changed
        if board is None or _of_board(board.numbers) != _of_board(known):
            board = self._board = Board(known)
            changed = dict(self.entries)
        self._changed = {}
        board.put(changed)
        return board


def _classes(wishes: Order, wanting: Sequence[AskRow], classes: Mapping[AskRow, int]) -> Smalls:
    """The class of each wish."""
    found = np.full(len(wishes.places), -1, dtype=np.int32)
    found[wishes.found] = [classes[ask] for ask in wanting]
    return found


def _of_board(known: Numbers) -> tuple[object, ...]:
    """The numbers that a board depends on."""
    return tuple(known.queues), tuple(known.pools), tuple(known.levels), tuple(known.nodes)


def _names(row: NodeRow) -> tuple[object, ...]:
    return row.name, tuple(row.capacity), row.devices


def _same(a: object, b: object) -> bool:
    """Whether a key is as it was: lists by identity, values by what they are."""
    return a is b or (isinstance(a, tuple | int | bytes) and type(a) is type(b) and _equal(a, b))


def _equal(a: object, b: object) -> bool:
    """Equal, with the names of mappings in the same order."""
    if a is b:
        return True
    if isinstance(a, dict) and isinstance(b, dict):
        return len(a) == len(b) and list(a.items()) == list(b.items())
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(map(_equal, a, b))
    return bool(a == b)


def _remembering(
    queues: Queues, known: Numbers, past: Past | None, bare: Collection[str]
) -> Queues:
    """The queues with their past use; those it says nothing of keep what their rows say."""
    if past is None:
        return queues
    decayed, at = queues.decayed.copy(), queues.decayed_at.copy()
    if (past.queues, past.pools, past.resources) == (
        queues.names, tuple(known.pools), tuple(known.resources)
    ) and not bare:  # fmt: skip
        decayed[:], at[:] = past.use, past.at
    else:
        pools = [(i, known.pools[p]) for i, p in enumerate(past.pools) if p in known.pools]
        resources = [
            (i, known.resources[r]) for i, r in enumerate(past.resources) if r in known.resources
        ]
        for i, name in enumerate(past.queues):
            q = known.queues.get(name)
            if q is None or name in bare:
                continue
            decayed[q], at[q] = 0.0, past.at
            for p, pool in pools:
                for r, resource in resources:
                    decayed[q, pool, resource] = past.use[i, p, r]
    return renewed(queues, {"decayed": decayed, "decayed_at": at})


_BY_NODE = tuple(n for n in Nodes.__dataclass_fields__ if n not in ("names", "domains"))
