"""A foreign object that is read by taking fields out of it: what is left was lost.

So no field can be forgotten: a reader that does not know one leaves it, and it is listed.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from athanor.api.meta import API_VERSION, JSON


class Given:
    """One object. `take` removes a field; `left` lists those that remain."""

    def __init__(self, manifest: JSON) -> None:
        self._rest: JSON = copy.deepcopy(manifest)
        self.notes: list[str] = []
        self._parts: list[tuple[str, Given]] = []

    def take(self, path: str, default: Any = None) -> Any:
        """The field at a dotted path, removed; `default` when it is not there."""
        *heads, last = path.split(".")
        at: Any = self._rest
        for head in heads:
            at = at.get(head) if isinstance(at, dict) else None
        if not isinstance(at, dict):
            return default
        return at.pop(last, default)

    def within(self, value: JSON, path: str) -> Given:
        """A part of the object, taken before, that is read in the same way."""
        inner = Given(value)
        inner.notes = self.notes
        self._parts.append((path, inner))
        return inner

    def note(self, text: str) -> None:
        """Something was taken over differently, or not: say how."""
        self.notes.append(text)

    def left(self) -> list[str]:
        """The paths of all fields that nobody took, with their values."""
        found = list(_leaves(self._rest, ""))
        for path, part in self._parts:
            found += [f"{path}.{rest}" for rest in part.left()]
        return found


def _leaves(value: object, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else key)
    elif value not in (None, "", [], False):
        yield f"{path}: {str(value)[:80]}"


POLICIES = ("Never", "OnFailure", "Always", "ExitCode")
CLEAN = {"None": "None", "All": "All", "Running": "Unfinished", "Unfinished": "Unfinished"}


def head(given: Given) -> JSON:
    """Our object's metadata; what the server keeps there belongs to the old object."""
    meta: JSON = given.take("metadata", {})
    kept = {key: meta[key] for key in ("name", "generateName", "namespace") if meta.get(key)}
    labels = meta.get("labels") or {}
    notes = {
        key: value
        for key, value in (meta.get("annotations") or {}).items()
        if not key.startswith("kubectl.kubernetes.io/")
    }
    return kept | ({"labels": labels} if labels else {}) | ({"annotations": notes} if notes else {})


def role(name: str, replicas: object, policy: str, template: JSON) -> JSON:
    """One of our roles. The pods' own restart policy is the role's to say."""
    spec = {k: v for k, v in (template.get("spec") or {}).items() if k != "restartPolicy"}
    made: JSON = {"name": name.lower()}
    if replicas not in (None, 1):
        made["replicas"] = replicas
    return {**made, "restartPolicy": policy, "template": {**template, "spec": spec}}


def job(given: Given, framework: str, spec: JSON) -> JSON:
    """The TrainingJob, without what says nothing."""
    given.take("apiVersion")
    given.take("kind")
    given.take("status")
    said = {key: value for key, value in spec.items() if value not in (None, {}, [], False, "")}
    return {
        "apiVersion": API_VERSION, "kind": "TrainingJob", "metadata": head(given),
        "spec": {"framework": framework, **said},
    }  # fmt: skip


def container(template: JSON, name: str = "") -> JSON:
    """The container of a template that does the work: the one of that name, or the first."""
    all_: list[JSON] = (template.get("spec") or {}).get("containers") or [{}]
    return next((one for one in all_ if one.get("name") == name), all_[0])


def with_command(template: JSON, command: list[str] | None) -> JSON:
    """A template whose first container has another command line; None for none."""
    spec = template.get("spec") or {}
    first, *others = spec.get("containers") or [{}]
    bare = {key: value for key, value in first.items() if key not in ("command", "args")}
    changed = bare if command is None else {**bare, "command": command}
    return {**template, "spec": {**spec, "containers": [changed, *others]}}
