"""Claims and volumes: a claim of the local StorageClass becomes a folder of this machine.

One provisioner per node; a laptop has one node. Folders go with their volume (reclaim Delete).
Other claims are bound to the volumes that somebody made for them (`plan.binding`).
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from athanor.api.core import PersistentVolume, PersistentVolumeClaim
from athanor.api.meta import JSON
from athanor.api.registry import Resource, of
from athanor.client.protocol import Client
from athanor.local.agent.follow import Follower
from athanor.local.agent.plan import binding
from athanor.local.agent.plan.environ import Missing
from athanor.wire import calls
from athanor.wire.status import ApiError

log = logging.getLogger(__name__)
PROVISIONER = "athanor.dev/local"
CLASS = "local"
_CLAIMS, _VOLUMES = of(PersistentVolumeClaim), of(PersistentVolume)
_AGAIN = 5.0


def volume_of(claim: JSON) -> str:
    """The name of the volume that is made for a claim, and of its folder."""
    return f"pvc-{claim['metadata']['uid']}"


class Claims:
    """Binds claims of our class; tells `bound(namespace)` when one is."""

    def __init__(
        self, client: Client, root: Path, node: str, bound: Callable[[str], None], *,
        provisions: bool = True,
    ) -> None:  # fmt: skip
        """`provisions`: this node makes the volumes; in a cluster others do."""
        self._client = client
        self._provisions = provisions
        self._root = root
        self._node = node
        self._bound = bound
        self._claims = Follower(client, _CLAIMS, self._changed)
        self._volumes = Follower(client, _VOLUMES, self._changed)
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Follow claims and volumes, and provision, until cancelled."""
        if not self._provisions:
            return
        async with asyncio.TaskGroup() as group:
            group.create_task(self._claims.run())
            group.create_task(self._volumes.run())
            group.create_task(self._work())

    async def look(self, namespace: str, name: str) -> None:
        """Read one claim and its volume where they are not followed: nodes may not list them."""
        if self._provisions:
            return
        claim = await self._read(_CLAIMS, namespace, name)
        volume = ((claim or {}).get("spec") or {}).get("volumeName")
        if claim is not None:
            self._claims.objects[f"{namespace}/{name}"] = claim
        if volume and (found := await self._read(_VOLUMES, None, volume)):
            self._volumes.objects["/" + volume] = found

    async def _read(self, resource: Resource, namespace: str | None, name: str) -> JSON | None:
        try:
            return await self._client(calls.raw("GET", resource.path(namespace, name)))
        except ApiError as error:
            if error.code not in (403, 404):
                raise
            return None

    def folder(self, namespace: str, name: str) -> str:
        """Where a claim's content lies. Raises Missing while it is not bound."""
        claim = self._claims.objects.get(f"{namespace}/{name}")
        if claim is None:
            raise Missing(f'persistentvolumeclaim "{name}" not found')
        volume = self._volumes.objects.get("/" + (claim["spec"].get("volumeName") or ""))
        if volume is None or (claim.get("status") or {}).get("phase") != "Bound":
            raise Missing(f'persistentvolumeclaim "{name}" is not bound yet')
        spec = volume["spec"]
        path = (spec.get("hostPath") or spec.get("local") or {}).get("path")
        if not path:
            raise Missing(f'the volume of claim "{name}" is not a folder of this machine')
        return os.path.realpath(str(path))

    def _changed(self, key: str, old: JSON | None, new: JSON | None) -> None:
        self._wake.set()
        if new is not None and key.partition("/")[0]:
            self._bound(key.partition("/")[0])

    async def _work(self) -> None:
        await self._claims.filled.wait()
        await self._volumes.filled.wait()
        while True:
            self._wake.clear()
            try:
                for claim in list(self._claims.objects.values()):
                    if _ours(claim):
                        await self._provision(claim)
                await self._bind_given()
                for volume in list(self._volumes.objects.values()):
                    await self._reclaim(volume)
            except (ApiError, OSError) as error:
                log.warning("local storage: %s", error)
                await asyncio.sleep(_AGAIN)
                continue
            await self._wake.wait()

    async def _bind_given(self) -> None:
        """Claims get the volumes that somebody made by hand."""
        claims, volumes = self._claims.objects.values(), self._volumes.objects.values()
        waiting = [claim for claim in claims if not _ours(claim)]
        theirs = [volume for volume in volumes if volume["spec"].get("storageClassName") != CLASS]
        for step in binding.plan(waiting, theirs):
            if isinstance(step, binding.Mark):
                await self._status(_VOLUMES, step.volume, None, {"phase": step.phase})
            else:
                await self._bind(step.claim, step.volume)

    async def _bind(self, claim: JSON, volume: JSON) -> None:
        meta, name, spec = claim["metadata"], volume["metadata"]["name"], volume["spec"]
        ref = {
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "uid": meta["uid"],
            "namespace": meta["namespace"], "name": meta["name"],
        }  # fmt: skip
        if (spec.get("claimRef") or {}).get("uid") != meta["uid"]:
            seen = {"resourceVersion": volume["metadata"]["resourceVersion"]}
            body: JSON = {"metadata": seen, "spec": {"claimRef": ref}}
            await self._client(calls.patch(_VOLUMES, name, None, body))
        if not claim["spec"].get("volumeName"):
            body = {"spec": {"volumeName": name}}
            await self._client(calls.patch(_CLAIMS, meta["name"], meta["namespace"], body))
        await self._status(_VOLUMES, name, None, {"phase": "Bound"})
        status = {
            "phase": "Bound", "accessModes": spec["accessModes"], "capacity": spec["capacity"],
        }  # fmt: skip
        await self._status(_CLAIMS, meta["name"], meta["namespace"], status)

    async def _provision(self, claim: JSON) -> None:
        meta, spec = claim["metadata"], claim["spec"]
        name = volume_of(claim)
        path = self._root / name
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(0o1777)
        size = spec["resources"]["requests"]["storage"]
        if "/" + name not in self._volumes.objects:
            await self._create(claim, name, str(path))
        if not spec.get("volumeName"):
            body: JSON = {"spec": {"volumeName": name}}
            await self._client(calls.patch(_CLAIMS, meta["name"], meta["namespace"], body))
        await self._status(_VOLUMES, name, None, {"phase": "Bound"})
        status = {
            "phase": "Bound", "accessModes": spec["accessModes"], "capacity": {"storage": size},
        }  # fmt: skip
        await self._status(_CLAIMS, meta["name"], meta["namespace"], status)

    async def _create(self, claim: JSON, name: str, path: str) -> None:
        meta, spec = claim["metadata"], claim["spec"]
        here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [self._node]}
        terms = [{"matchExpressions": [here]}]
        manifest: JSON = {
            "apiVersion": "v1", "kind": "PersistentVolume",
            "metadata": {
                "name": name, "annotations": {"pv.kubernetes.io/provisioned-by": PROVISIONER},
            },
            "spec": {
                "capacity": {"storage": spec["resources"]["requests"]["storage"]},
                "accessModes": spec["accessModes"], "persistentVolumeReclaimPolicy": "Delete",
                "storageClassName": CLASS, "hostPath": {"path": path},
                "nodeAffinity": {"required": {"nodeSelectorTerms": terms}},
                "claimRef": {
                    "apiVersion": "v1", "kind": "PersistentVolumeClaim", "uid": meta["uid"],
                    "namespace": meta["namespace"], "name": meta["name"],
                },
            },
        }  # fmt: skip
        try:
            await self._client(calls.create(_VOLUMES, manifest))
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise

    async def _reclaim(self, volume: JSON) -> None:
        meta, spec = volume["metadata"], volume["spec"]
        made_by = (meta.get("annotations") or {}).get("pv.kubernetes.io/provisioned-by")
        ref = spec.get("claimRef") or {}
        claim = self._claims.objects.get(f"{ref.get('namespace')}/{ref.get('name')}")
        alive = claim is not None and claim["metadata"]["uid"] == ref.get("uid")
        path = Path((spec.get("hostPath") or {}).get("path") or "/")
        if made_by != PROVISIONER or alive or path.parent != self._root:
            return
        if spec.get("persistentVolumeReclaimPolicy") != "Delete":  # somebody wants to keep it
            if (volume.get("status") or {}).get("phase") != "Released":
                await self._status(_VOLUMES, meta["name"], None, {"phase": "Released"})
            return
        await asyncio.to_thread(shutil.rmtree, path, True)
        try:
            await self._client(calls.delete(_VOLUMES, meta["name"], uid=meta["uid"]))
        except ApiError as error:
            if error.code != 404:
                raise

    async def _status(
        self, resource: Resource, name: str, namespace: str | None, status: JSON
    ) -> None:
        call = calls.patch(resource, name, namespace, {"status": status}, subresource="status")
        await self._client(call)


def _ours(claim: JSON) -> bool:
    waiting = (claim.get("status") or {}).get("phase", "Pending") == "Pending"
    going = claim["metadata"].get("deletionTimestamp")
    named = claim["spec"].get("volumeName") or ""
    mine = named in ("", volume_of(claim))
    return waiting and not going and mine and claim["spec"].get("storageClassName") == CLASS
