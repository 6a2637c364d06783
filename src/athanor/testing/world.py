"""What a plan does to objects, as values: for properties of plans.

Not a server: creates what is missing, merges patches, marks pods as going (they go when their node
says so), removes the rest. Answers, versions and rules are `ApiServer`'s business.
"""

from __future__ import annotations

import copy

from athanor.api.meta import JSON
from athanor.runtime.plan import (
    Action,
    Bind,
    Create,
    Delete,
    Evict,
    Patch,
    Plan,
    Record,
    Replace,
    merged,
)

Objects = dict[tuple[str, str, str], JSON]
"""(resource, namespace, name) → manifest."""


def apply(objects: Objects, plan: Plan) -> Objects:
    """The objects after a plan; those given stay as they are."""
    after = copy.deepcopy(objects)
    for action in plan.actions:
        _act(after, action)
    return after


def _act(objects: Objects, action: Action) -> None:
    match action:
        case Create(resource, manifest):
            meta = manifest["metadata"]
            key = (resource.name, meta.get("namespace", ""), meta["name"])
            made = copy.deepcopy(manifest)
            made["metadata"].setdefault("uid", "/".join(key))
            objects.setdefault(key, made)
        case Patch():
            key = (action.resource.name, action.namespace or "", action.name)
            if key in objects:
                objects[key] = merged(objects[key], action.body)
        case Replace():
            key = (action.resource.name, action.namespace, action.name)
            if key in objects:
                objects[key] = {**objects[key], "status": action.status}
        case Delete() | Evict():
            _delete(objects, action)
        case Bind():
            key = (action.resource.name, action.namespace, action.name)
            if key in objects:
                objects[key]["spec"].setdefault("nodeName", action.node)
        case Record():
            pass


def _delete(objects: Objects, action: Delete | Evict) -> None:
    key = (action.resource.name, action.namespace or "", action.name)
    held = objects.get(key)
    if held is None or (action.uid and held["metadata"].get("uid") != action.uid):
        return
    forced = isinstance(action, Delete) and action.grace_seconds == 0
    if action.resource.name == "pods" and not forced:
        held["metadata"].setdefault("deletionTimestamp", "2027-01-01T00:00:00Z")
    else:
        del objects[key]
