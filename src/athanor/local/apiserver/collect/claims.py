"""Storage in use is kept: claims while a pod mounts them, volumes while a claim holds them."""

from __future__ import annotations

from athanor.api.meta import JSON
from athanor.local.apiserver.catalog import Served
from athanor.local.apiserver.collect.system import change, system_call
from athanor.local.apiserver.collect.work import Work
from athanor.local.apiserver.core import Core, decode
from athanor.local.apiserver.kinds.volumes import CLAIM_PROTECTION, VOLUME_PROTECTION
from athanor.local.store.model import Key

CLAIMS, VOLUMES = "persistentvolumeclaims", "persistentvolumes"


class ClaimCollector:
    """Items: ("claim", key), ("volume", key)."""

    FOLLOWS: tuple[str, ...] = (CLAIMS, VOLUMES, "pods")

    def __init__(self, core: Core, work: Work) -> None:
        self._core, self._work = core, work
        self._leaving: dict[str, set[Key]] = {}
        work.on("claim", self.look_at_claim)
        work.on("volume", self.look_at_volume)

    def load(self) -> None:
        """Find what was being deleted."""
        for resource in (CLAIMS, VOLUMES):
            for row in self._core.store.rows(resource):
                if b'"deletionTimestamp"' in row.body:
                    self._begin(row.key)

    def _begin(self, key: Key) -> None:
        self._leaving.setdefault(key.namespace, set()).add(key)
        self._work.add("claim" if key.resource == CLAIMS else "volume", key)

    def observe(self, served: Served, old: JSON | None, new: JSON | None) -> None:
        """A claim or volume is deleted, or a pod or claim that held one is gone."""
        one = new if new is not None else old
        if one is None or served.key not in (CLAIMS, VOLUMES, "pods"):
            return
        meta = one["metadata"]
        key = Key(served.key, meta.get("namespace", ""), meta["name"])
        if served.key in (CLAIMS, VOLUMES):
            if new is None:
                self._leaving.get(key.namespace, set()).discard(key)
                if served.key == CLAIMS:
                    self._again("")
            elif meta.get("deletionTimestamp"):
                self._begin(key)
        elif self._leaving and (new is None or _finished(new)):
            self._again(key.namespace)

    def _again(self, namespace: str) -> None:
        for key in self._leaving.get(namespace, ()):
            self._work.add("claim" if key.resource == CLAIMS else "volume", key)

    async def look_at_claim(self, key: Key) -> None:
        """Let a deleted claim go when no pod mounts it."""
        for row in self._core.store.rows("pods", key.namespace):
            pod = decode(row.body)
            if not _finished(pod) and key.name in _claims_of(pod):
                return
        await self._release(key, CLAIM_PROTECTION)

    async def look_at_volume(self, key: Key) -> None:
        """Let a deleted volume go when the claim it is bound to is gone."""
        volume = self._core.latest(*key)
        claim = ((volume or {}).get("spec") or {}).get("claimRef") or {}
        if claim:
            found = self._core.latest(CLAIMS, claim.get("namespace", ""), claim.get("name", ""))
            if found is not None and found["metadata"]["uid"] == claim.get("uid"):
                return
        await self._release(key, VOLUME_PROTECTION)

    async def _release(self, key: Key, finalizer: str) -> None:
        served = self._core.catalog.by_name(key.resource)
        obj = self._core.latest(*key)
        if served is None or obj is None or not obj["metadata"].get("deletionTimestamp"):
            return
        await change(
            self._core, system_call(served, key), lambda o: _without(o, finalizer), missing=True
        )


def _without(obj: JSON, finalizer: str) -> JSON:
    meta = obj["metadata"]
    kept = [f for f in meta.get("finalizers") or () if f != finalizer]
    return {**obj, "metadata": {**meta, "finalizers": kept}}


def _finished(pod: JSON) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def _claims_of(pod: JSON) -> set[str]:
    return {
        v["persistentVolumeClaim"]["claimName"]
        for v in (pod.get("spec") or {}).get("volumes") or ()
        if v.get("persistentVolumeClaim")
    }
