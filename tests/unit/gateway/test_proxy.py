"""The door: who gets a link, who gets in, and what everybody else is told."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from athanor.api.workspaces import Workspace
from athanor.client.portforward import PortForward
from athanor.client.target import Target
from athanor.gateway import tickets
from athanor.gateway.proxy import Proxy, cookies
from athanor.gateway.tickets import Ticket
from athanor.kit.clock import FixedClock
from athanor.runtime.cache import Key
from athanor.testing import lab
from tests.unit.gateway.asked import Asked

SECRET = "secret"


def workspace(phase: str) -> Workspace:
    made = {"metadata": {"name": "lab", "namespace": "team", "uid": "u"}, "spec": {},
            "status": {"phase": phase, "message": "nobody has used it"}}  # fmt: skip
    return msgspec.convert(made, Workspace)


def asked(*requests: Asked, phase: str = "Running") -> list[Asked]:
    """The requests after they were answered, one after the other."""
    clock = FixedClock(1000.0)

    async def everything() -> None:
        async with lab.server(clock) as bed:
            found = {Key("team", "lab"): workspace(phase)}
            forward = PortForward(Target(server="https://127.0.0.1:1"))
            proxy = Proxy(bed.client, forward, clock, SECRET, found.get, Path("/nowhere"))
            proxy.url = "https://here"
            for request in requests:
                await proxy.serve(request)
            await proxy.close()

    asyncio.run(everything())
    return list(requests)


def ticket(use: str, name: str = "lab", expires: int = 2000, uid: str = "u") -> str:
    made = Ticket(user="ann", namespace="team", name=name, uid=uid, expires=expires, use=use)
    return tickets.sign(made, SECRET)


def test_nobody_gets_a_link_without_saying_who_he_is() -> None:
    nobody, wrong, got = asked(
        Asked("POST", "/connect/team/lab"),
        Asked("POST", "/connect/team/lab", {"authorization": "Basic YTpi"}),
        Asked("GET", "/connect/team/lab"),
    )
    assert (nobody.status, wrong.status, got.status) == (401, 401, 405)


def test_a_link_becomes_a_cookie_for_its_path_once_it_is_good() -> None:
    good, late, other, session = asked(
        Asked("GET", f"/workspaces/team/lab/lab?x=1&ticket={ticket('link')}"),
        Asked("GET", f"/workspaces/team/lab/?ticket={ticket('link', expires=999)}"),
        Asked("GET", f"/workspaces/team/lab/?ticket={ticket('link', name='other')}"),
        Asked("GET", f"/workspaces/team/lab/?ticket={ticket('session')}"),
    )
    assert (good.status, late.status, other.status, session.status) == (302, 401, 401, 401)
    assert good.told["Location"] == "/workspaces/team/lab/lab?x=1"
    cookie = good.told["Set-Cookie"]
    assert "Path=/workspaces/team/lab/; HttpOnly; Secure; SameSite=Lax" in cookie
    held = cookies(cookie.partition(";")[0])["athanor-workspace"]
    found = tickets.read(held, SECRET, "session", 1000.0)
    assert found is not None and found.expires == 1000 + tickets.SESSION_SECONDS


def test_only_a_session_of_this_workspace_enters_and_only_while_it_runs() -> None:
    def with_cookie(value: str) -> Asked:
        return Asked("GET", "/workspaces/team/lab/", {"cookie": f"athanor-workspace={value}"})

    bare, link, other, before = asked(
        Asked("GET", "/workspaces/team/lab/"), with_cookie(ticket("link")),
        with_cookie(ticket("session", name="x")), with_cookie(ticket("session", uid="before")),
    )  # fmt: skip
    assert [r.status for r in (bare, link, other, before)] == [401, 401, 401, 401]
    assert b"athanor workspace open lab" in bare.said
    (stopped,) = asked(with_cookie(ticket("session")), phase="Stopped")
    assert stopped.status == 409
    assert b"is Stopped: nobody has used it; athanor workspace start lab" in stopped.said


def test_other_paths() -> None:
    health, nothing = asked(Asked("GET", "/healthz"), Asked("GET", "/etc/passwd"))
    assert (health.status, nothing.status) == (200, 404)
