"""What is placed (the pod sets of a gang) and where (a node, its devices): the words of placing."""

from __future__ import annotations

from typing import NamedTuple

from athanor.features.scheduling.core.ledger import Shape
from athanor.features.scheduling.core.topology import Near


class SetAsk(NamedTuple):
    """One pod set of a gang: row in PodSets, shape, how many pods and at least how many."""

    row: int
    shape: Shape
    pods: int
    least: int
    near: Near


class Spot(NamedTuple):
    """Where one pod goes."""

    node: int
    devices: int
    slot: int


Spots = tuple[tuple[Spot, ...], ...]
"""One tuple a pod set, one Spot a rank."""
