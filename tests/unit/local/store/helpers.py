"""What the store's tests share."""

from __future__ import annotations

import json
from collections.abc import Callable

from athanor.local.store.model import Key
from athanor.local.store.store import Store


def pod(name: str, namespace: str = "default") -> Key:
    return Key("pods", namespace, name)


def body(text: str = "", pad: int = 0) -> Callable[[int], bytes]:
    """An encoder of objects that name their revision."""

    def encode(revision: int) -> bytes:
        meta = {"resourceVersion": str(revision)}
        return json.dumps({"metadata": meta, "text": text, "pad": "x" * pad}).encode()

    return encode


async def create(store: Store, *names: str, pad: int = 0) -> None:
    for name in names:
        await store.put(pod(name), body(name, pad), expect=0)


def names(store: Store, resource: str = "pods", namespace: str | None = None) -> list[str]:
    return [row.key.name for row in store.rows(resource, namespace)]
