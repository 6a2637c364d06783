"""Pods of others that a gang has adopted: ranks, until they end or go.

A rank of a gang's own pods comes back under its name, into its place. One of others does not: its
maker may make another pod, or none, and that is adopted anew. What ended or went holds nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from athanor.api.ranks import unpack_ranks
from athanor.api.scheduling import Gang

Rank = tuple[str, int]
"""A pod set's name and a rank in it."""


def over(gang: Gang) -> set[Rank]:
    """The ranks of an admitted gang of adopted pods that hold nothing any more."""
    if not gang.spec.adopts or gang.status.admission is None:
        return set()
    return {
        (told.pod_set, rank)
        for told in gang.status.pods
        for ranks in (told.succeeded_ranks, told.over_ranks)
        for rank in unpack_ranks(ranks)
    }


def adopted(gang: Gang) -> Iterator[str]:
    """The names of the adopted pods that hold their places, or wait for them."""
    past = over(gang)
    for pod_set, names in gang.spec.adopts.items():
        for rank, name in enumerate(names):
            if (pod_set, rank) not in past:
                yield name
