"""How pods of a set are spread over domains of several levels at once.

Kubernetes' `topologySpreadConstraints`, pod by pod: each goes where afterwards every rule holds.
Pods are dealt to the domains with fewest; with one rule that is as even as it can be, so a "no" is
a proof. With several rules a deal that ends nowhere is taken back, within a budget.
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
    count already, as (node, number).
    """

    level: int
    skew: int
    soft: bool = False
    counts: bool = True
    beside: tuple[tuple[int, int], ...] = ()


class Part(NamedTuple):
    """`pods` of the set go to these nodes."""

    nodes: Bools
    pods: int


def deal(
    rules: Sequence[Spread], pods: int, room: Ints, domains: Smalls, inside: Bools
) -> list[Part] | None:
    """Shares for the domains of nodes `inside` by all rules, else by those that are not soft.

    None: there is none, or no rule that binds. A node without one of the levels takes no pod.
    """
    binding = tuple(one for one in rules if not one.soft)
    for some in dict.fromkeys((tuple(rules), binding)):
        if some and all(one.level < len(domains) for one in some):
            found = _Deal(some, room, domains, inside).share(pods)
            if found is not None:
                return found
    return None


class _Deal:
    """Cells are sets of nodes that have every level's domain in common."""

    def __init__(self, rules: Sequence[Spread], room: Ints, domains: Smalls, inside: Bools) -> None:
        levels = [one.level for one in rules]
        self.rules = rules
        self.keyed = inside & (domains[levels] != UNSET).all(axis=0)
        cells, of = np.unique(domains[levels][:, self.keyed], axis=1, return_inverse=True)
        self.cells = cells
        self.of = of.reshape(-1)
        count = cells.shape[1]
        self.room = np.bincount(self.of, weights=room[self.keyed], minlength=count)
        self.dealt = np.zeros(count, dtype=np.int64)
        self.counts = [_beside(one, domains[one.level], self.keyed) for one in rules]

    def share(self, pods: int) -> list[Part] | None:
        """One pod after the other; the last is taken back where the next finds nothing."""
        alone = len(self.rules) == 1
        seen: set[bytes] = set()
        path: list[tuple[int, list[int]]] = []
        while len(path) < pods:
            open_ = self._open() if self._new(seen) else []
            while not open_:
                if not path or alone or len(seen) > BUDGET:
                    return None
                cell, open_ = path.pop()
                self._book(cell, -1)
            path.append((open_[0], open_[1:] if not alone else []))
            self._book(open_[0], 1)
        return [
            Part(self._nodes(cell), int(self.dealt[cell]))
            for cell in np.flatnonzero(self.dealt).tolist()
        ]

    def _new(self, seen: set[bytes]) -> bool:
        key = self.dealt.tobytes()
        known = key in seen
        seen.add(key)
        return not known

    def _open(self) -> list[int]:
        """The cells that may take a pod, those with fewest in their domains first."""
        fine = self.dealt < self.room
        fewest = np.zeros(len(fine), dtype=np.int64)
        for i, rule in enumerate(self.rules):
            here, more = self.counts[i][self.cells[i]], int(rule.counts)
            fewest += here
            least = int(here.min()) if len(here) else 0
            fine &= here + more <= (-rule.skew if rule.skew < 0 else rule.skew + least)
        found = np.flatnonzero(fine)
        order: list[int] = found[np.argsort(fewest[found], kind="stable")].tolist()
        return order

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
