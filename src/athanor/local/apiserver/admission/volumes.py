"""Claims that name no class get the default one (DefaultStorageClass)."""

from __future__ import annotations

from athanor.api.meta import JSON
from athanor.local.apiserver.core import Core, decode

DEFAULT = "storageclass.kubernetes.io/is-default-class"
CLASSES = "storageclasses.storage.k8s.io"


def admit_create(core: Core, claim: JSON) -> None:
    """Name the default class, the newest of several; a class of "" asks for none."""
    if claim["spec"].get("storageClassName") is not None:
        return
    metas = [decode(row.body)["metadata"] for row in core.store.rows(CLASSES)]
    found = [m for m in metas if (m.get("annotations") or {}).get(DEFAULT) == "true"]
    if found:
        newest = max(m["creationTimestamp"] for m in found)
        claim["spec"]["storageClassName"] = min(
            m["name"] for m in found if m["creationTimestamp"] == newest
        )
