"""How a workspace's program is reached: what its controller and the gateway agree on."""

from __future__ import annotations

import hashlib
import hmac

FIRST_PORT, PORTS = 20_000, 9_000


def path(namespace: str, name: str) -> str:
    """Where a workspace begins, on the gateway and in its own program."""
    return f"/workspaces/{namespace}/{name}/"


def workspace_gang(name: str) -> str:
    """The Gang of a workspace; jobs have their own names."""
    return f"ws-{name}"


def pod(name: str) -> str:
    """The pod of a workspace."""
    return f"{workspace_gang(name)}-main-0"


def port(uid: str) -> int:
    """The port of its loopback that its program serves; pods may share a machine's network."""
    told = hashlib.sha256(f"port/{uid}".encode()).digest()
    return FIRST_PORT + int.from_bytes(told[:4], "big") % PORTS


def token(secret: str, uid: str) -> str:
    """What its program asks for: of its uid, with a secret that only the gateway has."""
    return hmac.new(secret.encode(), f"workspace/{uid}".encode(), hashlib.sha256).hexdigest()
