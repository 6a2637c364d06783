"""The store's values and errors: Key, Row, Change, Batch, Write."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Literal, NamedTuple

from msgspec import Struct

from athanor.wire.status import ApiError

ChangeType = Literal["ADDED", "MODIFIED", "DELETED"]
Encode = Callable[[int], bytes]
"""Gives an object's JSON once its revision is known."""


class Key(NamedTuple):
    """Where an object lives. `resource` is the plural with its group: "gangs.athanor.dev"."""

    resource: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return "/".join(part for part in self if part)


class Row(Struct, frozen=True, gc=False):
    """An object as it stands; `body` is JSON that names this very revision."""

    key: Key
    revision: int
    body: bytes


class Change(Struct, frozen=True, gc=False):
    """One entry of the log. `before` is the row it replaced; a DELETED one's body is the last."""

    key: Key
    revision: int
    type: ChangeType
    body: bytes
    before: Row | None

    @property
    def previous(self) -> bytes | None:
        """The replaced body, or None for a new object."""
        return None if self.before is None else self.before.body


class Batch(list[Change]):
    """Changes in order, the same list for every watcher that stood at the same place.

    `memo` is where the reader keeps what it encodes from the batch, so that 200 watchers cost
    one encoding. `revision` is how far a watcher has seen once it has read this batch.
    """

    __slots__ = ("memo", "revision")

    def __init__(self, changes: list[Change], revision: int) -> None:
        super().__init__(changes)
        self.revision = revision
        self.memo: dict[Hashable, bytes] = {}


class Write(NamedTuple):
    """One of several writes that happen together; `remove` makes it a deletion."""

    key: Key
    encode: Encode
    expect: int
    remove: bool = False


class Conflict(ApiError):
    """A precondition does not hold; `actual` is the revision found, 0 when there is no object."""

    def __init__(self, key: Key, expect: int, actual: int) -> None:
        plural, _, group = key.resource.partition(".")
        if expect == 0:
            reason, message = "AlreadyExists", f'{key.resource} "{key.name}" already exists'
        else:
            reason = "Conflict"
            message = (
                f'Operation cannot be fulfilled on {key.resource} "{key.name}": the object has '
                "been modified; please apply your changes to the latest version and try again"
            )
        super().__init__(reason, message, kind=plural, group=group, name=key.name)
        self.expect = expect
        self.actual = actual


class Expired(ApiError):
    """The revision asked for has been compacted away: list again."""

    def __init__(self, revision: int, compacted: int) -> None:
        super().__init__("Expired", f"too old resource version: {revision} ({compacted})")


class Unavailable(ApiError):
    """The write could not be made durable and was not made."""

    def __init__(self, message: str) -> None:
        super().__init__("ServiceUnavailable", message)


class StoreError(Exception):
    """The data cannot be opened, copied or restored; nothing has been changed by trying."""
