"""Which domains of the topology tree a pod set goes to: required, preferred, balanced, slices.

Domains are compared by the room they have for the set's pods: of those that hold all of it the one
whose nodes suit best, then the tightest; else the fewest, largest first. Inside a domain nodes that
suit better come first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from athanor.features.scheduling.core import spread
from athanor.features.scheduling.core.snapshot import UNSET
from athanor.features.scheduling.core.spread import Part, Slices, Spread
from athanor.features.scheduling.core.table import Bools, Ints, Smalls


class Near(NamedTuple):
    """What a pod set asks of the topology; levels are UNSET when not asked."""

    required: int = UNSET
    preferred: int = UNSET
    balanced: bool = False
    slice_size: int = 0
    slice_level: int = UNSET
    spreads: tuple[Spread, ...] = ()
    prefer: tuple[int, ...] = ()

    @property
    def asked(self) -> bool:
        """Whether it matters where the pods go."""
        return self != Near()

    @property
    def tied(self) -> bool:
        """Whether domains matter."""
        return self.anywhere != Near()

    @property
    def anywhere(self) -> Near:
        """The same with no node that suits better than another."""
        return self._replace(prefer=()) if self.prefer else self

    @property
    def binds(self) -> bool:
        """Whether pods may have to wait for it."""
        return self.evenly or self.required != UNSET or self.slice_size > 0

    @property
    def slices(self) -> Slices | None:
        """The slices that each need one domain."""
        if not self.slice_size or self.slice_level == UNSET:
            return None
        return Slices(self.slice_size, self.slice_level)

    @property
    def evenly(self) -> bool:
        """Whether the pods must be spread over domains."""
        return any(not one.soft for one in self.spreads)


def parts(
    near: Near, pods: int, room: Ints, domains: Smalls, levels: Sequence[int], meant: Bools,
    klass: Smalls | None = None, gave_up: list[int] | None = None,
) -> Iterator[list[Part]]:  # fmt: skip
    """Ways to share the pods out among domains, best first; none when it cannot be.

    `room` is pods a node takes, `domains` a level's domain a node (levels × nodes), `levels` the
    pool's levels from the widest to the nearest, `meant` the nodes whose domains matter, `klass`
    the nodes' classes. What ends without a proof is counted in `gave_up`.
    """
    worth = np.array(near.prefer)[klass] if near.prefer and klass is not None else None
    for way in _ways(near, pods, room, domains, levels, meant, worth, gave_up):
        yield way if worth is None else [p for part in way for p in _liked(part, worth, room)]


def _ways(
    near: Near, pods: int, room: Ints, domains: Smalls, levels: Sequence[int], meant: Bools,
    worth: Ints | None, gave_up: list[int] | None,
) -> Iterator[list[Part]]:  # fmt: skip
    """How many pods go to which domains."""
    for inside in _outer(near, pods, room, domains, meant, worth):
        if near.spreads:
            way = spread.deal(near.spreads, pods, room, domains, inside, near.slices, gave_up)
            if way is not None:
                yield way
            if near.evenly:
                continue
        if near.slices is not None:
            cut = _slices(near, pods, room, domains, inside, worth)
            if cut is not None:
                yield cut
        elif near.balanced and near.preferred != UNSET:
            yield _spread(near.preferred, pods, room, domains, inside)
        elif near.preferred != UNSET:
            yield _fewest(near.preferred, pods, room, domains, levels, inside, worth)
        else:
            yield [Part(inside, pods)]


def _liked(part: Part, worth: Ints, room: Ints) -> list[Part]:
    """The nodes of a part that suit best first, each as full as can be."""
    inside, rest = part
    found: list[Part] = []
    for value in sorted(set(worth[inside & (room > 0)].tolist()), reverse=True):
        here = inside & (worth == value)
        share = min(rest, int(np.minimum(room[here], rest).sum()))
        if share:
            found.append(Part(here, share))
        rest -= share
    return found if not rest else [*found, Part(inside, rest)]


def per_domain(level: int, room: Ints, domains: Smalls, inside: Bools) -> Ints:
    """Room a domain of a level, counting nodes `inside`."""
    if level >= len(domains):
        return np.zeros(0, dtype=np.int64)
    domain = domains[level]
    known = inside & (domain != UNSET)
    size = int(domain.max(initial=UNSET)) + 1
    counted: Ints = np.bincount(domain[known], weights=room[known], minlength=size)
    return np.minimum(counted, 2**62).astype(np.int64)


def _outer(
    near: Near, pods: int, room: Ints, domains: Smalls, everywhere: Bools, worth: Ints | None
) -> Iterator[Bools]:
    """The domains that hold all of the set."""
    if near.required == UNSET:
        yield everywhere
        return
    total = per_domain(near.required, room, domains, everywhere)
    enough = np.flatnonzero(total >= max(pods, 1))
    if not len(enough):
        return
    for d in _best(enough, total, pods, room, domains[near.required], worth):
        yield domains[near.required] == d


def _best(
    some: Ints, total: Ints, pods: int, room: Ints, domain: Smalls, worth: Ints | None
) -> Ints:
    """Domains with room for so many pods: those that suit best, then the tightest first."""
    order: Ints = some[np.argsort(total[some], kind="stable")]
    if worth is None:
        return order
    there = [suits(worth, pods, room, domain == d) for d in order]
    return order[np.argsort(-np.array(there, dtype=np.int64), kind="stable")]


def suits(worth: Ints, pods: int, room: Ints, inside: Bools) -> int:
    """What the best places for so many pods are worth together."""
    nodes = np.flatnonzero(inside)
    nodes = nodes[np.argsort(-worth[nodes], kind="stable")]
    taken = np.diff(np.minimum(np.cumsum(np.minimum(room[nodes], pods)), pods), prepend=0)
    return int(taken @ worth[nodes])


def _fewest(
    level: int, pods: int, room: Ints, domains: Smalls, levels: Sequence[int], inside: Bools,
    worth: Ints | None,
) -> list[Part]:  # fmt: skip
    """One domain of the preferred level, else of a wider one, else the fewest of the preferred."""
    wider = list(levels[: levels.index(level) + 1]) if level in levels else []
    for each in reversed(wider):
        total = per_domain(each, room, domains, inside)
        enough = np.flatnonzero(total >= max(pods, 1))
        if len(enough):
            open_ = np.where(inside, room, 0)
            best = _best(enough, total, pods, open_, domains[each], worth)[0]
            there = inside & (domains[each] == best)
            if each == level:
                return [Part(there, pods)]
            return _greedy(level, pods, room, domains, there)
    return _greedy(level, pods, room, domains, inside)


def _greedy(level: int, pods: int, room: Ints, domains: Smalls, inside: Bools) -> list[Part]:
    total = per_domain(level, room, domains, inside)
    found: list[Part] = []
    rest = pods
    for d in np.argsort(-total, kind="stable"):
        if rest <= 0 or total[d] <= 0:
            break
        last = np.flatnonzero(total >= rest)
        if len(last):  # the tightest domain that holds all of the rest
            d = last[np.argmin(total[last])]
        share = min(rest, int(total[d]))
        found.append(Part(inside & (domains[level] == d), share))
        total[d] = 0
        rest -= share
    if rest > 0:
        nowhere = inside & (domains[level] == UNSET) if level < len(domains) else inside
        found.append(Part(nowhere, rest))
    return found


def _spread(level: int, pods: int, room: Ints, domains: Smalls, inside: Bools) -> list[Part]:
    """Equal shares over the fewest domains that hold all pods."""
    total = per_domain(level, room, domains, inside)
    order = np.argsort(-total, kind="stable")
    most = np.cumsum(total[order])
    if not len(most) or most[-1] < pods:
        return [Part(inside, pods)]
    few = int(np.searchsorted(most, pods)) + 1
    chosen, shares, rest = order[:few], np.zeros(few, dtype=np.int64), pods
    while rest:
        for i in np.argsort(shares, kind="stable"):
            if rest and shares[i] < total[chosen[i]]:
                shares[i] += 1
                rest -= 1
    return [
        Part(inside & (domains[level] == d), int(n))
        for d, n in zip(chosen, shares, strict=True)
        if n
    ]


def _slices(
    near: Near, pods: int, room: Ints, domains: Smalls, inside: Bools, worth: Ints | None
) -> list[Part] | None:
    """Whole slices a domain: the domain that holds most first, the last one as tight as can be.

    A last slice that is shorter goes where whole ones leave room when all whole ones are needed.
    """
    size, level = near.slice_size, near.slice_level
    if level >= len(domains):
        return None
    held = per_domain(level, room, domains, inside)
    slices, left = held // size, pods
    rest, last = -(-pods // size), UNSET
    short = pods % size
    fits = np.flatnonzero(held % size >= short)
    if short and slices.sum() == rest - 1 and len(fits):
        last = int(fits[np.argmin((held % size)[fits])])
        left, rest = pods - short, rest - 1
    if slices.sum() < rest:
        return None
    found: dict[int, int] = {}
    open_ = np.where(inside, room, 0)
    while rest > 0:
        enough = np.flatnonzero(slices >= rest)
        best = _best(enough, slices, left, open_, domains[level], worth)
        d = int(best[0] if len(best) else np.argmax(slices))
        share = min(rest, int(slices[d]))
        found[d] = min(left, share * size)
        left -= found[d]
        rest -= share
        slices[d] = 0
    if last != UNSET:
        found[last] = found.pop(last, 0) + short
    return [Part(inside & (domains[level] == d), n) for d, n in found.items()]
