"""Reads answers of HTTP/1.1 (RFC 9112) from bytes as they come (httptools); no sockets here.

Answers of any length and framing are read: by Content-Length, in chunks, up to the connection's
end. What no server of HTTP would send is an error, never a guess.
"""

from __future__ import annotations

import httptools

from athanor.wire.request import Response, folded

HEAD = 64 * 1024
"""Longest status line with headers, in bytes."""
_REAL, _UPGRADE = 200, 101
"""Answers below 200 come before the real one, but for one that nobody asked for."""


class Garbled(OSError):
    """What came is no answer of HTTP/1.1."""


class Reading:
    """One answer on its way. `begun`: something of it has come; `keeps`: when it has come whole,
    the connection can carry another request."""

    def __init__(self, method: str) -> None:
        self.begun = False
        self.keeps = False
        self._bare = method == "HEAD"
        self._parser = httptools.HttpResponseParser(self)
        self._head = 0  # bytes of it so far
        self._strange = ""
        self._fields: list[tuple[str, str]] = []
        self._headers: dict[str, str] | None = None
        self._body = bytearray()  # a list of pieces would leave its memory in shreds
        self._answer: Response | None = None

    def feed(self, data: bytes) -> Response | None:
        """Take what has come; the answer once it is whole. Raises Garbled."""
        self.begun = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._strange = "status 101"
        except httptools.HttpParserError as error:
            if self._answer is None:
                raise Garbled(f"its answer is not HTTP/1.1: {error}") from None
            self.keeps = False  # whatever follows, nobody asked for it
        if self._strange:
            raise Garbled(f"its answer is none that a request like this has: {self._strange}")
        if self._headers is None:
            self._head += len(data)
            if self._head > HEAD:
                raise Garbled(f"its answer has more than {HEAD} bytes of headers")
        if self._answer is not None:
            del self._parser  # it refers to us: the body would stay until garbage is looked for
        return self._answer

    def end(self) -> Response | None:
        """No more will come: the answer, where that was to be its end."""
        said = self._headers
        if self._answer is None and said is not None and not _is_framed(said):
            self._answer = self._whole()
            del self._parser
            return self._answer
        return None

    def on_message_begin(self) -> None:
        """Called by the parser, as all that follow."""
        self.keeps = False  # true once it has ended; of a second one, which nobody asked for, never

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer."""
        if self._headers is None:
            self._fields.append((name.decode("latin-1"), value.decode("latin-1").strip(" \t")))

    def on_headers_complete(self) -> None:
        """The body follows, where there is one."""
        status = self._parser.get_status_code()
        if self._answer is not None or (status < _REAL and status != _UPGRADE):
            return
        self._headers = folded(self._fields)
        coding = self._headers.get("transfer-encoding", "chunked")
        if status == _UPGRADE or coding.lower() != "chunked":
            self._strange = f"status {status}, transfer encoding {coding[:40]!r}"
        if self._bare:
            self._end()

    def on_body(self, body: bytes) -> None:
        """A piece of it."""
        if self._answer is None:
            self._body += body

    def on_message_complete(self) -> None:
        """Nothing more belongs to it."""
        if self._headers is None:
            self._fields.clear()
        elif self._answer is None:
            self._end()

    def _end(self) -> None:
        self._answer = self._whole()
        self.keeps = self._parser.should_keep_alive()

    def _whole(self) -> Response:
        headers = self._headers or {}
        return Response(
            status=self._parser.get_status_code(), body=bytes(self._body),
            content_type=headers.get("content-type", ""), headers=headers,
        )  # fmt: skip


def _is_framed(headers: dict[str, str]) -> bool:
    return "content-length" in headers or "transfer-encoding" in headers
