"""SPDY frames: two sessions talk, in any cuts; what is broken is refused."""

from __future__ import annotations

import pytest

from athanor.wire import spdy


def test_two_sides_understand_each_other() -> None:
    client, server = spdy.Session(), spdy.Session()
    heads = [{"streamtype": "error", "port": "80"}, {"StreamType": "data", "port": "80"}]
    raw = client.open(1, heads[0]) + client.open(3, heads[1]) + client.data(3, b"hello")
    raw += client.data(3, b"", fin=True) + client.reset(1)
    events = [event for byte in raw for event in server.feed(bytes([byte]))]
    assert events == [
        spdy.Opened(1, heads[0]), spdy.Opened(3, {"streamtype": "data", "port": "80"}),
        spdy.Data(3, b"hello"), spdy.Data(3, b"", True), spdy.Reset(1),
    ]  # fmt: skip
    assert client.feed(server.reply(1) + server.reply(3) + server.data(3, b"x")) == [
        spdy.Data(3, b"x")
    ]


def test_pings_come_back_and_goaway_ends() -> None:
    ping = bytes.fromhex("8003000600000004") + b"\0\0\0\1"
    away = bytes.fromhex("8003000700000008") + b"\0" * 8
    assert spdy.Session().feed(ping + away) == [spdy.Ping(ping), spdy.GoAway()]


@pytest.mark.parametrize(
    "raw", [b"\x80\x02" + b"\0" * 6, bytes.fromhex("800300010000000c") + b"\xff" * 12]
)
def test_broken_frames_are_refused(raw: bytes) -> None:
    with pytest.raises(spdy.BadFrame):
        spdy.Session().feed(raw)


def test_the_dictionary_is_the_drafts() -> None:
    assert len(spdy.DICTIONARY) == 1423
