"""Quantities: parsing, rounding up, canonical text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from athanor.kit import quantity as q


@pytest.mark.parametrize(
    ("text", "milli", "whole", "canonical"),
    [
        ("0", 0, 0, "0"),
        ("1", 1000, 1, "1"),
        ("500m", 500, 1, "500m"),
        ("0.5", 500, 1, "500m"),
        (".5", 500, 1, "500m"),
        ("5.", 5000, 5, "5"),
        ("1500m", 1500, 2, "1500m"),
        ("1.5", 1500, 2, "1500m"),
        ("2000m", 2000, 2, "2"),
        ("1Ki", 1024000, 1024, "1Ki"),
        ("1.5Gi", 1610612736000, 1610612736, "1536Mi"),
        ("1000", 1000000, 1000, "1k"),
        ("1e3", 1000000, 1000, "1e3"),
        ("1E3", 1000000, 1000, "1e3"),
        ("1E", 10**21, 10**18, "1E"),
        ("100u", 1, 1, "100u"),
        ("1n", 1, 1, "1n"),
        ("0.1n", 1, 1, "1n"),
        ("-1.5", -1500, -2, "-1500m"),
        ("+3", 3000, 3, "3"),
        ("0.5Ki", 512000, 512, "512"),
        ("0.5Mi", 524288000, 524288, "512Ki"),
        ("0.1Ki", 102400, 103, "102400m"),
        ("2048Ki", 2097152000, 2097152, "2Mi"),
        ("1024k", 1024000000, 1024000, "1024k"),
        ("12.5e-1", 1250, 2, "1250e-3"),
    ],
)
def test_reads_rounds_up_and_writes_as_kubernetes_does(
    text: str, milli: int, whole: int, canonical: str
) -> None:
    assert (q.milli(text), q.whole(text), q.canonical(text)) == (milli, whole, canonical)


@pytest.mark.parametrize(
    "text", ["", "m", ".", "1 Gi", "1gi", "--1", "1ki", "1e", "0x10", "1_0", "١", "1\n", "NaN"]
)
def test_refuses_what_is_no_quantity_and_quotes_it(text: str) -> None:
    with pytest.raises(q.QuantityError, match="no quantity"):
        q.parse(text)


def test_caps_what_no_machine_has() -> None:
    assert q.whole("9999999999999Ei") == 2**63 - 1
    assert q.canonical("100E") == "100E"
    assert q.whole("1e99999999") > 2**62


def test_writes_integers() -> None:
    assert q.from_milli(1500) == "1500m"
    assert q.from_milli(64000) == "64"
    assert q.from_whole(64 * 2**30, binary=True) == "64Gi"
    assert q.from_whole(8) == "8"


@given(st.integers(-(10**18), 10**18), st.sampled_from(["decimal", "binary", "exponent"]))
def test_canonical_text_reads_back_as_the_same_amount(nano: int, form: q.Form) -> None:
    text = str(q.Quantity(nano, form))
    assert q.parse(text).nano == nano
    assert q.canonical(q.canonical(text)) == q.canonical(text)
