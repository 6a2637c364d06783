"""Who manages which fields: metadata.managedFields, decoded, changed and encoded again.

Computed lazily: objects that nobody ever applied to carry no managedFields; the first apply
attributes what is there to the manager "before-first-apply", as Kubernetes does for objects
without managedFields. From then on every write keeps them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec
from msgspec import Struct

from athanor.api.meta import JSON
from athanor.wire.patch import fields as fieldset
from athanor.wire.patch.fields import Fields, Path
from athanor.wire.patch.typed import SHARED, Difference, Wrong, compare

Operation = Literal["Apply", "Update"]

BEFORE_FIRST_APPLY = "before-first-apply"
ANCIENT = "ancient-changes"
MAX_UPDATERS = 10
"""More managers of updates than this are folded into one, the oldest first."""

_STRIPPED: Fields = frozenset(
    [("f:apiVersion",), ("f:kind",), ("f:metadata",)]
    + [
        ("f:metadata", f"f:{name}")
        for name in (
            "name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName",
            "generation", "managedFields", "resourceVersion",
        )
    ]
)  # fmt: skip
"""What belongs to the server and is never managed."""


class Scope(Struct, frozen=True, kw_only=True):
    """Where a write goes: which of its fields count.

    `has_status`: the kind writes status through the subresource only. `custom`: a CRD's kind,
    whose status subresource takes nothing but status.
    """

    api_version: str
    subresource: str = ""
    has_status: bool = False
    custom: bool = False

    def counts(self, path: Path) -> bool:
        """Whether a write through this scope can change the field."""
        head = path[0] if path else ""
        if self.subresource == "status":
            return head == "f:status" if self.custom else head != "f:spec"
        return not (self.has_status and head == "f:status")


class Manager(Struct, frozen=True, kw_only=True):
    """One entry's identity. Appliers are the same in every version of the API."""

    name: str
    operation: Operation
    api_version: str = ""
    subresource: str = ""


class Entry(Struct, frozen=True, kw_only=True):
    """What a manager manages, and since when."""

    fields: Fields
    api_version: str
    time: str | None = None


Managers = dict[Manager, Entry]


def identity(name: str, operation: Operation, scope: Scope) -> Manager:
    """Who writes through a scope."""
    version = scope.api_version if operation == "Update" else ""
    return Manager(
        name=name or "unknown",
        operation=operation,
        api_version=version,
        subresource=scope.subresource,
    )


def read(obj: JSON) -> Managers:
    """The managers of an object. Raises ValueError when managedFields cannot be understood."""
    managers: Managers = {}
    entries = (obj.get("metadata") or {}).get("managedFields") or []
    if not isinstance(entries, list):
        raise ValueError("managedFields is no list")
    for raw in entries:
        try:
            operation, version = raw["operation"], raw["apiVersion"]
            if operation not in ("Apply", "Update"):
                raise ValueError(f"managedFields: {operation!r} is no operation")
            manager = Manager(
                name=raw.get("manager", ""),
                operation=operation,
                api_version=version if operation == "Update" else "",
                subresource=raw.get("subresource", ""),
            )
            found = fieldset.decode(raw.get("fieldsV1") or {})
        except (KeyError, TypeError, AttributeError) as wrong:
            raise ValueError(f"managedFields: an entry is incomplete: {wrong!r}") from None
        managers[manager] = Entry(fields=found, api_version=version, time=raw.get("time"))
    return managers


def write(managers: Mapping[Manager, Entry]) -> list[JSON]:
    """managedFields of the managers, in Kubernetes' order."""
    ordered = sorted(
        managers.items(),
        key=lambda item: (
            item[0].operation, item[1].time or "", item[0].name, item[1].api_version,
            item[0].subresource,
        ),
    )  # fmt: skip
    return [_entry(manager, entry) for manager, entry in ordered]


def _entry(manager: Manager, entry: Entry) -> JSON:
    built: JSON = {"manager": manager.name, "operation": manager.operation}
    built["apiVersion"] = entry.api_version
    if entry.time is not None:
        built["time"] = entry.time
    built["fieldsType"] = "FieldsV1"
    built["fieldsV1"] = fieldset.encode(entry.fields)
    if manager.subresource:
        built["subresource"] = manager.subresource
    return built


def stamp(obj: JSON, managers: Mapping[Manager, Entry]) -> JSON:
    """The object with these managers."""
    meta = {k: v for k, v in (obj.get("metadata") or {}).items() if k != "managedFields"}
    if managers:
        meta["managedFields"] = write(managers)
    return {**obj, "metadata": meta}


def countable(found: Fields, scope: Scope) -> Fields:
    """The fields of a write that are managed at all."""
    return frozenset(p for p in found - _STRIPPED if p and scope.counts(p))


def without_managed(obj: JSON) -> JSON:
    """The object as values are compared: its managedFields left out."""
    meta = obj.get("metadata") or {}
    if "managedFields" not in meta:
        return obj
    return {**obj, "metadata": {k: v for k, v in meta.items() if k != "managedFields"}}


def whole_schema(schema: JSON) -> JSON:
    """A kind's schema with the parts all kinds share, which CRDs leave out."""
    known = schema.get("properties")
    opened = {} if known else {"x-kubernetes-preserve-unknown-fields": True}
    return {**schema, **opened, "properties": {**(known or {}), **SHARED}}


def update(managers: Managers, change: Difference) -> Managers:
    """The managers after somebody else's write: what it set or removed is no longer theirs."""
    lost = change.added | change.modified | change.removed
    left = {m: msgspec.structs.replace(e, fields=e.fields - lost) for m, e in managers.items()}
    return {m: e for m, e in left.items() if e.fields}


def after_update(
    old: JSON | None,
    new: JSON,
    manager: str,
    scope: Scope,
    schema: JSON,
    *,
    now: str,
    track: bool = False,
) -> JSON:
    """The object after a create, update or patch by `manager`, its managedFields kept.

    `new` is what will be stored (defaulted); its own managedFields, when it brings any, count as
    the wish to change them. Nothing happens to objects without managedFields unless `track`.
    """
    managers = _starting_point(old, new, scope)
    if managers is None or not (managers or track):
        return without_managed(new)
    try:
        change = compare(
            without_managed(old or _zero(new)), without_managed(new), whole_schema(schema)
        ).where(scope.counts)
    except Wrong:
        return stamp(new, managers)  # a stored list without its keys: nobody's fields change
    mine = identity(manager, "Update", scope)
    written = countable(change.written, scope)
    managers = update(managers, change)
    if written:
        kept = managers[mine].fields if mine in managers else fieldset.NONE
        managers[mine] = Entry(fields=kept | written, api_version=scope.api_version, time=now)
    return stamp(new, _capped(managers))


def _starting_point(old: JSON | None, new: JSON, scope: Scope) -> Managers | None:
    """The managers to go on from; None when the writer asked to forget them."""
    asked = (new.get("metadata") or {}).get("managedFields")
    if not scope.subresource and asked is not None:
        if asked == [{}]:
            return None
        try:
            wished = read(new)
        except ValueError:
            wished = {}
        if wished:
            return wished
    try:
        return read(old or {})
    except ValueError:
        return {}


def _capped(managers: Managers) -> Managers:
    """At most MAX_UPDATERS updaters: the oldest become one."""
    updaters = [m for m in managers if m.operation == "Update"]
    if len(updaters) <= MAX_UPDATERS:
        return managers
    updaters.sort(key=lambda m: (managers[m].time or "", m.name))
    kept = dict(managers)
    surplus = updaters[: len(updaters) - MAX_UPDATERS + 1]
    folded: dict[str, Entry] = {}
    for manager in surplus:
        entry = kept.pop(manager)
        known = folded.get(entry.api_version)
        union = entry.fields | (known.fields if known else fieldset.NONE)
        folded[entry.api_version] = msgspec.structs.replace(entry, fields=union)
    for version, entry in folded.items():
        kept[Manager(name=ANCIENT, operation="Update", api_version=version)] = entry
    return kept


_ZERO: Mapping[str, JSON] = {
    "Pod": {"spec": {"containers": None}},
    "PodTemplate": {"template": {"metadata": {}, "spec": {"containers": None}}},
    "PersistentVolumeClaim": {"spec": {"resources": {}}},
    "Service": {"status": {"loadBalancer": {}}},
    "Job": {"spec": {"template": {"metadata": {}, "spec": {"containers": None}}}},
    "CronJob": {
        "spec": {
            "jobTemplate": {"spec": {"template": {"metadata": {}, "spec": {"containers": None}}}}
        }
    },
    "Role": {"rules": None},
    "ClusterRole": {"rules": None},
    "CustomResourceDefinition": {"spec": {"names": {}, "versions": None}},
    "EndpointSlice": {"endpoints": None, "ports": None},
}
_BUILT_IN = ("k8s.io", "policy", "batch", "autoscaling")


def _zero(new: JSON) -> JSON:
    """What a built-in object is before its creation: parts that every such object has."""
    group = new.get("apiVersion", "").rpartition("/")[0]
    empty: JSON = {"metadata": {}}
    if group and not group.endswith(_BUILT_IN):
        return empty
    parts: JSON = {
        key: {} for key in ("spec", "status", "template") if isinstance(new.get(key), dict)
    }
    return {**empty, **parts, **_ZERO.get(new.get("kind", ""), {})}


def shown(manager: Manager, entry: Entry) -> str:
    """A manager as conflict messages name it."""
    said = f'"{manager.name}"'
    if manager.subresource:
        said += f' with subresource "{manager.subresource}"'
    if manager.operation == "Update":
        said += f" using {entry.api_version}"
    return said


def conflicting(
    managers: Managers, change: Difference, but: Manager
) -> Iterable[tuple[Manager, Fields]]:
    """The other managers whose fields a write sets, and those fields."""
    for manager, entry in managers.items():
        if manager != but and (hit := entry.fields & change.written):
            yield manager, hit
