"""Pods of others that a gang has adopted: ranks, until they end or go.

A rank of a gang's own pods comes back under its name, into its place. One of others does not: its
maker may make another pod, under the same name even, or none, and that is adopted anew. So a pod
is known by its uid. What ended or went holds nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from typing import NamedTuple

from athanor.api.core import Pod
from athanor.api.ranks import unpack_ranks
from athanor.api.scheduling import Gang

Rank = tuple[str, int]
"""A pod set's name and a rank in it."""


class Adopted(NamedTuple):
    """A pod of others; `uid` "" in gangs that were made before uids were kept."""

    name: str
    uid: str
    is_over: bool

    def is_that(self, pod: Pod) -> bool:
        """Whether a pod of its name is the one that was adopted."""
        if self.uid:
            return pod.metadata.uid == self.uid
        return not self.is_over or pod.status.phase in ("Succeeded", "Failed")


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


def adopted(gang: Gang) -> Iterator[Adopted]:
    """All pods that the gang has adopted, by set in the order of ranks; those that are over too."""
    past = over(gang)
    for pod_set, names in gang.spec.adopts.items():
        uids = gang.spec.adopted_uids.get(pod_set, [])[: len(names)]
        for rank, (name, uid) in enumerate(zip_longest(names, uids, fillvalue="")):
            yield Adopted(name, uid, (pod_set, rank) in past)
