"""The metadata that all objects share: what the server sets, what it checks, what it keeps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from athanor.api.meta import JSON
from athanor.local.apiserver import names
from athanor.local.apiserver.errors import not_allowed, required, too_long, wrong
from athanor.wire.selector import key_problems, value_problems
from athanor.wire.status import Cause

ANNOTATIONS_LIMIT = 256 * 1024
GENERATED_LIMIT = 58
FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"
_SYSTEM = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")
_MOMENTS = ("creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")
_DROPPED = (
    "uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "managedFields",
    "deletionGracePeriodSeconds", "selfLink", "generation",
)  # fmt: skip
_ORDER = (
    "name", "generateName", "namespace", "uid", "resourceVersion", "generation",
    "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "labels",
    "annotations", "ownerReferences", "finalizers", "managedFields",
)  # fmt: skip


_RANK = {name: rank for rank, name in enumerate(_ORDER)}
_NAMES, _MAPS = ("name", "generateName", "namespace"), ("labels", "annotations")
_CHOSEN = (*_MAPS, "ownerReferences", "finalizers")
_HEAD = ["kind", "apiVersion", "metadata"]


def meta_of(obj: JSON) -> JSON:
    """The object's metadata; an empty one is put in when there is none."""
    meta = obj.get("metadata")
    if not isinstance(meta, dict):
        meta = obj["metadata"] = {}
    return meta


def initialise(obj: JSON, uid: str, now: str, *, generation: bool, managed: bool = False) -> None:
    """What the server decides for a new object, whatever the creator said.

    `managed`: managedFields are the server's own, of an apply, and stay.
    """
    meta = meta_of(obj)
    fields: JSON = {name: meta[name] for name in _NAMES if meta.get(name)}
    fields["uid"] = uid
    fields["resourceVersion"] = ""
    if generation:
        fields["generation"] = 1
    fields["creationTimestamp"] = now
    for name in _CHOSEN:
        if found := meta.get(name):
            fields[name] = _without_nulls(found) if name in _MAPS else found
    if managed and meta.get("managedFields"):
        fields["managedFields"] = meta["managedFields"]
    for name, value in meta.items():
        if name not in _RANK and name not in _DROPPED and value is not None:
            fields[name] = value
    obj["metadata"] = fields


def carry(new: JSON, old: JSON) -> list[Cause]:
    """What an update cannot change comes from the stored object; what it tried to of moments."""
    meta, was = meta_of(new), old["metadata"]
    causes = [
        wrong(f"metadata.{name}", said, "field is immutable")
        for name in _MOMENTS
        if (said := meta.get(name)) is not None and said != was.get(name)
    ]
    for name in (*_SYSTEM, "generation", "generateName", "selfLink"):
        if name in was:
            meta[name] = was[name]
        elif name != "uid":
            meta.pop(name, None)
    tidy(meta)
    return causes


def tidy(meta: JSON) -> None:
    """Empty maps and lists mean absent, null texts are empty; fields stand in Kubernetes' order."""
    for group in _MAPS:
        if found := meta.get(group):
            meta[group] = _without_nulls(found)
    if _is_tidy(meta):
        return
    fields = {k: meta[k] for k in _ORDER if k in meta and (meta[k] or k == "resourceVersion")}
    if "deletionGracePeriodSeconds" in meta and meta["deletionGracePeriodSeconds"] is not None:
        fields["deletionGracePeriodSeconds"] = meta["deletionGracePeriodSeconds"]
    if len(fields) != len(meta) or list(fields) != list(meta):
        others = {k: v for k, v in meta.items() if k not in _ORDER and v is not None}
        meta.clear()
        meta.update(fields)
        meta.update(others)


def _without_nulls(found: JSON) -> JSON:
    return {k: v or "" for k, v in found.items()} if None in found.values() else found


def _is_tidy(meta: JSON) -> bool:
    """Whether nothing is empty, nothing out of order."""
    before = -1
    for name, value in meta.items():
        rank = _RANK.get(name, -1)
        if rank <= before or not (value or name == "resourceVersion"):
            return False
        before = rank
    return True


def ordered(obj: JSON) -> JSON:
    """The object with kind, apiVersion and metadata first, as Kubernetes writes it."""
    if [*obj][:3] == _HEAD:
        return obj
    head = {"kind": obj["kind"], "apiVersion": obj["apiVersion"], "metadata": obj["metadata"]}
    head.update(obj)
    return head


def check(obj: JSON, *, namespaced: bool, name_rule: Callable[[str], Sequence[str]]) -> list[Cause]:
    """What is wrong with the metadata."""
    meta, causes = meta_of(obj), list[Cause]()
    name, generate = meta.get("name", ""), meta.get("generateName", "")
    if generate:
        base = generate[:-1] if generate.endswith("-") else generate
        causes += [wrong("metadata.generateName", generate, p) for p in name_rule(base or "-")]
    if not name:
        causes.append(required("metadata.name", "name or generateName is required"))
    elif problems := name_rule(name):
        causes += [wrong("metadata.name", name, problem) for problem in problems]
    namespace = meta.get("namespace", "")
    if not namespaced:
        if namespace:
            causes.append(not_allowed("metadata.namespace", "not allowed on this type"))
    elif not namespace:
        causes.append(required("metadata.namespace"))
    elif problems := names.label(namespace):
        causes += [wrong("metadata.namespace", namespace, problem) for problem in problems]
    if found := meta.get("labels"):
        causes += labels(found, "metadata.labels")
    if not _RARE.isdisjoint(meta):
        causes += _rest(meta)
    return causes


_RARE = frozenset(("annotations", "ownerReferences", "finalizers"))


def labels(found: Any, path: str) -> list[Cause]:
    """What is wrong with labels at `path`."""
    causes = list[Cause]()
    if not found or (all(map(_key_is_right, found)) and all(map(_value_is_right, found.values()))):
        return causes
    for key, value in found.items():
        if not _key_is_right(key):
            causes += [wrong(path, key, problem) for problem in key_problems(key)]
        if not _value_is_right(value):
            causes += [wrong(path, value, problem) for problem in value_problems(value)]
    return causes


@lru_cache(maxsize=4096)
def _key_is_right(key: str) -> bool:
    return not key_problems(key)


@lru_cache(maxsize=4096)
def _value_is_right(value: str) -> bool:
    return not value_problems(value)


def _rest(meta: JSON) -> list[Cause]:
    causes, size = list[Cause](), 0
    for key, value in (meta.get("annotations") or {}).items():
        if not _key_is_right(key) and not _key_is_right(key.lower()):
            causes += [wrong("metadata.annotations", key, p) for p in key_problems(key.lower())]
        size += len(key) + len(value)
    if size > ANNOTATIONS_LIMIT:
        causes.append(too_long("metadata.annotations", ANNOTATIONS_LIMIT))
    if owners := meta.get("ownerReferences"):
        causes += _owners(owners)
    for finalizer in meta.get("finalizers") or []:
        causes += [wrong("metadata.finalizers", finalizer, p) for p in key_problems(finalizer)]
        if "/" not in finalizer and finalizer not in (FOREGROUND, ORPHAN, "kubernetes"):
            causes.append(
                wrong(
                    "metadata.finalizers", finalizer,
                    "name is neither a standard finalizer name nor is it fully qualified",
                )
            )  # fmt: skip
    return causes


def _owners(references: list[JSON]) -> list[Cause]:
    causes, path = list[Cause](), "metadata.ownerReferences"
    controllers = [
        f"{r.get('kind', '')}/{r.get('name', '')}" for r in references if r.get("controller")
    ]
    for reference in references:
        said = str(reference.get("apiVersion") or "")
        if said.count("/") > 1:
            causes.append(wrong(f"{path}.apiVersion", said, "version must not be empty"))
        if (said, reference.get("kind")) == ("v1", "Event"):
            why = "/v1, Kind=Event is disallowed from being an owner"
            causes.append(wrong(path, reference, why))
        for name in ("apiVersion", "kind", "name", "uid"):
            if not reference.get(name):
                why = "version must not be empty" if name == "apiVersion" else "must not be empty"
                causes.append(wrong(f"{path}.{name}", "", why))
    if len(controllers) > 1:
        causes.append(
            wrong(
                path, references,
                "Only one reference can have Controller set to true. Found \"true\" in references "
                f"for {controllers[0]} and {controllers[1]}",
            )
        )  # fmt: skip
    return causes


def check_update(new: JSON, old: JSON) -> list[Cause]:
    """What an update of the metadata may not do."""
    causes = list[Cause]()
    meta, was = new["metadata"], old["metadata"]
    for name in ("name", "namespace", "uid"):
        if meta.get(name, "") != was.get(name, ""):
            causes.append(wrong(f"metadata.{name}", meta.get(name), "field is immutable"))
    if was.get("deletionTimestamp"):
        added = [f for f in meta.get("finalizers") or [] if f not in (was.get("finalizers") or [])]
        if added:
            words = ", ".join(f'"{f}"' for f in added)
            causes.append(
                not_allowed(
                    "metadata.finalizers",
                    "no new finalizers can be added if the object is being deleted, found new "
                    f"finalizers []string{{{words}}}",
                )
            )
    return causes
