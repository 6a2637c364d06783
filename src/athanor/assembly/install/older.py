"""What an older Kubernetes does not take of an installation.

Before 1.34 an API server reckons with quantities of any length, whatever their schema says: rules
that compare those of many pools are too dear by its estimate, and it refuses the definition whole.
Without them a queue's contradiction is not refused when it is written; the controllers say it in
the queue's status, as they do of what no rule can see.
"""

from __future__ import annotations

from copy import deepcopy

from athanor.api.meta import GROUP, JSON

OLDEST = (1, 31)
"""The oldest Kubernetes: from there on, custom kinds have fields that a selector may name."""
NEWEST = (1, 36)
"""What is taken for granted of a server whose version is in no known form."""
_COMPARES = (1, 34)
_QUEUES = f"queues.{GROUP}"
_LACKS = "without its rules between amounts: this Kubernetes is older than 1.34"


def fitted(manifest: JSON, kubernetes: tuple[int, int]) -> tuple[JSON, str]:
    """The object for a Kubernetes, and what it lacks there."""
    if kubernetes >= _COMPARES or manifest["metadata"]["name"] != _QUEUES:
        return manifest, ""
    made = deepcopy(manifest)
    for version in made["spec"]["versions"]:
        spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
        del spec["properties"]["pools"]["items"]["x-kubernetes-validations"]
    return made, _LACKS
