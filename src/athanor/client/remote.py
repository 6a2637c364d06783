"""Opens the channels of a remote command (exec, attach) with our identity, without an event loop.

The protocol itself is `athanor_progress.remote`'s, which pods use too.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from urllib.parse import urlencode, urlsplit

from athanor.client.target import Target, context, unreachable
from athanor.wire.request import Request
from athanor.wire.status import from_response
from athanor_progress.remote import Channels, Refused


def channels(target: Target, path: str, query: Sequence[tuple[str, str]]) -> Channels:
    """The open channels of a request for an upgrade. Raises ApiError."""
    address = urlsplit(target.server)
    host, port = address.hostname or "", address.port
    tls = context(target)
    try:
        plain = socket.create_connection((host, port or (443 if tls else 80)), timeout=30)
        name = target.server_name or host
        stream = tls.wrap_socket(plain, server_hostname=name) if tls else plain
        stream.settimeout(None)
        whole = f"{address.path.rstrip('/')}{path}?{urlencode(query)}"
        headers = target.headers(Request(method="GET", path=path))
        return Channels(stream, address.netloc, whole, headers)
    except Refused as refused:
        raise from_response(refused.status, refused.body) from None
    except (OSError, EOFError) as error:
        raise unreachable(target, error) from error
