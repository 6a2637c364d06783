"""Which devices a pod has: an annotation and a label that the scheduler writes, and nobody else.

Nodes give what it names, also to a pod that asks for no device: who could write it would have them
without a queue, and others' at that.
"""

from __future__ import annotations

from athanor.api import labels
from athanor.api.meta import JSON
from athanor.local.apiserver.admission.submitter import is_trusted
from athanor.local.apiserver.core import Call


def keep(call: Call, new: JSON, old: JSON | None = None) -> None:
    """Take both off a new pod, or keep what the old one has (in place)."""
    if call.served.key != "pods" or is_trusted(call.user):
        return
    meta, before = new["metadata"], (old or {}).get("metadata", {})
    for field, key in (("annotations", labels.DEVICES), ("labels", labels.CHOSEN)):
        said = {name: value for name, value in (meta.get(field) or {}).items() if name != key}
        was = (before.get(field) or {}).get(key)
        if was is not None:
            said[key] = was
        if said:
            meta[field] = said
        else:
            meta.pop(field, None)
