"""Whose the namespace of an installation is: one that we made bears a mark, and only that one goes.

The mark is set by `athanor install` when it makes the namespace, and is in no printed manifest:
applied by others, it would mark what was there before. A namespace without it is left as it is,
labels included: the standard `restricted` would turn its owner's pods away.
"""

from __future__ import annotations

from athanor.api.meta import GROUP, JSON
from athanor.assembly.install.objects import find
from athanor.client.protocol import Client

MADE_BY = f"{GROUP}/made-by"
FOREIGN = "left as it is: athanor install did not make it"
_US = "athanor-install"


def marked(namespace: JSON) -> JSON:
    """The manifest of a namespace that we make."""
    return {**namespace, "metadata": {**namespace["metadata"], "annotations": {MADE_BY: _US}}}


async def is_made_by_us(client: Client, namespace: JSON) -> bool:
    """Whether it is there and bears the mark."""
    return _bears(await find(client, namespace))


async def is_foreign(client: Client, namespace: JSON) -> bool:
    """Whether it is there without the mark."""
    found = await find(client, namespace)
    return found is not None and not _bears(found)


def _bears(found: JSON | None) -> bool:
    notes = (found or {}).get("metadata", {}).get("annotations") or {}
    return bool(notes.get(MADE_BY) == _US)
