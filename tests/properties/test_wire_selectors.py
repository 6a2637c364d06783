"""Laws of selectors and watch frames: writing and reading them loses nothing."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from athanor.wire import watch
from athanor.wire.printing.jsonpath import compile_path
from athanor.wire.selector import Requirement, from_object, parse_fields, parse_labels
from athanor.wire.status import ApiError

KEYS = st.sampled_from(["app", "tier", "in", "notin", "example.com/x", "a.b_c-d"])
VALUES = st.sampled_from(["", "web", "in", "x.y", "5", "A-1"])
SETS = st.frozensets(VALUES, min_size=1, max_size=3)
REQUIREMENTS = st.one_of(
    st.builds(Requirement, KEYS, st.sampled_from(["In", "NotIn"]), SETS),
    st.builds(Requirement, KEYS, st.sampled_from(["Exists", "DoesNotExist"])),
    st.builds(
        Requirement, KEYS, st.sampled_from(["Gt", "Lt"]),
        st.integers(0, 9).map(lambda n: frozenset((str(n),))),
    ),
)  # fmt: skip
LABELS = st.dictionaries(KEYS, VALUES, max_size=4)


@given(st.lists(REQUIREMENTS, max_size=4), LABELS)
def test_a_selector_reads_as_it_is_written(wanted: list[Requirement], labels: Any) -> None:
    text = ",".join(map(str, wanted))
    read = parse_labels(text)
    assert sorted(map(str, read.requirements)) == sorted(map(str, wanted))
    assert read.matches(labels) is all(r.matches(labels) for r in wanted)


@given(st.lists(REQUIREMENTS.filter(lambda r: r.operator not in ("Gt", "Lt")), max_size=4), LABELS)
def test_object_and_string_select_the_same(wanted: list[Requirement], labels: Any) -> None:
    as_object = {
        "matchExpressions": [
            {
                "key": r.key,
                "operator": r.operator,
                **({"values": sorted(r.values)} if r.values else {}),
            }
            for r in wanted
        ]
    }
    text = ",".join(map(str, wanted))
    assert from_object(as_object).matches(labels) is parse_labels(text).matches(labels)


@given(st.text(alphabet="ab=!(),<>- in\\t/.\\", max_size=12))
def test_any_selector_is_read_or_refused(text: str) -> None:
    for parse in (parse_labels, parse_fields):
        try:
            parse(text)
        except ApiError as refused:
            assert refused.reason == "BadRequest"


@given(st.text(alphabet="ab.[]()?@='*:0-9{}$", max_size=12))
def test_any_path_is_read_or_refused(text: str) -> None:
    try:
        find = compile_path(text)
    except ValueError:
        return
    find({"a": [{"b": 1}], "b": "x"})


@given(
    st.lists(st.dictionaries(KEYS, VALUES, max_size=2), max_size=6),
    st.lists(st.integers(1, 40), min_size=1, max_size=20),
)
def test_frames_survive_any_cut(objects: list[Any], cuts: list[int]) -> None:
    stream = b"".join(watch.encode("ADDED", msgspec.json.encode(o)) for o in objects)
    frames, seen, at = watch.Frames(), [], 0
    while at < len(stream):
        size = cuts[at % len(cuts)]
        seen += frames.feed(stream[at : at + size])
        at += size
    assert [msgspec.json.decode(f.object) for f in seen] == objects
