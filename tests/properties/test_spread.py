"""Spreading by several rules, slices too, against a twin that tries every pod on every node."""

from __future__ import annotations

from typing import NamedTuple
from unittest import mock

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from athanor.features.scheduling.core import spread
from athanor.features.scheduling.core.spread import Slices, Spread, deal
from athanor.features.scheduling.core.table import Ints, Smalls


class Case(NamedTuple):
    """Some nodes with room for pods, in domains of two levels (-1: none)."""

    rules: tuple[Spread, ...]
    pods: int
    room: Ints
    domains: Smalls
    slices: Slices | None


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """At most four nodes, five pods, three rules."""
    count = draw(st.integers(1, 4))
    domain = st.lists(st.sampled_from([0, 0, 1, 1, 2, -1]), min_size=count, max_size=count)
    domains = np.array([draw(domain), draw(domain)], dtype=np.int32)
    beside = st.lists(st.tuples(st.integers(0, count - 1), st.integers(1, 3)), max_size=2)
    rules = tuple(
        Spread(
            draw(st.integers(0, 1)), draw(st.sampled_from([1, 1, 2, -1, -2])),
            counts=draw(st.sampled_from([True, True, False])), beside=tuple(draw(beside)),
            domains=draw(st.sampled_from([1, 1, 2, 3])),
        )
        for _ in range(draw(st.integers(1, 3)))
    )  # fmt: skip
    room = draw(st.lists(st.integers(0, 4), min_size=count, max_size=count))
    cut = st.builds(Slices, st.integers(1, 3), st.integers(0, 1))
    slices = draw(st.one_of(st.none(), cut))
    return Case(rules, draw(st.integers(1, 5)), np.array(room, dtype=np.int64), domains, slices)


def may(case: Case, share: tuple[int, ...], node: int) -> bool:
    """Whether one more pod may go to a node, as kube-scheduler asks it."""
    levels = [r.level for r in case.rules] + ([case.slices.level] if case.slices else [])
    keyed = [n for n in range(len(case.room)) if all(case.domains[x, n] >= 0 for x in levels)]
    if node not in keyed or share[node] >= case.room[node]:
        return False
    for rule in case.rules:
        count = {int(case.domains[rule.level, n]): 0 for n in keyed}
        own = [(n, pods) for n, pods in enumerate(share) if rule.counts]
        for n, pods in (*own, *rule.beside):
            domain = int(case.domains[rule.level, n])
            if n in keyed:
                count[domain] += pods
        after = count[int(case.domains[rule.level, node])] + rule.counts
        fewest = min(count.values()) if len(count) >= rule.domains else 0
        if after > (rule.skew + fewest if rule.skew > 0 else -rule.skew):
            return False
    return True


def whole(case: Case, share: tuple[int, ...]) -> bool:
    """Whether the pods make whole slices, but for the last."""
    if case.slices is None:
        return True
    held: dict[int, int] = {}
    for n, pods in enumerate(share):
        domain = int(case.domains[case.slices.level, n])
        held[domain] = held.get(domain, 0) + pods
    return sum(pods % case.slices.size > 0 for pods in held.values()) <= (
        case.pods % case.slices.size > 0
    )


@given(cases())
def test_pods_are_spread_if_and_only_if_some_way_exists(case: Case) -> None:
    shares = {(0,) * len(case.room)}
    for _ in range(case.pods):
        shares = {
            (*share[:n], share[n] + 1, *share[n + 1 :])
            for share in shares for n in range(len(share)) if may(case, share, n)
        }  # fmt: skip
    everywhere, gave_up = np.ones(len(case.room), dtype=np.bool_), [0]
    args = case.rules, case.pods, case.room, case.domains, everywhere, case.slices
    found = deal(*args, gave_up)
    assert gave_up == [0]
    assert (found is not None) == any(whole(case, share) for share in shares)
    if found is None:
        return
    assert sum(part.pods for part in found) == case.pods
    if case.slices is not None:
        ranks = [int(case.domains[case.slices.level, np.flatnonzero(part.nodes)[0]])
                 for part in found for _ in range(part.pods)]  # fmt: skip
        for first in range(0, case.pods, case.slices.size):
            assert len(set(ranks[first : first + case.slices.size])) == 1


@given(cases())
def test_a_no_that_is_no_proof_says_so(case: Case) -> None:
    everywhere = np.ones(len(case.room), dtype=np.bool_)
    args = case.rules, case.pods, case.room, case.domains, everywhere, case.slices
    with mock.patch.object(spread, "BUDGET", 1):
        gave_up = [0]
        found = deal(*args, gave_up)
    assert found is not None or gave_up[0] or deal(*args) is None
