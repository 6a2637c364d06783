"""Spreading by several rules against a dumb twin that tries every pod on every node."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from athanor.features.scheduling.core.spread import Spread, deal
from athanor.features.scheduling.core.table import Ints, Smalls


class Case(NamedTuple):
    """Some nodes with room for pods, in domains of two levels (-1: none)."""

    rules: tuple[Spread, ...]
    pods: int
    room: Ints
    domains: Smalls


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
        )
        for _ in range(draw(st.integers(1, 3)))
    )  # fmt: skip
    room = draw(st.lists(st.integers(0, 4), min_size=count, max_size=count))
    return Case(rules, draw(st.integers(1, 5)), np.array(room, dtype=np.int64), domains)


def may(case: Case, share: tuple[int, ...], node: int) -> bool:
    """Whether one more pod may go to a node, as kube-scheduler asks it."""
    keyed = [
        n for n in range(len(case.room)) if all(case.domains[r.level, n] >= 0 for r in case.rules)
    ]
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
        if after > (rule.skew + min(count.values()) if rule.skew > 0 else -rule.skew):
            return False
    return True


@given(cases())
def test_pods_are_spread_if_and_only_if_some_way_exists(case: Case) -> None:
    shares = {(0,) * len(case.room)}
    for _ in range(case.pods):
        shares = {
            (*share[:n], share[n] + 1, *share[n + 1 :])
            for share in shares for n in range(len(share)) if may(case, share, n)
        }  # fmt: skip
    everywhere = np.ones(len(case.room), dtype=np.bool_)
    found = deal(case.rules, case.pods, case.room, case.domains, everywhere)
    assert (found is not None) == bool(shares)
    assert found is None or sum(part.pods for part in found) == case.pods
