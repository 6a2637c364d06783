"""Answers of HTTP/1.1 are read however they are framed and cut; anything else is an error."""

from __future__ import annotations

import pytest

from athanor.client.answers import HEAD, Garbled, Reading
from athanor.wire.request import Response

LENGTH = b"HTTP/1.1 200 OK\r\nX-Y: z\r\nContent-Type: a/b\r\nContent-Length: 5\r\n\r\nhello"
CHUNKS = (
    b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3;a=b\r\nhel\r\n2\r\nlo\r\n0\r\n%b\r\n"
)
OPEN = b"HTTP/1.1 200 OK\r\n\r\nhello"


def _read(data: bytes, size: int, method: str = "GET") -> tuple[Response | None, Reading]:
    """The answer in pieces of a size."""
    reading = Reading(method)
    answer = None
    for start in range(0, len(data), size):
        assert answer is None
        answer = reading.feed(data[start : start + size])
    return answer, reading


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize(
    ("data", "status"),
    [
        (LENGTH, 200),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\na: b\r\n\r\n" + LENGTH, 200),
        (CHUNKS % b"", 201),
        (CHUNKS % b"Trailer: a\r\n", 201),
    ],
)
def test_whole_answers(data: bytes, status: int, size: int) -> None:
    answer, reading = _read(data, size)
    assert answer is not None
    assert (answer.status, answer.body) == (status, b"hello")
    assert reading.keeps
    assert reading.end() is None


def test_headers() -> None:
    answer, _ = _read(LENGTH.replace(b"X-Y: z", b"X-Y:\tz \r\nx-y: w"), 1000)
    assert answer is not None
    assert (answer.content_type, answer.headers["x-y"]) == ("a/b", "z, w")


def test_an_answer_may_last_until_the_connection_ends() -> None:
    answer, reading = _read(OPEN, 3)
    assert answer is None
    whole = reading.end()
    assert whole is not None
    assert whole.body == b"hello"
    assert not reading.keeps


@pytest.mark.parametrize("data", [LENGTH[:-1], (CHUNKS % b"")[:-1], OPEN[:-7], b""])
def test_one_that_is_cut_off_is_none(data: bytes) -> None:
    answer, reading = _read(data, 4)
    assert answer is None
    assert reading.end() is None


@pytest.mark.parametrize(
    ("method", "line"), [("HEAD", b"200 OK"), ("GET", b"204 No Content"), ("GET", b"304 x")]
)
def test_answers_without_a_body(method: str, line: bytes) -> None:
    answer, reading = _read(b"HTTP/1.1 " + line + b"\r\nContent-Length: 9\r\n\r\n", 5, method)
    assert answer is not None
    assert answer.body == b""
    assert reading.keeps


@pytest.mark.parametrize(
    "data",
    [
        LENGTH.replace(b"HTTP/1.1", b"HTTP/1.0"),
        LENGTH.replace(b"X-Y: z", b"Connection: Close"),
        LENGTH + b"HTTP/1.1 200 OK",
        LENGTH + b"more",
    ],
)
def test_connections_that_carry_no_further_request(data: bytes) -> None:
    answer, reading = _read(data, 1000)
    assert answer is not None
    assert answer.body == b"hello"
    assert not reading.keeps


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"SSH-2.0-x\r\n\r\n", "not HTTP/1.1"),
        (b"HTTP/2 200\r\n\r\n", "not HTTP/1.1"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "status 101"),
        (b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n", "status 101"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", "Content-Length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", "Content-Length"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "encoding 'gzip'"),
        (b"HTTP/1.1 200 OK\r\nno header\r\n\r\n", "header"),
        (CHUNKS.replace(b"3;", b"+3;") % b"", "chunk size"),
        (CHUNKS.replace(b"3;", b"2;") % b"", "chunk data"),
        ((CHUNKS % b"").replace(b"\r\n\r\n3", b"\r\nContent-Length: 5\r\n\r\n3"), "Content-Length"),
        (b"HTTP/1.1 200 OK\r\nA: " + b"b" * HEAD, "bytes of headers"),
    ],
)
def test_what_is_no_answer(data: bytes, why: str) -> None:
    with pytest.raises(Garbled, match=why):
        Reading("GET").feed(data)
