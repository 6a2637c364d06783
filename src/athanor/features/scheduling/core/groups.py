"""The groups of arrays that the compiled loops hand each other (see `compiled`)."""

from __future__ import annotations

from typing import NamedTuple

from athanor.features.scheduling.core.table import Bools, Ints, Smalls


class Cells(NamedTuple):
    """The patterns known so far, and what follows from them."""

    counts: Ints
    rows: Ints  # patterns × devices
    table: Smalls  # hash → pattern, -1: free
    lost: Ints  # patterns × CPU steps: fragmentation by the present mix
    age: Ints  # of `lost`
    fit: Smalls  # wants × patterns: pods that fit, -1: not known
    first: Smalls  # wants × patterns: the first option
    many: Smalls  # wants × patterns: how many options
    after: Smalls  # options: the pattern that is left
    cell: Ints  # options: the cell that is taken (0: several)
    memory: Ints  # of each sort
    slots: Smalls  # of each sort
    recent: Ints  # tick, pattern, CPU, score, tied options: gradients of this refresh, by hash


class Wants(NamedTuple):
    """What pods ask of devices: columns needed, milli, mib, slots; and which sorts they take."""

    asks: Ints
    admits: Bools


class Rules(NamedTuple):
    """How nodes are compared: `Rater` in arrays."""

    how: int
    cpu: int
    whole: int
    asks: Ints
    admits: Bools
    cpus: Ints
    weight: Ints
    bounds: Ints
    scale: Ints


class State(NamedTuple):
    """What is free."""

    free: Ints
    milli: Smalls
    mib: Ints
    cut: Smalls
    open: Bools
    sort: Smalls
    pattern: Smalls
    has: Bools
    capacity: Ints


class Looks(NamedTuple):
    """A view, and room to list the nodes that are to be compared."""

    begin: int
    allowed: Bools
    stamp: Ints
    room: Ints
    score: Smalls
    device: Smalls
    plain: Smalls
    graded: Smalls


class Asked(NamedTuple):
    """A shape: its request, how many such pods each node has and may have (0: any), its want."""

    request: Ints
    here: Smalls
    limit: int
    want: int
