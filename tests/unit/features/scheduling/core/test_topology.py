"""Slices of a set: they fit if and only if some way to share domains out exists."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from athanor.features.scheduling.core.topology import Near, parts


def _exists(pods: int, size: int, held: tuple[int, ...]) -> bool:
    """Whether whole slices, and a shorter last one, fit: each in one domain."""
    whole, short = divmod(pods, size)
    return any(
        sum((one - (short if at == last else 0)) // size for at, one in enumerate(held)) >= whole
        for last, last_one in enumerate(held)
        if last_one >= short
    )


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_slices_fit_where_they_can(size: int) -> None:
    near = Near(slice_size=size, slice_level=0)
    for held in product(range(6), repeat=3):
        room, domains = np.array(held), np.array([[0, 1, 2]])
        for pods in range(1, 12):
            ways = list(parts(near, pods, room, domains, [0], np.ones(3, dtype=bool)))
            assert bool(ways) == _exists(pods, size, held), (pods, size, held)
            for way in ways:
                shares = [(np.flatnonzero(nodes), count) for nodes, count in way]
                assert sum(count for _, count in shares) == pods
                assert all(count <= room[nodes].sum() for nodes, count in shares)
                assert all(count % size == 0 for _, count in shares[:-1])
