"""Installing, upgrading and removing on a cluster: server-side apply, one object after the other.

Installing again is upgrading; installing an older version is going back, and must be asked for.
Objects of our kinds are never touched, and their definitions go only with `data=True`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from athanor.api.meta import GROUP, JSON
from athanor.api.registry import Resource, by_kind
from athanor.assembly import aggregated
from athanor.assembly.install import monitoring, submitter
from athanor.assembly.install.manifests import manifests
from athanor.assembly.install.parts import Wishes
from athanor.client.http import Http
from athanor.client.kubeconfig import load
from athanor.client.protocol import Client
from athanor.kit.clock import Clock
from athanor.wire import calls
from athanor.wire.status import ApiError

MANAGER = "athanor-install"
VERSION = "app.kubernetes.io/version"
REMIND_EVERY = 25
"""Looks, five a second, until a definition that stays is changed, that its end goes on."""
Told = Callable[[str, str], None]
"""Hears what an object is called and what became of it: created, changed, unchanged, deleted."""

_OTHERS = {
    ("apps/v1", "Deployment"): "deployments",
    ("policy/v1", "PodDisruptionBudget"): "poddisruptionbudgets",
    ("networking.k8s.io/v1", "NetworkPolicy"): "networkpolicies",
    (monitoring.VERSION, "PrometheusRule"): "prometheusrules",
}
_NEWER = {
    (submitter.VERSION, "MutatingAdmissionPolicy"): "mutatingadmissionpolicies",
    (submitter.VERSION, "MutatingAdmissionPolicyBinding"): "mutatingadmissionpolicybindings",
}
"""Cluster-wide kinds."""
_MAY_LACK = {
    **dict.fromkeys(_NEWER, "this Kubernetes is older than 1.36"),
    (monitoring.VERSION, "PrometheusRule"): "the Prometheus operator is not installed",
}
"""Kinds that a server may not have, and why; it is installed on without them."""


class Refused(Exception):
    """The cluster cannot be installed on like this; nothing was changed."""


@asynccontextmanager
async def connected(files: str, context: str | None) -> AsyncIterator[Client]:
    """A client of the server that kubeconfig files (as in $KUBECONFIG) and a context name."""
    transport = Http(load(files.split(os.pathsep)).target(context))
    try:
        yield Client(transport)
    finally:
        await transport.close()


def resource_of(manifest: JSON) -> Resource:
    """Where an object of an installation lives."""
    version, kind = manifest["apiVersion"], manifest["kind"]
    known = by_kind(version, kind)
    if known is not None:
        return known
    group, _, short = version.rpartition("/")
    return Resource(
        group=group, version=short, kind=kind, plural={**_OTHERS, **_NEWER}[version, kind],
        namespaced=(version, kind) in _OTHERS, singular=kind.lower(),
    )  # fmt: skip


def title(manifest: JSON) -> str:
    """`deployment.apps/athanor-controllers`, as kubectl writes it."""
    resource = resource_of(manifest)
    group = f".{resource.group}" if resource.group else ""
    return f"{resource.singular}{group}/{manifest['metadata']['name']}"


async def install(client: Client, wishes: Wishes, told: Told, *, downgrade: bool = False) -> None:
    """Make or bring up to date every object.

    Raises Refused when the server is no cluster or has a newer installation, ApiError when it
    refuses an object.
    """
    await _check(client, wishes, downgrade=downgrade)
    for manifest in manifests(wishes):
        if not await _served(client, manifest):
            why = _MAY_LACK[manifest["apiVersion"], manifest["kind"]]
            told(title(manifest), f"left out: {why}")
            continue
        told(title(manifest), await _apply(client, manifest))
        if manifest["kind"] == "CustomResourceDefinition":
            await _established(client, manifest)


async def _is_cluster(client: Client, way: str) -> None:
    """Refuses a laptop's own server: its rights have the same names as an installation's."""
    try:
        await client(calls.raw("GET", "/apis/apps/v1"))
    except ApiError as error:
        if error.reason != "NotFound":
            raise
        raise Refused(f"this server runs no Deployments; on one machine {way}") from error


async def _check(client: Client, wishes: Wishes, *, downgrade: bool) -> None:
    await _is_cluster(client, "`athanor up` is the installation")
    found = await _found(client, manifests(wishes)[-1])
    there = found["metadata"].get("labels", {}).get(VERSION, "") if found else ""
    if not downgrade and _number(there) > _number(wishes.version):
        raise Refused(
            f"version {there} is installed, which is newer than {wishes.version}; "
            "--downgrade goes back"
        )


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())


async def _served(client: Client, manifest: JSON) -> bool:
    if (manifest["apiVersion"], manifest["kind"]) not in _MAY_LACK:
        return True
    try:
        await client(calls.raw("GET", resource_of(manifest).path(None)))
    except ApiError as error:
        if error.reason != "NotFound":
            raise
        return False
    return True


async def _apply(client: Client, manifest: JSON) -> str:
    resource = resource_of(manifest)
    before = await _found(client, manifest)
    after = await client(calls.apply(resource, manifest, manager=MANAGER, force=True))
    if before is None:
        return "created"
    return "unchanged" if _content(before) == _content(after) else "changed"


def _content(found: JSON) -> JSON:
    """What of an object is said by people: others write its status and the rest of its metadata."""
    meta = found["metadata"]
    kept = {key: value for key, value in found.items() if key not in ("metadata", "status")}
    return {**kept, "labels": meta.get("labels"), "annotations": meta.get("annotations")}


async def _found(client: Client, manifest: JSON) -> JSON | None:
    meta = manifest["metadata"]
    path = resource_of(manifest).path(meta.get("namespace"), meta["name"])
    try:
        found: JSON = await client(calls.raw("GET", path))
    except ApiError as error:
        if error.reason != "NotFound":
            raise
        return None
    return found


async def _established(client: Client, manifest: JSON) -> None:
    """Until the server serves a new kind: what comes next may need it."""
    for _ in range(300):
        found = await _found(client, manifest)
        if found is not None and _holds(found, "Established"):
            return
        await asyncio.sleep(0.1)
    raise Refused(f"{title(manifest)} was not established within 30 s; its conditions say why")


def _holds(found: JSON, wanted: str) -> bool:
    conditions = (found.get("status") or {}).get("conditions") or ()
    return any(c["type"] == wanted and c["status"] == "True" for c in conditions)


async def available(client: Client, wishes: Wishes, clock: Clock, within: float) -> bool:
    """Wait until the controllers run; whether they did `within` seconds."""
    end = clock.monotonic() + within
    deployment = manifests(wishes)[-1]
    while True:
        found = await _found(client, deployment)
        if found is not None and _rolled_out(found):
            return True
        if clock.monotonic() >= end:
            return False
        await asyncio.sleep(0.5)


def _rolled_out(found: JSON) -> bool:
    status, wanted = found.get("status") or {}, found["spec"]["replicas"]
    seen = status.get("observedGeneration", 0) >= found["metadata"]["generation"]
    return bool(
        seen
        and status.get("updatedReplicas", 0) >= wanted
        and status.get("availableReplicas", 0) >= min(wanted, 1)
    )


async def uninstall(client: Client, wishes: Wishes, told: Told, *, data: bool) -> None:
    """Remove it, the last made first. With `data` also our kinds with every object of theirs.

    Returns when all of it is gone. Raises Refused when the server is no cluster, or something stays
    for 120 s.
    """
    await _is_cluster(
        client, "`athanor down` ends the platform; its data directory is all there is"
    )
    # left by who was killed, or whose rights went first; last, when nobody may make them anew
    doors = [aggregated.api_service(one, wishes.namespace)
             for one in (aggregated.GATEWAY, aggregated.VISIBILITY)]  # fmt: skip
    going = [*reversed([m for m in manifests(wishes) if data or not stays(m)]), *doors]
    for manifest in going:
        resource, meta = resource_of(manifest), manifest["metadata"]
        try:
            await client(calls.delete(resource, meta["name"], meta.get("namespace")))
        except ApiError as error:
            if error.reason != "NotFound":
                raise
            continue
        told(title(manifest), "deleted")
    for manifest in going:
        await gone(client, manifest)


async def gone(client: Client, manifest: JSON) -> None:
    """Wait until a deleted object is gone. Raises Refused when it stays for 120 s."""
    found: JSON | None = None
    for look in range(1, 601):
        found = await _found(client, manifest)
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
    """Whether removing leaves it: definitions, and queues and pools, which people have changed."""
    kinds = ("CustomResourceDefinition", "PriorityClass")
    return manifest["kind"] in kinds or bool(manifest["apiVersion"].startswith(GROUP))
