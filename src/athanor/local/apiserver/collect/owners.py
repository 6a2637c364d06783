"""Owner garbage collection: dependents go when the last owner is gone; Foreground and Orphan.

The index knows who refers to which uid; it is built from the stored rows and kept by the writes.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from athanor.api.meta import JSON
from athanor.local.apiserver.catalog import Served
from athanor.local.apiserver.collect.system import change, remove, system_call
from athanor.local.apiserver.collect.work import Work
from athanor.local.apiserver.core import Core, decode
from athanor.local.apiserver.metadata import FOREGROUND, ORPHAN
from athanor.local.store.model import Key

_MARK = b'"ownerReferences"'


class _Owners(Struct, frozen=True):
    """The owners of one object, sorted by how they are."""

    solid: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    leaving: tuple[str, ...] = ()


class OwnerCollector:
    """Follows owner references. Items: ("dependent", key) and ("owner", key)."""

    FOLLOWS: tuple[str, ...] = ()

    def __init__(self, core: Core, work: Work) -> None:
        self._core, self._work = core, work
        self._dependents: dict[str, dict[Key, bool]] = {}
        work.on("dependent", self.look_at_dependent)
        work.on("owner", self.look_at_owner)

    def load(self) -> None:
        """Build the index from what is stored, and look at everything in it once."""
        for resource in self._core.store.counts():
            served = self._core.catalog.by_name(resource)
            for row in self._core.store.rows(resource):
                if _MARK in row.body:
                    obj = decode(row.body)
                    self._index(row.key, (), obj["metadata"].get("ownerReferences") or ())
                    self._work.add("dependent", row.key)
                if served is not None and b'"deletionTimestamp"' in row.body:
                    self._work.add("owner", row.key)

    def observe(self, served: Served, old: JSON | None, new: JSON | None) -> None:
        """Keep the index; look at what a write concerns."""
        one = new if new is not None else old
        if one is None:
            return
        meta = one["metadata"]
        key = Key(served.key, meta.get("namespace", ""), meta["name"])
        before = (old["metadata"].get("ownerReferences") or ()) if old is not None else ()
        after = (new["metadata"].get("ownerReferences") or ()) if new is not None else ()
        if before or after:
            self._index(key, before, after)
        if new is None:
            for dependent in self._dependents.get(meta["uid"], ()):
                self._work.add("dependent", dependent)
            for reference in before:
                self._leaving(served, meta, reference)
            return
        if after and after != before:
            self._work.add("dependent", key)
        if meta.get("deletionTimestamp") and meta.get("finalizers"):
            self._work.add("owner", key)

    def _leaving(self, served: Served, meta: JSON, reference: JSON) -> None:
        """A dependent is gone: its owner may have been waiting for that."""
        owner = self._core.catalog.by_kind(reference["apiVersion"], reference["kind"])
        if owner is not None:
            namespace = meta.get("namespace", "") if owner.resource.namespaced else ""
            self._work.add("owner", Key(owner.key, namespace, reference["name"]))

    def _index(self, key: Key, before: Iterable[JSON], after: Iterable[JSON]) -> None:
        for reference in before:
            known = self._dependents.get(reference["uid"])
            if known is not None:
                known.pop(key, None)
                if not known:
                    del self._dependents[reference["uid"]]
        for reference in after:
            blocks = bool(reference.get("blockOwnerDeletion"))
            self._dependents.setdefault(reference["uid"], {})[key] = blocks

    async def look_at_dependent(self, key: Key) -> None:
        """Delete an object none of whose owners is left; drop references to those that are gone."""
        core = self._core
        served = core.catalog.by_name(key.resource)
        obj = core.latest(*key)
        if served is None or obj is None:
            return
        references = obj["metadata"].get("ownerReferences") or []
        owners = self._sort(key, references)
        if not owners.gone and not owners.leaving:
            return
        call = system_call(served, key)
        if owners.solid:
            lost = {*owners.gone, *owners.leaving}
            await change(core, call, lambda o: _without_owners(o, lost))
            return
        policy = "Foreground" if owners.leaving else "Background"
        if obj["metadata"].get("deletionTimestamp"):
            return
        await remove(core, call, uid=obj["metadata"]["uid"], propagation=policy)

    def _sort(self, key: Key, references: Iterable[JSON]) -> _Owners:
        solid, gone, leaving = list[str](), list[str](), list[str]()
        for reference in references:
            served = self._core.catalog.by_kind(reference["apiVersion"], reference["kind"])
            if served is None or (served.resource.namespaced and not key.namespace):
                solid.append(reference["uid"])  # nothing is known of such owners: keep
                continue
            namespace = key.namespace if served.resource.namespaced else ""
            owner = self._core.latest(served.key, namespace, reference["name"])
            if owner is None or owner["metadata"]["uid"] != reference["uid"]:
                gone.append(reference["uid"])
            elif _waits(owner["metadata"], FOREGROUND):
                leaving.append(reference["uid"])
            else:
                solid.append(reference["uid"])
        return _Owners(tuple(solid), tuple(gone), tuple(leaving))

    async def look_at_owner(self, key: Key) -> None:
        """Let an owner go that waits for its dependents, when they are gone or set free."""
        core = self._core
        served = core.catalog.by_name(key.resource)
        obj = core.latest(*key)
        if served is None or obj is None or not obj["metadata"].get("deletionTimestamp"):
            return
        uid = obj["metadata"]["uid"]
        dependents = dict(self._dependents.get(uid, {}))
        call = system_call(served, key)
        if _waits(obj["metadata"], ORPHAN):
            for dependent in dependents:
                kind = core.catalog.by_name(dependent.resource)
                if kind is not None:
                    freed = system_call(kind, dependent)
                    await change(core, freed, lambda o: _without_owners(o, {uid}), missing=True)
            await change(core, call, lambda o: _without_finalizer(o, ORPHAN), missing=True)
        elif _waits(obj["metadata"], FOREGROUND):
            for dependent in dependents:
                self._work.add("dependent", dependent)
            if not any(dependents.values()):
                await change(core, call, lambda o: _without_finalizer(o, FOREGROUND), missing=True)


def _waits(meta: JSON, finalizer: str) -> bool:
    return bool(meta.get("deletionTimestamp")) and finalizer in (meta.get("finalizers") or ())


def _without_owners(obj: JSON, uids: set[str]) -> JSON:
    meta = obj["metadata"]
    kept = [r for r in meta.get("ownerReferences") or [] if r["uid"] not in uids]
    return {**obj, "metadata": {**meta, "ownerReferences": kept}}


def _without_finalizer(obj: JSON, finalizer: str) -> JSON:
    meta = obj["metadata"]
    kept = [f for f in meta.get("finalizers") or [] if f != finalizer]
    return {**obj, "metadata": {**meta, "finalizers": kept}}
