"""The frames of a watch: one JSON object a line, {"type": …, "object": …}.

The server encodes around bytes it already has; clients feed chunks to `Frames` and read frames.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

from athanor.wire.status import ApiError, from_response

FrameType = Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"]

_HEADS: dict[str, bytes] = {
    name: b'{"type":"%s","object":' % name.encode()
    for name in ("ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR")
}

INITIAL_EVENTS_END = "k8s.io/initial-events-end"
"""The annotation of the bookmark that ends the initial events of a streaming list."""


class Frame(Struct, frozen=True):
    """One event of a watch. `object` is the object's JSON, still encoded."""

    type: FrameType
    object: msgspec.Raw

    def error(self) -> ApiError:
        """What an ERROR frame says; Expired means: list again."""
        return from_response(500, bytes(self.object))


class _BookmarkMeta(Struct, rename="camel"):
    resource_version: str = ""
    annotations: dict[str, str] = {}


class Bookmark(Struct):
    """What a BOOKMARK frame says: how far the watch has come."""

    metadata: _BookmarkMeta

    @property
    def revision(self) -> str:
        """The resourceVersion that everything so far was sent up to."""
        return self.metadata.resource_version

    @property
    def initial_end(self) -> bool:
        """Whether this is the end of the initial events."""
        return self.metadata.annotations.get(INITIAL_EVENTS_END) == "true"


def encode(type_: FrameType, body: bytes) -> bytes:
    """The line of one event around an object's JSON."""
    return b"".join((_HEADS[type_], body, b"}\n"))


def bookmark(
    api_version: str, kind: str, revision: int | str, *, initial_end: bool = False
) -> bytes:
    """The line that says: everything up to `revision` has been sent."""
    meta: dict[str, object] = {"resourceVersion": str(revision)}
    if initial_end:
        meta["annotations"] = {INITIAL_EVENTS_END: "true"}
    body = {"kind": kind, "apiVersion": api_version, "metadata": meta}
    return encode("BOOKMARK", msgspec.json.encode(body))


def error(problem: ApiError) -> bytes:
    """The line that ends a watch with an error, for instance Expired."""
    return encode("ERROR", msgspec.json.encode(problem.status()))


_FRAME = msgspec.json.Decoder(Frame)
_BOOKMARK = msgspec.json.Decoder(Bookmark)


def decode(line: bytes) -> Frame:
    """One line of a watch. Raises ApiError(InternalError) for what is no frame."""
    try:
        return _FRAME.decode(line)
    except msgspec.DecodeError as wrong:
        start = line[:120].decode(errors="replace")
        raise ApiError(
            "InternalError", f"a line of the watch is no event: {wrong}: {start}"
        ) from None


def read_bookmark(frame: Frame) -> Bookmark:
    """The content of a BOOKMARK frame."""
    return _BOOKMARK.decode(frame.object)


class Frames:
    """Cuts the chunks of a stream into frames; a frame may span many chunks.

    `limit`: the longest line in bytes that is taken for a frame.
    """

    def __init__(self, limit: int = 64 << 20) -> None:
        self._rest: list[bytes] = []
        self._held = 0
        self._limit = limit

    def feed(self, chunk: bytes) -> list[Frame]:
        """The frames that `chunk` completes. Raises ApiError for a line that is no frame."""
        *lines, rest = chunk.split(b"\n")
        if lines:
            lines[0] = b"".join((*self._rest, lines[0]))
            self._rest, self._held = [], 0
        self._rest.append(rest)
        self._held += len(rest)
        if self._held > self._limit:
            raise ApiError(
                "InternalError", f"a line of the watch is longer than {self._limit} bytes"
            )
        return [decode(line) for line in lines if line.strip()]
