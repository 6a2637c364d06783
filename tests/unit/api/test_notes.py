"""Every field of our kinds is explained, and nothing is explained that is not there."""

from __future__ import annotations

import msgspec

from athanor.api import crons, scheduling, sweeps, templates, training, workflows, workspaces
from athanor.api.meta import Base, Condition, Object, ObjectReference
from athanor.api.notes import NOTES


def structs() -> dict[str, type[Base]]:
    """Our own Structs that are parts of objects."""
    members = [
        item
        for module in (scheduling, templates, training, crons, sweeps, workflows, workspaces)
        for item in vars(module).items()
    ]
    return {
        name: value
        for name, value in members
        if isinstance(value, type)
        and issubclass(value, Base)
        and not issubclass(value, Object)
        and value not in (Base, Condition, ObjectReference)
    }


def test_notes_and_fields_are_the_same() -> None:
    for name, view in structs().items():
        inherited = {f for b in view.__mro__[1:] for f in NOTES.get(b.__name__, ())}
        fields = {field.encode_name for field in msgspec.structs.fields(view)}
        assert set(NOTES.get(name, {})) | inherited == fields, name
    assert set(NOTES) <= set(structs())


def test_notes_are_sentences() -> None:
    wrong = [
        (name, field)
        for name, notes in NOTES.items()
        for field, note in notes.items()
        if not note.endswith(".") or "\n" in note
    ]
    assert wrong == []
