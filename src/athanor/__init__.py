"""Athanor: one Kubernetes API for AI work, on a laptop and on a cluster.

`athanor.Client()` and `athanor.AsyncClient()` are the Python face. The tree is the architecture;
ARCHITECTURE.md walks through it. Imports point down.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from athanor.sdk.client import AsyncClient as AsyncClient
    from athanor.sdk.client import Client as Client
    from athanor.sdk.submission import Submission as Submission

_HOMES = {
    "Client": "athanor.sdk.client",
    "AsyncClient": "athanor.sdk.client",
    "Submission": "athanor.sdk.submission",
}


def __getattr__(name: str) -> Any:
    """Names of the public face are imported when they are first used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'athanor' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *_HOMES]
