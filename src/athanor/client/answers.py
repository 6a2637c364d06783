"""Reads answers of HTTP/1.1 (RFC 9112) from bytes as they come; no sockets here.

Answers of any length and framing are read: by Content-Length, in chunks, up to the connection's
end. What no server of HTTP would send is an error, never a guess.
"""

from __future__ import annotations

import re

from athanor.wire.request import Response, folded

HEAD = 64 * 1024
"""Longest status line with headers, in bytes."""
_LINE = re.compile(r"HTTP/1\.([01]) (\d{3})(?: .*)?")
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?")
_DIGITS = re.compile(r"[0-9]{1,18}")
_BODILESS = frozenset((204, 304))
_MINOR = 100
"""Answers below 200 come before the real one."""


class Garbled(OSError):
    """What came is no answer of HTTP/1.1."""


class Reading:
    """One answer on its way. `begun`: something of it has come; `keeps`: when it has come whole,
    the connection can carry another request."""

    __slots__ = ("_at", "_bare", "_body", "_buffer", "_headers", "_left", "_status", "begun",
                 "keeps")  # fmt: skip

    def __init__(self, method: str) -> None:
        self.begun = False
        self.keeps = False
        self._bare = method == "HEAD"
        self._buffer = bytearray()
        self._at = 0
        self._status = 0
        self._headers: dict[str, str] = {}
        self._left: int | None = None  # length of the body, where the head tells
        self._body: bytearray | None = None  # of what came in chunks

    def feed(self, data: bytes) -> Response | None:
        """Take what has come; the answer once it is whole. Raises Garbled."""
        self.begun = True
        self._buffer += data
        while not self._status:
            if not self._head():
                return None
        if self._body is not None:
            return self._whole(bytes(self._body)) if self._chunks() else None
        if self._left is None or len(self._buffer) - self._at < self._left:
            return None
        begin, self._at = self._at, self._at + self._left
        return self._whole(bytes(memoryview(self._buffer)[begin : self._at]))

    def end(self) -> Response | None:
        """No more will come: the answer, where that was to be its end."""
        if not self._status or self._left is not None or self._body is not None:
            return None
        begin, self._at = self._at, len(self._buffer)
        return self._whole(bytes(self._buffer[begin:]))

    def _whole(self, body: bytes) -> Response:
        self.keeps = self.keeps and self._at == len(self._buffer)  # nobody asked for more
        content_type = self._headers.get("content-type", "")
        return Response(
            status=self._status, body=body, content_type=content_type, headers=self._headers
        )

    def _head(self) -> bool:
        """Read the status line and the headers, if they are there as a whole."""
        end = self._buffer.find(b"\r\n\r\n", self._at)
        if max(end, len(self._buffer) if end < 0 else 0) - self._at > HEAD:
            raise Garbled(f"its answer has more than {HEAD} bytes of headers")
        if end < 0:
            return False
        first, *lines = self._buffer[self._at : end].decode("latin-1").split("\r\n")
        self._at = end + 4
        found = _LINE.fullmatch(first)
        if found is None:
            raise Garbled(f"its answer begins with {first[:40]!r}, which is not HTTP/1.1")
        status = int(found[2])
        if status == 101:
            raise Garbled("it changes to another protocol, unasked")
        if status >= 2 * _MINOR:
            self._headers = folded([_field(line) for line in lines])
            self._frame(status, found[1] == "1")
            self._status = status
        return True

    def _frame(self, status: int, persistent: bool) -> None:
        """How long the body is, and whether another answer may follow."""
        said = self._headers
        self.keeps = persistent and "close" not in said.get("connection", "").lower()
        coding, length = said.get("transfer-encoding"), said.get("content-length")
        if self._bare or status in _BODILESS:
            self._left = 0
        elif coding is not None:
            if coding.lower() != "chunked":
                raise Garbled(f"its answer has the transfer encoding {coding[:40]!r}")
            self._body = bytearray()
            self.keeps = self.keeps and length is None
        elif length is not None:
            if _DIGITS.fullmatch(length) is None:
                raise Garbled(f"its answer has the length {length[:40]!r}")
            self._left = int(length)
        else:
            self.keeps = False

    def _chunks(self) -> bool:
        """Take what chunks have come whole; whether the last one has."""
        buffer, body = self._buffer, self._body
        assert body is not None
        while (end := buffer.find(b"\r\n", self._at)) >= 0:
            found = _SIZE.fullmatch(buffer, self._at, end)
            if found is None:
                raise Garbled(f"a chunk of its answer has the size {buffer[self._at : end][:40]!r}")
            size = int(found[1], 16)
            if not size:  # trailers may follow, and an empty line does
                last = buffer.find(b"\r\n\r\n", end)
                self._at = max(self._at, last + 4)
                return last >= 0
            begin = end + 2
            if len(buffer) < begin + size + 2:
                return False
            if buffer[begin + size : begin + size + 2] != b"\r\n":
                raise Garbled("a chunk of its answer is longer than it says")
            body += memoryview(buffer)[begin : begin + size]
            self._at = begin + size + 2
        return False


def _field(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not name or name != name.strip():
        raise Garbled(f"its answer has the header {line[:40]!r}")
    return name, value.strip(" \t")
