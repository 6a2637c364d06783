"""Athanor: one Kubernetes API for AI work, on a laptop and on a cluster.

`athanor.Client()`, `athanor.AsyncClient()` and `athanor.train()` are the Python face. The tree is
the architecture; ARCHITECTURE.md walks through it. Imports point down.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from athanor.sdk.client import AsyncClient as AsyncClient
    from athanor.sdk.client import Client as Client
    from athanor.sdk.handle import AsyncJob as AsyncJob
    from athanor.sdk.handle import Job as Job
    from athanor.sdk.handle import NoResult as NoResult
    from athanor.sdk.handle import train as train
    from athanor.sdk.handle import train_async as train_async
    from athanor.sdk.jobs import WaitTimeout as WaitTimeout
    from athanor.sdk.shipping import NotShippable as NotShippable
    from athanor.sdk.submission import Submission as Submission
    from athanor.wire.status import ApiError as ApiError

_HOMES = {
    "Client": "athanor.sdk.client",
    "AsyncClient": "athanor.sdk.client",
    "Submission": "athanor.sdk.submission",
    "Job": "athanor.sdk.handle",
    "AsyncJob": "athanor.sdk.handle",
    "NoResult": "athanor.sdk.handle",
    "WaitTimeout": "athanor.sdk.jobs",
    "NotShippable": "athanor.sdk.shipping",
    "ApiError": "athanor.wire.status",
    "train": "athanor.sdk.handle",
    "train_async": "athanor.sdk.handle",
}


def __getattr__(name: str) -> Any:
    """Names of the public face are imported when they are first used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'athanor' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *_HOMES]
