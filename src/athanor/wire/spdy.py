"""SPDY/3.1 framing as far as Kubernetes uses it for exec, attach and port-forward, without I/O.

API servers before 1.36 speak it with nodes; kubectl tunnels it through a WebSocket to forward ports
(KEP-4006). Frames and the header dictionary are those of the SPDY Protocol Draft 3.1 (The Chromium
Projects), sections 2.2 and 2.6. Flow control is left out, as Kubernetes' own library leaves it out.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

from msgspec import Struct

FIN = 0x01
_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _PING, _GOAWAY, _HEADERS = 1, 2, 3, 6, 7, 8
_VERSION = 3
_LIMIT = 1 << 24
_WORDS = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language "
    "accept-ranges age allow authorization cache-control connection content-base content-encoding "
    "content-language content-length content-location content-md5 content-range content-type date "
    "etag expect expires from host if-match if-modified-since if-none-match if-range "
    "if-unmodified-since last-modified location max-forwards pragma proxy-authenticate "
    "proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade "
    "user-agent vary via warning www-authenticate method get status 200_OK version HTTP/1.1 url "
    "public set-cookie keep-alive origin"
)
_TAIL = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request"
    "401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented"
    "503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, "
    "Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,"
    "application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdch"
    "charset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)
DICTIONARY = (
    b"".join(
        struct.pack(">I", len(word)) + word.replace("_", " ").encode() for word in _WORDS.split()
    )
    + _TAIL.encode()
)
"""Both sides' zlib streams start from it (section 2.6.10.1)."""


class BadFrame(Exception):
    """The other side broke the protocol."""


class Opened(Struct, frozen=True):
    """A stream was opened by the other side."""

    stream: int
    headers: Mapping[str, str]
    fin: bool = False


class Data(Struct, frozen=True):
    """Bytes of a stream; with `fin` its last."""

    stream: int
    data: bytes
    fin: bool = False


class Reset(Struct, frozen=True):
    """The other side gave a stream up."""

    stream: int


class Ping(Struct, frozen=True):
    """To be sent back as it is."""

    raw: bytes


class GoAway(Struct, frozen=True):
    """No more streams will come."""


Event = Opened | Data | Reset | Ping | GoAway


class Session:
    """One side's view of a connection: bytes in, events out; calls in, bytes out."""

    def __init__(self) -> None:
        self._inbox = b""
        self._unpack = zlib.decompressobj(zdict=DICTIONARY)
        self._pack = zlib.compressobj(zdict=DICTIONARY)

    def feed(self, data: bytes) -> list[Event]:
        """The events that these bytes complete. Raises BadFrame."""
        self._inbox += data
        events: list[Event] = []
        while len(self._inbox) >= 8:
            size = int.from_bytes(self._inbox[5:8], "big")
            if len(self._inbox) < 8 + size:
                break
            frame, self._inbox = self._inbox[: 8 + size], self._inbox[8 + size :]
            event = self._frame(frame)
            if event is not None:
                events.append(event)
        return events

    def reply(self, stream: int) -> bytes:
        """Accept a stream that the other side opened."""
        return self._control(_SYN_REPLY, 0, struct.pack(">I", stream) + self._headers({}))

    def open(self, stream: int, headers: Mapping[str, str]) -> bytes:
        """Open a stream; odd numbers are the client's."""
        head = struct.pack(">IIBB", stream, 0, 0, 0)
        return self._control(_SYN_STREAM, 0, head + self._headers(headers))

    @staticmethod
    def data(stream: int, data: bytes, *, fin: bool = False) -> bytes:
        """Bytes of a stream, less than 16 MiB."""
        flags = (FIN if fin else 0) << 24 | len(data)
        return struct.pack(">II", stream & 0x7FFFFFFF, flags) + data

    def reset(self, stream: int, status: int = 5) -> bytes:
        """Give a stream up (5: cancel)."""
        return self._control(_RST_STREAM, 0, struct.pack(">II", stream, status))

    def _frame(self, frame: bytes) -> Event | None:
        if not frame[0] & 0x80:
            stream = int.from_bytes(frame[:4], "big")
            return Data(stream, frame[8:], bool(frame[4] & FIN))
        version, kind = struct.unpack(">HH", frame[:4])
        if version & 0x7FFF != _VERSION:
            raise BadFrame(f"SPDY version {version & 0x7FFF}, not {_VERSION}")
        flags, body = frame[4], frame[8:]
        try:
            return self._control_event(kind, flags, body, frame)
        except (struct.error, zlib.error, UnicodeDecodeError) as error:
            raise BadFrame(f"a frame of type {kind} cannot be read: {error}") from error

    def _control_event(self, kind: int, flags: int, body: bytes, frame: bytes) -> Event | None:
        if kind == _SYN_STREAM:
            stream = struct.unpack_from(">I", body)[0] & 0x7FFFFFFF
            return Opened(stream, self._read_headers(body[10:]), bool(flags & FIN))
        if kind in (_SYN_REPLY, _HEADERS):
            self._read_headers(body[4:])  # the zlib stream goes on through every block
            stream = struct.unpack_from(">I", body)[0]
            return Data(stream, b"", True) if flags & FIN else None
        if kind == _RST_STREAM:
            return Reset(struct.unpack_from(">I", body)[0])
        if kind == _PING:
            return Ping(frame)
        return GoAway() if kind == _GOAWAY else None

    def _headers(self, headers: Mapping[str, str]) -> bytes:
        block = struct.pack(">I", len(headers))
        for name, value in headers.items():
            for part in (name.lower().encode(), value.encode()):
                block += struct.pack(">I", len(part)) + part
        return self._pack.compress(block) + self._pack.flush(zlib.Z_SYNC_FLUSH)

    def _read_headers(self, packed: bytes) -> dict[str, str]:
        block = self._unpack.decompress(packed, _LIMIT)
        count = struct.unpack_from(">I", block)[0]
        at, parts = 4, []
        for _ in range(2 * count):
            size = struct.unpack_from(">I", block, at)[0]
            parts.append(block[at + 4 : at + 4 + size].decode())
            at += 4 + size
        return dict(zip(parts[::2], parts[1::2], strict=True))

    @staticmethod
    def _control(kind: int, flags: int, body: bytes) -> bytes:
        head = struct.pack(">HHI", 0x8000 | _VERSION, kind, flags << 24 | len(body))
        return head + body
