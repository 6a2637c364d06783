"""Installing and upgrading on a cluster: server-side apply, one object after the other.

Installing again is upgrading; installing an older version is going back, and must be asked for.
Objects of our kinds are never touched. What can be refused is refused before anything is written.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple

from msgspec.structs import replace

from athanor.api.meta import GROUP, JSON
from athanor.assembly.install import home, monitoring, older, wished
from athanor.assembly.install.manifests import manifests
from athanor.assembly.install.objects import (
    MAY_LACK,
    Refused,
    Told,
    check_cluster,
    find,
    kubernetes,
    resource_of,
    title,
)
from athanor.assembly.install.parts import Wishes
from athanor.assembly.install.remove import delete
from athanor.client.http import Http
from athanor.client.kubeconfig import load
from athanor.client.protocol import Client
from athanor.kit.clock import Clock
from athanor.wire import calls
from athanor.wire.status import ApiError

MANAGER = "athanor-install"
VERSION = "app.kubernetes.io/version"


class Step(NamedTuple):
    """An object of the installation, why it is none here, and what it lacks here."""

    manifest: JSON
    left: str = ""
    lacks: str = ""


@asynccontextmanager
async def connected(files: str, context: str | None, within: float = 60.0) -> AsyncIterator[Client]:
    """A client of the server that kubeconfig files (as in $KUBECONFIG) and a context name.

    `within`: seconds for an answer.
    """
    transport = Http(load(files.split(os.pathsep)).target(context), timeout=within)
    try:
        yield Client(transport)
    finally:
        await transport.close()


async def plan(
    client: Client, namespace: str, said: Mapping[str, object], *, downgrade: bool = False
) -> tuple[Wishes, list[Step]]:
    """What an installation with these wishes (names of `Wishes`) is here. Writes nothing.

    Raises Refused when the server is no cluster, or of an older Kubernetes, has a newer
    installation, one elsewhere, or one that cannot become this.
    """
    await check_cluster(client, "`athanor up` is the installation")
    number = await kubernetes(client)
    await home.check(client, namespace)
    kept = await wished.remembered(client, namespace)
    wishes = wished.resolve({**said, "namespace": namespace}, kept)
    await _check_version(client, wishes, downgrade=downgrade)
    await wished.check_claim(client, wishes)
    steps = [older.fitted(made, number) for made in manifests(wishes)]
    return wishes, [Step(made, await _left(client, made), lacks) for made, lacks in steps]


async def _check_version(client: Client, wishes: Wishes, *, downgrade: bool) -> None:
    found = await find(client, manifests(wishes)[-1])
    there = found["metadata"].get("labels", {}).get(VERSION, "") if found else ""
    if not downgrade and _number(there) > _number(wishes.version):
        raise Refused(
            f"version {there} is installed, which is newer than {wishes.version}; "
            "--downgrade goes back"
        )


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())


async def _left(client: Client, manifest: JSON) -> str:
    """Why an object is not applied; empty when it is."""
    if manifest["kind"] == "Namespace":
        return home.FOREIGN if await home.is_foreign(client, manifest) else ""
    why = MAY_LACK.get((manifest["apiVersion"], manifest["kind"]))
    if why is None:
        return ""
    try:
        await client(calls.raw("GET", resource_of(manifest).path(None)))
    except ApiError as error:
        if error.reason != "NotFound":
            raise
        return f"left out: {why}"
    return ""


async def install(client: Client, wishes: Wishes, steps: list[Step], told: Told) -> None:
    """Make or bring up to date every object of a plan.

    Raises Refused when the server would refuse to change one that is there, before any is written;
    ApiError when it refuses another.
    """
    await _rehearse(client, steps)
    await _drop(client, wishes, told)
    for manifest, left, lacks in steps:
        if left:
            told(title(manifest), left)
            continue
        ours = home.marked(manifest) if manifest["kind"] == "Namespace" else manifest
        became = await _apply(client, ours)
        told(title(manifest), f"{became} {lacks}" if lacks else became)
        if manifest["kind"] == "CustomResourceDefinition":
            await _established(client, manifest)


async def _rehearse(client: Client, steps: list[Step]) -> None:
    """Let the server try all changes of what is there.

    Not those of our own kinds, whose definitions are changed first.
    """
    for manifest, left, _ in steps:
        mine = manifest["apiVersion"].startswith(GROUP)
        if left or mine or await find(client, manifest) is None:
            continue
        tried = calls.apply(
            resource_of(manifest), manifest, manager=MANAGER, force=True, dry_run=True
        )
        try:
            await client(tried)
        except ApiError as error:
            if error.reason not in ("Invalid", "Forbidden"):
                raise
            raise Refused(f"{title(manifest)}: {error.message}") from error


async def _drop(client: Client, wishes: Wishes, told: Told) -> None:
    """Delete what was wished for before and is no more."""
    before = wished.resolve({}, await wished.remembered(client, wishes.namespace))
    unwanted = replace(
        wishes,
        dashboard=before.dashboard and not wishes.dashboard,
        rules=before.rules and not wishes.rules,
    )
    for manifest in monitoring.manifests(unwanted):
        if await delete(client, manifest):
            told(title(manifest), "deleted")


async def _apply(client: Client, manifest: JSON) -> str:
    before = await find(client, manifest)
    applied = calls.apply(resource_of(manifest), manifest, manager=MANAGER, force=True)
    after = await client(applied)
    if before is None:
        return "created"
    return "unchanged" if _content(before) == _content(after) else "changed"


def _content(found: JSON) -> JSON:
    """What of an object is said by people: others write its status and the rest of its metadata."""
    meta = found["metadata"]
    kept = {key: value for key, value in found.items() if key not in ("metadata", "status")}
    return {**kept, "labels": meta.get("labels"), "annotations": meta.get("annotations")}


async def _established(client: Client, manifest: JSON) -> None:
    """Until the server serves a new kind: what comes next may need it."""
    for _ in range(300):
        found = await find(client, manifest)
        if found is not None and _holds(found, "Established"):
            return
        await asyncio.sleep(0.1)
    raise ApiError(
        "Timeout", f"{title(manifest)} was not established within 30 s; its conditions say why"
    )


def _holds(found: JSON, wanted: str) -> bool:
    conditions = (found.get("status") or {}).get("conditions") or ()
    return any(c["type"] == wanted and c["status"] == "True" for c in conditions)


async def available(client: Client, wishes: Wishes, clock: Clock, within: float) -> bool:
    """Wait until the controllers run; whether they did `within` seconds."""
    end = clock.monotonic() + within
    deployment = manifests(wishes)[-1]
    while True:
        found = await find(client, deployment)
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
