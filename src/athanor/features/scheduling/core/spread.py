"""How pods of a set are spread over domains of several levels at once.

Kubernetes' `topologySpreadConstraints`, pod by pod: each goes where afterwards every rule holds.
Pods are dealt to the domains with fewest; with one rule that is as even as it can be, so a "no" is
a proof. With several rules, or with slices that each need one domain, a deal that ends nowhere is
taken back, within a budget.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from athanor.features.scheduling.core.snapshot import UNSET
from athanor.features.scheduling.core.table import Bools, Ints, Smalls

BUDGET = 2000
"""Ways of sharing out that are looked at before the search gives up."""


class Spread(NamedTuple):
    """Numbers of pods in domains of `level` differ by `skew` at most; or, where that is below 0,
    each is no more than -`skew`.

    `soft`: only if it can be. `counts`: the set's own pods count. `beside` lists how many pods
    count already, as (node, number). With fewer than `domains` domains the fewest is none.
    """

    level: int
    skew: int
    soft: bool = False
    counts: bool = True
    beside: tuple[tuple[int, int], ...] = ()
    domains: int = 1


class Slices(NamedTuple):
    """Each `size` pods of the set need one domain of `level`; the last may be fewer."""

    size: int
    level: int


class Part(NamedTuple):
    """`pods` of the set go to these nodes."""

    nodes: Bools
    pods: int


def deal(
    rules: Sequence[Spread], pods: int, room: Ints, domains: Smalls, inside: Bools,
    slices: Slices | None = None, gave_up: list[int] | None = None,
) -> list[Part] | None:  # fmt: skip
    """Shares for the domains of nodes `inside` by all rules, else by those that are not soft.

    None: there is none, or no rule that binds. A node without one of the levels takes no pod. What
    is no proof is counted in `gave_up`: not where only soft rules were given up.
    """
    binding = tuple(one for one in rules if not one.soft)
    for some in dict.fromkeys((tuple(rules), binding)):
        levels = [one.level for one in some] + ([slices.level] if slices is not None else [])
        if some and all(level < len(domains) for level in levels):
            made = _Deal(some, room, domains, inside, slices)
            found = made.share(pods)
            if found is not None:
                return found
            if made.gave_up and some == binding and gave_up is not None:
                gave_up[0] += 1
    return None


class _Deal:
    """Cells are sets of nodes that have every level's domain in common."""

    def __init__(
        self, rules: Sequence[Spread], room: Ints, domains: Smalls, inside: Bools,
        slices: Slices | None,
    ) -> None:  # fmt: skip
        levels = [one.level for one in rules] + ([slices.level] if slices is not None else [])
        self.rules, self.slices, self.gave_up = rules, slices, False
        self.keyed = inside & (domains[levels] != UNSET).all(axis=0)
        cells, of = np.unique(domains[levels][:, self.keyed], axis=1, return_inverse=True)
        self.cells = cells
        self.of = of.reshape(-1)
        count = cells.shape[1]
        self.room = np.bincount(self.of, weights=room[self.keyed], minlength=count)
        self.dealt = np.zeros(count, dtype=np.int64)
        self.whole = np.unique(cells[-1], return_inverse=True)[1].reshape(-1)
        self.counts = [_beside(one, domains[one.level], self.keyed) for one in rules]

    def share(self, pods: int) -> list[Part] | None:
        """One pod after the other; the last is taken back where the next finds nothing."""
        alone = len(self.rules) == 1 and self.slices is None
        seen: set[bytes] = set()
        path: list[tuple[int, list[int]]] = []
        while len(path) < pods:
            open_ = self._open(pods - len(path)) if self._new(seen) else []
            while not open_:
                self.gave_up = len(seen) > BUDGET and not alone
                if not path or alone or self.gave_up:
                    return None
                cell, open_ = path.pop()
                self._book(cell, -1)
            path.append((open_[0], open_[1:] if not alone else []))
            self._book(open_[0], 1)
        return [
            Part(self._nodes(cell), int(self.dealt[cell])) for cell in self._in_order().tolist()
        ]

    def _in_order(self) -> Ints:
        """The cells that were dealt to: whole slices one after the other, the smaller one last."""
        some = np.flatnonzero(self.dealt)
        if self.slices is None:
            return some
        held = np.bincount(self.whole, weights=self.dealt).astype(np.int64)
        broken = held[self.whole[some]] % self.slices.size
        return some[np.lexsort((self.whole[some], broken > 0))]

    def _new(self, seen: set[bytes]) -> bool:
        key = self.dealt.tobytes()
        known = key in seen
        seen.add(key)
        return not known

    def _open(self, pods: int) -> list[int]:
        """The cells that may take one of `pods` more, those with fewest in their domains first."""
        fine = self.dealt < self.room
        fewest = np.zeros(len(fine), dtype=np.int64)
        for i, rule in enumerate(self.rules):
            here, more = self.counts[i][self.cells[i]], int(rule.counts)
            fewest += here
            few = len(np.unique(self.cells[i])) < rule.domains
            least = int(here.min()) if len(here) and not few else 0
            fine &= here + more <= (-rule.skew if rule.skew < 0 else rule.skew + least)
        begun = np.zeros(len(fine), dtype=np.bool_)
        if self.slices is not None:
            fine, begun = self._sliced(fine, self.slices.size, pods)
        found = np.flatnonzero(fine)
        order: list[int] = found[np.lexsort((~begun[found], fewest[found]))].tolist()
        return order

    def _sliced(self, fine: Bools, size: int, pods: int) -> tuple[Bools, Bools]:
        """Which of the cells may take one of `pods` more so that slices can still become whole,
        and where one is begun."""
        count = int(self.whole.max(initial=-1)) + 1
        held = np.bincount(self.whole, weights=self.dealt, minlength=count).astype(np.int64)
        most = np.minimum(self.room, self.dealt + pods)
        room = np.bincount(self.whole, weights=most, minlength=count) - held
        lacks = -held % size
        short = -(int(held.sum()) + pods) % size  # what the last slice lacks
        others = (lacks >= short).sum() - (lacks >= short)
        spared = np.where((others > 0) | (lacks - 1 >= short), short, 0)
        on = (lacks > 0) & (lacks.sum() - spared <= pods)
        fresh = (lacks == 0) & (lacks.sum() + size - short <= pods) & (room >= size - short)
        return fine & (on | fresh)[self.whole], (lacks > 0)[self.whole]

    def _book(self, cell: int, pods: int) -> None:
        self.dealt[cell] += pods
        for i, rule in enumerate(self.rules):
            if rule.counts:
                self.counts[i][self.cells[i][cell]] += pods

    def _nodes(self, cell: int) -> Bools:
        nodes: Bools = np.zeros(len(self.keyed), dtype=np.bool_)
        nodes[np.flatnonzero(self.keyed)[self.of == cell]] = True
        return nodes


def _beside(rule: Spread, domain: Smalls, keyed: Bools) -> Ints:
    """Pods that count already, a domain: those on nodes that have every level."""
    found = np.zeros(int(domain.max(initial=UNSET)) + 1, dtype=np.int64)
    for node, pods in rule.beside:
        if keyed[node]:
            found[domain[node]] += pods
    return found
