"""Signed words: this person may enter that workspace until then. Nothing is stored."""

from __future__ import annotations

import base64
import hashlib
import hmac

import msgspec
from msgspec import Struct

TICKET_SECONDS = 60
"""A link is good for one minute: it may be seen in a history."""
SESSION_SECONDS = 12 * 3600


class Ticket(Struct, frozen=True, kw_only=True):
    """Who may enter which workspace until when (seconds since the epoch); `use` tells a link
    from a session, `uid` the workspace from another one by its name.
    """

    user: str
    namespace: str
    name: str
    uid: str
    expires: int
    use: str


def sign(ticket: Ticket, secret: str) -> str:
    """The ticket as text that only the holder of the secret can make."""
    body = base64.urlsafe_b64encode(msgspec.json.encode(ticket)).rstrip(b"=")
    return f"{body.decode()}.{_mark(body, secret)}"


def read(text: str, secret: str, use: str, now: float) -> Ticket | None:
    """The ticket of a text; None when it is not ours, for another use, or out of date."""
    body, _, mark = text.partition(".")
    ours = _mark(body.encode(errors="replace"), secret)  # browsers may send any bytes
    if not hmac.compare_digest(ours.encode(), mark.encode(errors="replace")):
        return None
    try:
        padded = body + "=" * (-len(body) % 4)
        found = msgspec.json.decode(base64.urlsafe_b64decode(padded), type=Ticket)
    except (ValueError, msgspec.MsgspecError):
        return None
    return found if found.use == use and found.expires > now else None


def _mark(body: bytes, secret: str) -> str:
    return hmac.new(secret.encode(), b"ticket/" + body, hashlib.sha256).hexdigest()
