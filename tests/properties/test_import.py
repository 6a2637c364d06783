"""What `import` reads is in our object, or it is said: for every kind and every field.

A field is *heard* when another value there makes another TrainingJob, or is said to be lost where
this one repeats what holds anyway. Every leaf of a foreign document is heard, or a line of losses
or notes begins with its path or one above it.
"""

from __future__ import annotations

import copy
import functools
import itertools
import os
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from athanor.api.meta import JSON
from athanor.sdk.foreign.convert import READERS, Converted, convert
from tests.properties.foreign import DOCUMENTS, silent

Path = tuple[str | int, ...]


@functools.cache
def documents() -> list[tuple[str, JSON]]:
    """Read once; whoever changes one changes a copy."""
    return [(name, yaml.safe_load(text)) for name, text in DOCUMENTS.items()]


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every scalar of a document."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from leaves(inner, (*path, number))
    else:
        yield path, value


def objects(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every object in a document."""
    if isinstance(value, dict):
        yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(inner, dict | list):
            yield from objects(inner, (*path, key))


def changed(document: JSON, path: Path, value: Any) -> JSON:
    made = copy.deepcopy(document)
    at: Any = made
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return made


def written(path: Path) -> str:
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).lstrip(".")


def named(made: Converted, path: Path) -> bool:
    """Whether a line of losses or notes is about this field, or one that it is in."""
    lines = [line.partition(": ")[0] for line in (*made.lost, *made.notes)]
    return any(written(path[:end]) in lines for end in range(1, len(path) + 1))


def others(value: Any) -> list[Any]:
    """Values of the same type, to see whether a field is heard."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, value + 7]
    return [f"{value}x", "7", "OnFailure", "Always", "None", "All", "t9k://pvc/runs/other"]


def heard(document: JSON, made: Converted, path: Path, value: Any) -> bool:
    for other in others(value):
        try:
            again = convert(changed(document, path, other))
        except ValueError:
            continue
        if again.manifest != made.manifest or named(again, path):
            return True
    return False


def lost_silently(document: JSON) -> list[str]:
    made = convert(document)
    return [
        f"{written(path)}: {value}"
        for path, value in leaves(document)
        if path[0] not in silent and not named(made, path)
        and not heard(document, made, path, value)
    ]  # fmt: skip


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_field_is_taken_over_or_named(name: str) -> None:
    assert lost_silently(yaml.safe_load(DOCUMENTS[name])) == []


def test_there_is_a_document_of_every_kind() -> None:
    kinds = {(doc["apiVersion"].partition("/")[0], doc["kind"]) for _, doc in documents()}
    assert kinds == set(READERS)


@given(st.data())
def test_a_field_that_nobody_knows_is_taken_over_or_named(data: st.DataObject) -> None:
    _, document = data.draw(st.sampled_from(documents()))
    at = data.draw(st.sampled_from([p for p in objects(document) if p[:1] not in (("status",),)]))
    value = data.draw(st.sampled_from([True, False, 5, "word", ["word"], {"inner": 3}]))
    path = (*at, "newField")
    more = changed(document, path, value)
    try:
        made = convert(more)
    except ValueError as refused:
        assert "newField" in str(refused) or written(at) in str(refused)
        return
    inside = (*path, "inner") if isinstance(value, dict) else path
    assert "newfield" in str(made.manifest).lower() or named(made, inside)


VALUES = (None, True, 0, 3, "", "word", [], [3], ["w"], {}, {"a": 1})
EVERY = int(os.environ.get("ATHANOR_EXAMPLES", "20")) >= 200


def test_whatever_a_field_holds_it_is_read_or_refused_by_name() -> None:
    """No value makes `import` fail but with a sentence about a field: each field in turn."""
    turns = itertools.cycle(VALUES)
    for _, document in documents():
        found = [*(path for path, _ in leaves(document)), *filter(None, objects(document))]
        for path in (path for path in found if path[0] not in ("apiVersion", "kind")):
            for value in VALUES if EVERY else (next(turns),):
                try:
                    convert(changed(document, path, value))
                except ValueError as refused:
                    assert any(word in str(refused) for word in ("spec", "metadata", "rule"))
