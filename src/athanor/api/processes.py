"""Nodes that run processes, not containers (`athanor agent` in a cluster), and the pods for them.

Such a node is tainted, so that pods with container images stay away.
"""

from __future__ import annotations

import re

from athanor.api.meta import JSON

TAINT = {"key": "athanor.dev/processes", "effect": "NoSchedule"}
"""On nodes that run processes: only pods that say so in a toleration go there."""
TOLERATION = {**TAINT, "operator": "Exists"}

_OURS = re.compile(r"host|venv://.*")
PYTHON = re.compile(r"(?:docker\.io/)?(?:library/)?python:(\d+(?:\.\d+){0,2})(?:-[a-z0-9.-]+)?")
"""An interpreter by its version, as images are named that every container runtime has, too."""


def needed(spec: JSON) -> bool:
    """Whether a pod can run on such a node and nowhere else: `host` or `venv:///path` is an image
    of it, and it has none that only a container runtime knows."""
    containers = [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
    images = [str(one.get("image")) for one in containers]
    return any(map(_OURS.fullmatch, images)) and all(
        _OURS.fullmatch(image) or PYTHON.fullmatch(image) for image in images
    )


def tolerations(spec: JSON) -> list[JSON]:
    """The pod's tolerations, with the one for such nodes when it needs one."""
    given = [*(spec.get("tolerations") or [])]
    return [*given, TOLERATION] if needed(spec) and TOLERATION not in given else given
