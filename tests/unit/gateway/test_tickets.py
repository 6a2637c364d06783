"""Tickets: only ours, for one use, one workspace, and not for ever."""

from __future__ import annotations

from athanor.gateway import tickets
from athanor.gateway.tickets import Ticket

TICKET = Ticket(user="ann", namespace="team", name="lab", uid="u", expires=1000, use="link")


def test_a_ticket_is_read_by_who_signed_it() -> None:
    text = tickets.sign(TICKET, "secret")
    assert tickets.read(text, "secret", "link", 999.0) == TICKET
    assert tickets.read(text, "other", "link", 999.0) is None
    assert tickets.read(text, "secret", "session", 999.0) is None
    assert tickets.read(text, "secret", "link", 1000.0) is None


def test_nothing_about_it_can_be_changed() -> None:
    text = tickets.sign(TICKET, "secret")
    for place in range(0, len(text), 7):
        changed = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
        assert tickets.read(changed, "secret", "link", 0.0) is None
    for junk in ("", ".", "a.b", text.partition(".")[0], "é.ü", "\udcff.\udcff"):
        assert tickets.read(junk, "secret", "link", 0.0) is None
