"""The values that cross between a client and an API server: Request, Response, Stream, Forward.

The HTTP shells (`athanor.kit.http`, `athanor.client.http`) turn them into bytes on a socket; in
process they are handed over as they are, so tests use the real rules without a network.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

from msgspec import Struct, field


def folded(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Header fields by name in lower case; one that comes twice is one list (RFC 9110, 5.3)."""
    found: dict[str, str] = {}
    for name, value in pairs:
        key = name.lower()
        found[key] = f"{found[key]}, {value}" if key in found else value
    return found


class User(Struct, frozen=True, kw_only=True):
    """Who asks: the authenticated identity (authentication.k8s.io UserInfo)."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class Request(Struct, frozen=True, kw_only=True):
    """One request. Header names are lower case; `query` keeps order and repeats.

    `peer` is the identity proven by the transport (a TLS client certificate's subject), or None;
    bearer tokens travel in the `authorization` header and are checked by the server.
    """

    method: str
    path: str
    query: Sequence[tuple[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    peer: User | None = None
    remote: str = ""

    def param(self, name: str) -> str | None:
        """The first value of a query parameter, or None."""
        return next((value for key, value in self.query if key == name), None)


class Response(Struct, frozen=True, kw_only=True):
    """A whole answer."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


class Stream(Struct, frozen=True, kw_only=True):
    """An answer whose body comes in chunks: a watch, a followed log.

    Closing `chunks` (aclose) ends the stream on the sender's side.
    """

    chunks: AsyncIterator[bytes]
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


class Forward(Struct, frozen=True, kw_only=True):
    """Somebody else answers: the node's agent (log, exec, port-forward), an aggregated API.

    The shell opens `url` (https) with `headers` in addition to the request's own, as the API
    server's identity, and copies bytes both ways, upgraded connections included.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    ca: str = ""


Answer = Response | Stream | Forward
