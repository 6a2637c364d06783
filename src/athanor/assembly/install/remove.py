"""Taking an installation off a cluster: our own objects, and nothing that others made.

Without `data` all stays that a later installation goes on with. A namespace goes only when
`athanor install` made it.
"""

from __future__ import annotations

import asyncio

from athanor.api.core import ConfigMap
from athanor.api.meta import GROUP, JSON
from athanor.api.registry import of
from athanor.assembly import aggregated
from athanor.assembly.install import home, wished
from athanor.assembly.install.manifests import manifests
from athanor.assembly.install.objects import Refused, Told, check_cluster, find, resource_of, title
from athanor.assembly.install.parts import LEASE, Wishes, head
from athanor.client.protocol import Client
from athanor.features.scheduling import record
from athanor.wire import calls
from athanor.wire.status import ApiError

REMIND_EVERY = 25
"""Looks, five a second, until a definition that stays is changed, that its end goes on."""
_DATA = ("CustomResourceDefinition", "PriorityClass", "PersistentVolumeClaim", "Namespace")


async def uninstall(client: Client, wishes: Wishes, told: Told, *, data: bool) -> None:
    """Remove it, the last made first. With `data` also what it keeps, and our kinds with every
    object of theirs.

    Returns when all of it is gone. Raises Refused when the server is no cluster, the installation
    is elsewhere, or something stays for 120 s.
    """
    await check_cluster(
        client, "`athanor down` ends the platform; its data directory is all there is"
    )
    await home.check(client, wishes.namespace)
    going = [*reversed([m for m in manifests(wishes) if data or not stays(m)]), *_left_by(wishes)]
    for manifest in going:
        if manifest["kind"] == "Namespace":
            await _end(client, manifest, told)
        elif await delete(client, manifest):
            told(title(manifest), "deleted")
    for manifest in going:
        if manifest["kind"] != "Namespace" or await home.is_made_by_us(client, manifest):
            await gone(client, manifest)


def _left_by(wishes: Wishes) -> list[JSON]:
    """What our processes made themselves, and left when they were killed or lost their rights.

    It goes last, when nobody may make it anew.
    """
    doors = [aggregated.api_service(one, wishes.namespace)
             for one in (aggregated.GATEWAY, aggregated.VISIBILITY)]  # fmt: skip
    return [*doors, head("coordination.k8s.io/v1", "Lease", LEASE, wishes.namespace)]


async def _end(client: Client, namespace: JSON, told: Told) -> None:
    """Delete the namespace if we made it; in another one the history of gangs goes."""
    if await home.is_made_by_us(client, namespace):
        await delete(client, namespace)
        told(title(namespace), "deleted")
    elif await find(client, namespace) is not None:
        name = namespace["metadata"]["name"]
        await client(calls.delete_collection(of(ConfigMap), name, labels=record.LABEL))
        told(title(namespace), home.FOREIGN)


async def delete(client: Client, manifest: JSON) -> bool:
    """Ask for an object's deletion; whether it was there."""
    meta = manifest["metadata"]
    try:
        await client(calls.delete(resource_of(manifest), meta["name"], meta.get("namespace")))
    except ApiError as error:
        if error.reason != "NotFound":
            raise
        return False
    return True


async def gone(client: Client, manifest: JSON) -> None:
    """Wait until a deleted object is gone. Raises Refused when it stays for 120 s."""
    found: JSON | None = None
    for look in range(1, 601):
        found = await find(client, manifest)
        if found is None:
            return
        if look % REMIND_EVERY == 0 and any(
            one.get("reason") == "InstanceDeletionFailed" for one in _terminating(found)
        ):
            await _remind(client, manifest, look)
        await asyncio.sleep(0.2)
    raise Refused(f"{title(manifest)} is deleted but stays: {_held(found or {})}")


async def _remind(client: Client, manifest: JSON, look: int) -> None:
    """Change a definition that stays: Kubernetes tries again to remove its objects.

    One that is deleted soon after it was made may fail at first ("storage is (re)initializing");
    when the next try meets the status that the first one wrote, it gives up until something of the
    definition changes, or for five minutes (apiextensions-apiserver, `crd_finalizer.go`).
    """
    told = {"metadata": {"annotations": {f"{GROUP}/reminded": str(look)}}}
    try:
        name = manifest["metadata"]["name"]
        await client(calls.patch(resource_of(manifest), name, None, told))
    except ApiError as error:
        if error.reason != "NotFound":
            raise


def _terminating(found: JSON) -> list[JSON]:
    """What a deleted object says of its end."""
    said = (found.get("status") or {}).get("conditions") or []
    return [one for one in said if one.get("type") == "Terminating"]


def _held(found: JSON) -> str:
    """What a deleted object waits for: its finalizers, and what its Terminating condition says."""
    waits = ", ".join(found.get("metadata", {}).get("finalizers") or ["no finalizer"])
    said = [f"{each.get('reason')}: {each.get('message')}" for each in _terminating(found)]
    return "; ".join([waits, *said])


def stays(manifest: JSON) -> bool:
    """Whether removing leaves it: what the gateway keeps and what was wished, definitions, and
    queues and pools, which people have changed.
    """
    kept = manifest["kind"] in _DATA or manifest["apiVersion"].startswith(GROUP)
    return bool(kept or wished.is_memory(manifest))
