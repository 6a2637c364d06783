"""Which domains of the topology tree a pod set goes to: required, preferred, balanced, slices.

Domains are compared by the room they have for the set's pods: the tightest one that holds all of
it, else the fewest, largest first.
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
        """Whether the topology matters at all."""
        return self != Near()

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
    for inside in _outer(near, pods, room, domains, meant, klass):
        if near.spreads:
            way = spread.deal(near.spreads, pods, room, domains, inside, near.slices, gave_up)
            if way is not None:
                yield way
            if near.evenly:
                continue
        if near.slices is not None:
            cut = _slices(near, pods, room, domains, inside)
            if cut is not None:
                yield cut
        elif near.balanced and near.preferred != UNSET:
            yield _spread(near.preferred, pods, room, domains, inside)
        elif near.preferred != UNSET:
            yield _fewest(near.preferred, pods, room, domains, levels, inside)
        elif near.prefer and klass is not None:
            yield _liked(near.prefer, pods, room, inside, klass)
        else:
            yield [Part(inside, pods)]


def _liked(
    prefer: Sequence[int], pods: int, room: Ints, inside: Bools, klass: Smalls
) -> list[Part]:
    """The most preferred nodes first, each as full as can be."""
    worth = np.array(prefer)[klass]
    found: list[Part] = []
    rest = pods
    for value in sorted(set(worth[inside].tolist()), reverse=True):
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
    near: Near, pods: int, room: Ints, domains: Smalls, everywhere: Bools, klass: Smalls | None
) -> Iterator[Bools]:
    """The domains that hold all of the set: the most preferred, then the tightest first."""
    if near.required == UNSET:
        yield everywhere
        return
    total = per_domain(near.required, room, domains, everywhere)
    enough = np.flatnonzero(total >= max(pods, 1))
    order = enough[np.argsort(total[enough], kind="stable")]
    if near.prefer and klass is not None:
        worth = np.array(near.prefer)[klass]
        suits = [_suits(worth, pods, room, domains[near.required] == d) for d in order]
        order = order[np.argsort(-np.array(suits), kind="stable")]
    for d in order:
        yield domains[near.required] == d


def _suits(worth: Ints, pods: int, room: Ints, inside: Bools) -> int:
    """What the best places for so many pods are worth together."""
    nodes = np.flatnonzero(inside)
    nodes = nodes[np.argsort(-worth[nodes], kind="stable")]
    taken = np.diff(np.minimum(np.cumsum(np.minimum(room[nodes], pods)), pods), prepend=0)
    return int(taken @ worth[nodes])


def _fewest(
    level: int, pods: int, room: Ints, domains: Smalls, levels: Sequence[int], inside: Bools
) -> list[Part]:
    """One domain of the preferred level, else of a wider one, else the fewest of the preferred."""
    wider = list(levels[: levels.index(level) + 1]) if level in levels else []
    for each in reversed(wider):
        total = per_domain(each, room, domains, inside)
        enough = np.flatnonzero(total >= max(pods, 1))
        if len(enough):
            tightest = enough[np.argmin(total[enough])]
            there = inside & (domains[each] == tightest)
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


def _slices(near: Near, pods: int, room: Ints, domains: Smalls, inside: Bools) -> list[Part] | None:
    """Whole slices a domain: the domain that holds most first, the last one as tight as can be."""
    size, level = near.slice_size, near.slice_level
    if level >= len(domains):
        return None
    slices = per_domain(level, room, domains, inside) // size
    rest = -(-pods // size)
    if slices.sum() < rest:
        return None
    found: list[Part] = []
    left = pods
    while rest > 0:
        enough = np.flatnonzero(slices >= rest)
        d = enough[np.argmin(slices[enough])] if len(enough) else int(np.argmax(slices))
        share = min(rest, int(slices[d]))
        here = min(left, share * size)
        found.append(Part(inside & (domains[level] == d), here))
        left -= here
        rest -= share
        slices[d] = 0
    return found
