"""Ranks as ranges."""

from hypothesis import given
from hypothesis import strategies as st

from athanor.api.ranks import pack_ranks, unpack_ranks


@given(st.sets(st.integers(0, 200)))
def test_ranks_are_packed_without_loss(ranks: set[int]) -> None:
    assert unpack_ranks(pack_ranks(sorted(ranks))) == ranks


def test_ranks_are_packed_tightly() -> None:
    assert pack_ranks([0, 1, 2, 5, 7, 8]) == "0-2,5,7-8"
    assert pack_ranks([]) == ""
