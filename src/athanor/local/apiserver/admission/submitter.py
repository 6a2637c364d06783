"""Who submitted it: an annotation that users can neither choose nor change.

Limits per user and the folders that pods are given go by it. Controllers carry it from a job to its
gang and pods; administrators may set it for others. What administrators submit carries none, and
whoever else changes what it says is its submitter from then on.
"""

from __future__ import annotations

from athanor.api import labels
from athanor.api.meta import GROUP, JSON
from athanor.local.apiserver.core import Call
from athanor.wire.request import User

STAMPED = frozenset(
    (
        "pods",
        *(
            f"{plural}.{GROUP}"
            for plural in ("gangs", "trainingjobs", "crons", "sweeps", "workflows", "workspaces")
        ),
    )
)
_TRUSTED = "system:athanor-"


def stamp(call: Call, new: JSON, old: JSON | None = None) -> None:
    """Write the submitter into a new object, or keep the old one's (in place)."""
    if call.served.key not in STAMPED or is_trusted(call.user):
        return
    meta = new["metadata"]
    annotations = dict(meta.get("annotations") or {})
    if old is None:
        annotations[labels.USER] = call.user.name
    else:
        was = (old["metadata"].get("annotations") or {}).get(labels.USER)
        annotations.pop(labels.USER, None)
        if was is None and new.get("spec") != old.get("spec"):
            was = call.user.name
        if was is not None:
            annotations[labels.USER] = was
    if annotations:
        meta["annotations"] = annotations
    else:
        meta.pop("annotations", None)


def is_trusted(user: User) -> bool:
    """Whether somebody writes such annotations for others: administrators, our parts, nodes."""
    node = "system:nodes" in user.groups and user.name.startswith("system:node:")
    return "system:masters" in user.groups or user.name.startswith(_TRUSTED) or node
