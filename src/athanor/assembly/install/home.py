"""Where an installation is at home: a cluster has one of them, in one namespace.

Whose that namespace is: one that we made bears a mark, and only that one goes.

The mark is set by `athanor install` when it makes the namespace, and is in no printed manifest:
applied by others, it would mark what was there before. A namespace without it is left as it is,
labels included: the standard `restricted` would turn its owner's pods away.
"""

from __future__ import annotations

from athanor.api.meta import GROUP, JSON
from athanor.assembly.install.objects import Refused, find
from athanor.assembly.install.parts import RBAC, head
from athanor.client.protocol import Client

MADE_BY = f"{GROUP}/made-by"
FOREIGN = "left as it is: athanor install did not make it"
_US = "athanor-install"
_RIGHTS = head(f"{RBAC}/v1", "ClusterRoleBinding", "athanor:controllers")


def marked(namespace: JSON) -> JSON:
    """The manifest of a namespace that we make."""
    return {**namespace, "metadata": {**namespace["metadata"], "annotations": {MADE_BY: _US}}}


async def check(client: Client, namespace: str) -> None:
    """Refuses when the cluster's installation is in another namespace: what has no namespace of its
    own (rights, APIServices) would be torn from it.
    """
    found = await find(client, _RIGHTS) or {}
    there = {one.get("namespace", namespace) for one in found.get("subjects") or []}
    for other in sorted(there - {namespace}):
        raise Refused(
            f"a cluster has one installation, and this one's is in namespace {other}: say "
            f"--in {other}, or first take it away (athanor uninstall --in {other})"
        )


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
