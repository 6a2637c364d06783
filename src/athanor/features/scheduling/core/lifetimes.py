"""How long gangs run, learned from those that ended: by who, what and how big, with the error.

A *kind* is a set of gangs alike; a gang belongs to kinds from wide to narrow (`kinds`). For each
kind runs are counted in bins of runtime (each √2 as wide as the one before): how many came to a
bin, how many ended in it. Gangs that still run count for the bins they have behind them, so long
ones are not forgotten for not having ended (Kaplan and Meier, 1958). The chance to end in a bin is
that of the wider kind, corrected by what the narrower one shows (a beta prior worth `TRUST` runs).
Runs with a declared runtime are counted in units of it: what is learned is how people err.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence

import numpy as np

from athanor.features.scheduling.core.snapshot import UNSET, Snapshot
from athanor.features.scheduling.core.table import Bools, Floats, Ints, Smalls

STEP = math.sqrt(2.0)
SHORTEST, LONGEST = 30.0, 4e7
BINS = int(math.log(LONGEST / SHORTEST) / math.log(STEP)) + 2
EDGES: Floats = np.array([0.0, *(SHORTEST * STEP**i for i in range(BINS))])
"""Bin b holds runtimes from EDGES[b] up to EDGES[b + 1]."""
WIDTH: Floats = np.diff(EDGES)
DECLARED = 3600.0
"""A declared runtime is counted as this long."""
TRUST = 4.0
"""What is known of a wider kind weighs as much as so many runs of the narrower one."""
UNKNOWN = 0.15
"""The chance to end in a bin when nothing was ever seen: about log-uniform runtimes."""
TOGETHER = 3600.0
"""Gangs of one user and size submitted within so many seconds of each other are a series."""
MOST_KINDS = 2000

Kind = tuple[Hashable, ...]


def bins_of(seconds: Floats) -> Ints:
    """The bins of runtimes."""
    found: Ints = np.clip(np.searchsorted(EDGES, seconds, side="right") - 1, 0, BINS - 1)
    return found


def prior(declared: bool) -> Floats:
    """The chances before anything was seen. Declared runtimes are believed to about a fifth."""
    if not declared:
        return np.full(BINS, UNKNOWN)
    part = EDGES[1:] / DECLARED
    found: Floats = np.where(part <= 0.7, 0.02, np.where(part <= 1.2, 0.84, 0.75))
    return found


def kinds(
    declared: bool, size: Hashable, *, queue: str = "", user: str = "", name: str = "",
    series: Hashable = None,
) -> tuple[Kind, ...]:  # fmt: skip
    """The kinds a gang belongs to, from wide to narrow; what is not known is left out."""
    found: list[Kind] = [(declared,), (declared, size)]
    if queue:
        found.append((declared, size, "queue", queue))
    if user:
        found.append((declared, size, "user", user))
    if name:
        found.append((declared, size, "name", user, name))
    if series is not None:
        found.append((declared, size, "series", user, series))
    return tuple(found)


class Runs:
    """What ended runs have shown. The oldest kinds are forgotten beyond `MOST_KINDS`."""

    def __init__(self) -> None:
        self.ended: dict[Kind, Floats] = {}

    def ran(self, kinds: Sequence[Kind], seconds: float) -> None:
        """A gang of these kinds ended after running for so long (in units of what it declared)."""
        b = int(bins_of(np.array([seconds]))[0])
        for kind in kinds:
            ended = self.ended.pop(kind, None)
            ended = np.zeros(BINS) if ended is None else ended
            ended[b] += 1
            self.ended[kind] = ended  # now the newest
        while len(self.ended) > MOST_KINDS:
            del self.ended[next(iter(self.ended))]

    def recall(self, kind: Kind, ended: Mapping[int, int]) -> None:
        """Add runs of a kind that ended in these bins."""
        counts = np.zeros(BINS)
        counts[list(ended)] = list(ended.values())
        self.ended[kind] = self.ended.get(kind, np.zeros(BINS)) + counts

    def chances(self, gangs: Sequence[tuple[Kind, ...]], attained: Floats) -> tuple[Floats, Smalls]:
        """One row of chances (by bin) for each narrowest kind, and each gang's row.

        `attained` is how long each gang has run so far, in units of what it declared.
        """
        rows: dict[tuple[Kind, ...], int] = {}
        row = np.array([rows.setdefault(path, len(rows)) for path in gangs], dtype=np.int32)
        number = {kind: k for k, kind in enumerate(dict.fromkeys(k for p in rows for k in p))}
        ended = np.zeros((len(number) + 1, BINS))
        for kind, k in number.items():
            if kind in self.ended:
                ended[k] = self.ended[kind]
        reached = np.cumsum(ended[:, ::-1], axis=1)[:, ::-1]  # who ended in one came to all before
        for path, b in zip(gangs, bins_of(attained).tolist(), strict=True):
            if b:
                reached[[number[kind] for kind in path], :b] += 1
        deep = max(map(len, rows), default=0)
        level = np.full((deep + 1, len(rows)), len(number))  # beyond the narrowest: no runs
        for path, i in rows.items():
            level[: len(path), i] = [number[kind] for kind in path]
        table = np.array([prior(bool(path[0][0])) for path in rows]).reshape(len(rows), BINS)
        for wide, narrow in zip(level[:-1], level[1:], strict=True):  # each run speaks once
            own = np.maximum(ended[wide] - ended[narrow], 0.0)
            came = np.maximum(reached[wide] - reached[narrow], own)
            table = (own + TRUST * table) / (came + TRUST)
        return table, row


class Outlook:
    """What is expected of the gangs of a snapshot, from its `lifetimes`, all in seconds.

    `rate` is the best chance of an end a second of running: the Gittins index, by which jobs of
    unknown length are best ordered (Gittins 1979; Scully, Harchol-Balter, 2018). `left` is the
    expected rest, `whole` the run from the start; `told` marks those that say something of it.
    """

    def __init__(self, snapshot: Snapshot, now: float) -> None:
        gangs = snapshot.gangs
        began = np.where(np.isnan(gangs.started), now, gangs.started)
        self.attained: Floats = gangs.attained + np.maximum(now - began, 0.0)
        self.declared: Bools = ~np.isnan(gangs.estimate) & (gangs.estimate > 0)
        self.left: Floats = np.zeros(len(gangs.names))
        self.rate: Floats = np.zeros(len(gangs.names))
        self._learned(snapshot)
        exact = ~np.isnan(gangs.remaining)
        rest = gangs.remaining - np.maximum(now - gangs.remaining_at, 0.0)
        rest = np.where(exact, np.maximum(rest, 1e-3), 1.0)
        self.left = np.where(exact, rest, self.left)
        self.rate = np.where(exact, 1.0 / rest, self.rate)
        self.whole: Floats = self.attained + self.left
        self.told: Bools = self.declared | exact

    def _learned(self, snapshot: Snapshot) -> None:
        """Where nothing is learned, what is declared (or nothing at all) counts as `prior`."""
        gangs, known = snapshot.gangs, snapshot.lifetimes.ends
        if not len(gangs.names):
            return
        ends = np.vstack([known.reshape(-1, BINS), prior(False), prior(True)])
        row = np.where(gangs.lifetime == UNSET, len(known) + self.declared, gangs.lifetime)
        unit = np.where(self.declared, DECLARED / np.where(self.declared, gangs.estimate, 1.0), 1.0)
        start = bins_of(self.attained * unit)
        pairs, which = np.unique(row * BINS + start, return_inverse=True)
        index, rest = _worth(ends[pairs // BINS], pairs % BINS)
        self.rate = index[which] * unit
        self.left = rest[which] / unit


def _worth(chance: Floats, start: Ints) -> tuple[Floats, Floats]:
    """The Gittins index and the expected rest of runs that stand at the start of a bin, a row."""
    ahead = np.arange(chance.shape[1])[None, :] >= start[:, None]
    chance = np.where(ahead, np.clip(chance, 1e-5, 1.0 - 1e-9), 0.0)
    after = np.cumprod(1.0 - chance, axis=1)
    before = np.concatenate([np.ones((len(start), 1)), after[:, :-1]], axis=1)
    spent = np.cumsum(np.where(ahead, before * (1.0 - 0.5 * chance) * WIDTH, 0.0), axis=1)
    index = np.where(ahead, (1.0 - after) / np.maximum(spent, 1e-9), 0.0).max(axis=1)
    return index, spent[:, -1]


def sizes(snapshot: Snapshot) -> Floats:
    """What each gang asks for at least: devices of the first kind, else the first resource."""
    sets, counted = snapshot.pod_sets, counted_in(snapshot)
    each = sets.least * snapshot.shapes.request[sets.shape, counted] if len(sets.shape) else []
    total = np.concatenate([[0], np.cumsum(each)])
    first = snapshot.classes.first
    per_class = total[first[1:]] - total[first[:-1]]
    found: Floats = per_class[snapshot.gangs.klass].astype(np.float64)
    return found


def counted_in(snapshot: Snapshot) -> int:
    """The resource that sizes are counted in."""
    kinds = snapshot.device_kinds
    return snapshot.resources.index(kinds[0]) if kinds else 0


def capacity(snapshot: Snapshot) -> float:
    """How much of the counted resource gangs may use together."""
    nodes, counted = snapshot.nodes, counted_in(snapshot)
    return float((nodes.capacity[:, counted] - nodes.foreign[:, counted]).sum())


def quantile(chance: Floats, attained: float, part: float) -> float:
    """The runtime that a run which has come so far stays below with this chance (0 … 1)."""
    start = bins_of(np.array([attained]))
    return max(float(_below(chance[None, :], start, part)[0]), attained)


def rest(snapshot: Snapshot, now: float, part: float) -> Floats:
    """Seconds that each gang runs on, at most with this chance; NaN where nothing is learned."""
    gangs = snapshot.gangs
    found = np.full(len(gangs.names), np.nan)
    rows = np.flatnonzero(gangs.lifetime != UNSET)
    if not len(rows):
        return found
    said = gangs.estimate[rows]
    unit = np.where(np.isnan(said) | (said <= 0), 1.0, DECLARED / np.maximum(said, 1e-9))
    began = np.where(np.isnan(gangs.started[rows]), now, gangs.started[rows])
    attained = (gangs.attained[rows] + np.maximum(now - began, 0.0)) * unit
    pairs, which = np.unique(gangs.lifetime[rows] * BINS + bins_of(attained), return_inverse=True)
    below = _below(snapshot.lifetimes.ends[pairs // BINS], pairs % BINS, part)
    found[rows] = np.maximum(below[which] - attained, 0.0) / unit
    return found


def _below(chance: Floats, start: Ints, part: float) -> Floats:
    """The runtime below which runs that come to the start of a bin end with this chance, a row."""
    ahead = np.arange(chance.shape[1])[None, :] >= start[:, None]
    after = np.cumprod(np.where(ahead, 1.0 - np.clip(chance, 1e-5, 1.0 - 1e-9), 1.0), axis=1)
    over = ahead & (after <= 1.0 - part)
    last = np.where(over.any(axis=1), over.argmax(axis=1), BINS - 1)
    found: Floats = EDGES[last + 1]
    return found
