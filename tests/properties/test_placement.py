"""Packing node names loses nothing and stays small."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from athanor.api.placement import pack, unpack

NAMES = st.one_of(
    st.builds(lambda p, i: f"{p}{i}", st.sampled_from(["n", "gpu-", ""]), st.integers(0, 10**10)),
    st.builds(lambda p, i, w: f"{p}{i:0{w}d}", st.sampled_from(["n", "gpu-"]),
              st.integers(0, 1200), st.integers(1, 5)),
    st.sampled_from(["a", "laptop", "n-0a", "9", "09", "099", "100"]),
)  # fmt: skip


@given(st.lists(NAMES, max_size=60))
def test_unpack_is_the_inverse_of_pack(names: list[str]) -> None:
    assert list(unpack(pack(names))) == names


@given(st.integers(0, 2000), st.integers(1, 300), st.integers(1, 8), st.integers(1, 5))
def test_a_run_of_nodes_is_one_range(first: int, count: int, each: int, width: int) -> None:
    names = [f"n{i:0{width}d}" for i in range(first, first + count) for _ in range(each)]
    assert list(unpack(pack(names))) == names
    if width == 1 or first >= 10 ** (width - 1):
        assert len(pack(names)) == 1


def test_twenty_thousand_ranks_fit_in_a_megabyte() -> None:
    scattered = [f"node-{(i * 7919) % 100000}" for i in range(20000)]
    assert len(msgspec.json.encode(pack(scattered))) < 1_048_576
    dense = [f"node-{i // 8:05d}" for i in range(20000)]
    assert len(msgspec.json.encode(pack(dense))) < 200
