"""Which devices a pod has: an annotation that the scheduler writes, and nobody else.

Nodes give what it names, also to a pod that asks for no device: who could write it would have them
without a queue, and others' at that.
"""

from __future__ import annotations

from athanor.api import labels
from athanor.api.meta import JSON
from athanor.local.apiserver.admission.submitter import is_trusted
from athanor.local.apiserver.core import Call


def keep(call: Call, new: JSON, old: JSON | None = None) -> None:
    """Take the annotation off a new pod, or keep what the old one has (in place)."""
    if call.served.key != "pods" or is_trusted(call.user):
        return
    meta = new["metadata"]
    annotations = dict(meta.get("annotations") or {})
    annotations.pop(labels.DEVICES, None)
    was = ((old or {}).get("metadata", {}).get("annotations") or {}).get(labels.DEVICES)
    if was is not None:
        annotations[labels.DEVICES] = was
    if annotations:
        meta["annotations"] = annotations
    else:
        meta.pop("annotations", None)
