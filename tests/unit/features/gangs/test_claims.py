"""The volumes of a gang: where they will be, and which of those that people made."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from athanor.api.claims import SELECTED_NODE
from athanor.api.core import PersistentVolume, PersistentVolumeClaim, Pod, StorageClass
from athanor.api.meta import JSON
from athanor.api.scheduling import Gang
from athanor.testing import lab
from tests.unit.features.gangs.bed import live, phase


def test_claims_that_wait_for_their_consumer_hear_where_it_will_be() -> None:
    """Also those that come after the pods: generic ephemeral volumes are made for a pod."""
    volumes: list[JSON] = [
        {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
        {"name": "now", "persistentVolumeClaim": {"claimName": "now"}},
        {"name": "scratch", "ephemeral": {"volumeClaimTemplate": {"spec": {}}}},
    ]
    template = {"spec": {"containers": [{"name": "main", "image": "host"}], "volumes": volumes}}
    sets = [{"name": "worker", "count": 2, "template": template}]

    async def claim(bed: lab.Lab, name: str, klass: str, pod: Pod | None = None) -> None:
        owner = {"apiVersion": "v1", "kind": "Pod", "controller": True}
        owners = [{**owner, "name": pod.metadata.name, "uid": pod.metadata.uid}] if pod else []
        spec = {"storageClassName": klass, "accessModes": ["ReadWriteMany"],
                "resources": {"requests": {"storage": "1Gi"}}}  # fmt: skip
        meta = {"name": name, "namespace": "default", "ownerReferences": owners}
        await bed.create({"metadata": meta, "spec": spec}, PersistentVolumeClaim)

    def told(node: str) -> Callable[[PersistentVolumeClaim], bool]:
        return lambda found: found.metadata.annotations.get(SELECTED_NODE) == node

    async def main(bed: lab.Lab) -> None:
        for name, mode in (("late", "WaitForFirstConsumer"), ("now", "Immediate")):
            made = {"metadata": {"name": name}, "provisioner": "disks.example",
                    "volumeBindingMode": mode}  # fmt: skip
            await bed.create(made, StorageClass)
        await claim(bed, "now", "now")
        await claim(bed, "data", "late")
        await bed.until(PersistentVolumeClaim, "data", told("node-0"))
        await bed.until(Gang, "g", phase("Running"))
        second = await bed.get(Pod, "g-worker-1")
        await claim(bed, "g-worker-1-scratch", "late", second)
        await bed.until(PersistentVolumeClaim, "g-worker-1-scratch", told("node-1"))
        assert not (await bed.get(PersistentVolumeClaim, "now")).metadata.annotations
        gone = {"metadata": {"annotations": {SELECTED_NODE: None}}}  # no volume can be made there
        began = bed.clock.monotonic()
        await bed.patch(PersistentVolumeClaim, "data", gone)
        await bed.until(PersistentVolumeClaim, "data", told("node-0"))
        assert 50 < bed.clock.monotonic() - began < 63, "its maker would try again at once"

    live(main, podSets=sets)


def test_claims_take_the_volumes_that_people_made_where_all_ranks_reach_them() -> None:
    volumes: list[JSON] = [
        {"name": name, "persistentVolumeClaim": {"claimName": name}} for name in ("data", "more")
    ]
    template = {"spec": {"containers": [{"name": "main", "image": "host"}], "volumes": volumes}}
    sets = [{"name": "worker", "count": 2, "template": template}]
    size = {"storage": "1Gi"}

    async def volume(bed: lab.Lab, name: str, storage: str, *nodes: str) -> None:
        here = {"key": "kubernetes.io/hostname", "operator": "In", "values": list(nodes)}
        spec = {"capacity": {"storage": storage}, "accessModes": ["ReadWriteMany"],
                "storageClassName": "local", "local": {"path": "/data"},
                "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
                }  # fmt: skip
        await bed.create({"metadata": {"name": name}, "spec": spec}, PersistentVolume)
        free = {"status": {"phase": "Available"}}
        await bed.patch(PersistentVolume, name, free, subresource="status", namespace=None)

    async def whose(bed: lab.Lab) -> dict[str, str]:
        found = {v.metadata.name: v.spec.get("claimRef") or {} for v in
                 await bed.list(PersistentVolume)}  # fmt: skip
        return {name: ref["name"] for name, ref in found.items() if ref.get("uid")}

    async def main(bed: lab.Lab) -> None:
        made = {"metadata": {"name": "local"}, "volumeBindingMode": "WaitForFirstConsumer",
                "provisioner": "kubernetes.io/no-provisioner"}  # fmt: skip
        await bed.create(made, StorageClass)
        spec = {"storageClassName": "local", "accessModes": ["ReadWriteMany"]}
        for name in ("data", "more"):
            claim = {"metadata": {"name": name, "namespace": "default"},
                     "spec": {**spec, "resources": {"requests": size}}}  # fmt: skip
            await bed.create(claim, PersistentVolumeClaim)
        await volume(bed, "small", "1Gi", "node-0")
        await volume(bed, "large", "9Gi", "node-0", "node-1")
        await asyncio.sleep(5)
        assert await whose(bed) == {}, "rank 1 reaches one of them only"
        await volume(bed, "middle", "2Gi", "node-0", "node-1")
        await asyncio.sleep(5)
        assert await whose(bed) == {"middle": "data", "large": "more"}
        told = (await bed.get(PersistentVolume, "large", None)).metadata
        assert told.annotations == {"pv.kubernetes.io/bound-by-controller": "yes"}
        claim = await bed.get(PersistentVolumeClaim, "data")
        assert SELECTED_NODE not in claim.metadata.annotations
        await asyncio.sleep(5)
        again = (await bed.get(PersistentVolume, "large", None)).metadata
        assert again.resource_version == told.resource_version

    live(main, podSets=sets)
