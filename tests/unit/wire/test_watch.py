"""Watch frames survive any way of being cut, and errors come through whole."""

from __future__ import annotations

import msgspec
import pytest

from athanor.wire import watch
from athanor.wire.status import ApiError


def test_frames_in_any_pieces() -> None:
    lines = [watch.encode("ADDED", b'{"a":%d}' % n) for n in range(20)]
    stream = b"".join(lines)
    for size in (1, 7, 30, 1000):
        frames = watch.Frames()
        seen = [
            f for at in range(0, len(stream), size) for f in frames.feed(stream[at : at + size])
        ]
        assert [msgspec.json.decode(f.object)["a"] for f in seen] == list(range(20))


def test_bookmarks() -> None:
    frame = watch.decode(watch.bookmark("v1", "Pod", 17, initial_end=True))
    assert frame.type == "BOOKMARK"
    mark = watch.read_bookmark(frame)
    assert (mark.revision, mark.initial_end) == ("17", True)
    assert msgspec.json.decode(frame.object)["kind"] == "Pod"
    assert not watch.read_bookmark(watch.decode(watch.bookmark("v1", "Pod", 18))).initial_end


def test_errors() -> None:
    frame = watch.decode(watch.error(ApiError("Expired", "too old resource version: 1 (9)")))
    said = frame.error()
    assert (said.reason, said.code, said.message) == (
        "Expired", 410, "too old resource version: 1 (9)",
    )  # fmt: skip


def test_what_is_no_frame() -> None:
    frames = watch.Frames()
    assert frames.feed(b"\n\n") == []
    with pytest.raises(ApiError, match="no event"):
        frames.feed(b"<html>\n")
    with pytest.raises(ApiError, match="longer than"):
        watch.Frames(limit=10).feed(b"x" * 11)
