"""Gangs do not hold places before the claims that they mount are there."""

from __future__ import annotations

from athanor.api.core import PersistentVolumeClaim, StorageClass
from athanor.api.meta import JSON
from athanor.api.registry import of
from athanor.api.scheduling import Gang, Pool, Queue
from athanor.features.gangs.apply import controller as gangs
from athanor.features.scheduling.apply import controller as scheduling
from athanor.testing.lab import Lab, cluster
from athanor.testing.virtual import run
from athanor.wire import calls

PROVISIONER = "volume.kubernetes.io/storage-provisioner"


async def stage(lab: Lab) -> None:
    await lab.create({"metadata": {"name": "default"}, "spec": {"exclusive": False}}, Pool)
    pools: JSON = {"pools": [{"pool": "default"}]}
    await lab.create({"metadata": {"name": "default"}, "spec": pools}, Queue)
    for name, mode in (("now", "Immediate"), ("later", "WaitForFirstConsumer")):
        made = {"provisioner": "disks.example", "volumeBindingMode": mode}
        await lab.create({"metadata": {"name": name}, **made}, StorageClass)


async def claim(lab: Lab, name: str, klass: str, **meta: JSON) -> None:
    asked = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}
    about = {"name": name, "namespace": "default", **meta}
    spec = {**asked, "storageClassName": klass}
    await lab.create({"metadata": about, "spec": spec}, PersistentVolumeClaim)


async def gang(lab: Lab, name: str, mounts: str) -> None:
    box = {"name": "main", "image": "host"}
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": mounts}}]
    one = {"name": "w", "count": 2, "template": {"spec": {"containers": [box], "volumes": volumes}}}
    meta = {"name": name, "namespace": "default"}
    await lab.create({"metadata": meta, "spec": {"podSets": [one]}}, Gang)


async def waits(lab: Lab, name: str) -> str:
    def told(one: Gang) -> bool:
        return [r.code for r in one.status.reasons] == ["ClaimNotReady"]

    return (await lab.until(Gang, name, told, within=60)).status.reasons[0].message


async def runs(lab: Lab, name: str) -> None:
    await lab.until(Gang, name, lambda g: g.status.phase == "Running", within=120)


def test_a_claim_that_is_not_there_keeps_a_gang_waiting_and_one_that_came_does_not() -> None:
    async def main() -> None:
        async with cluster([gangs(), scheduling()]) as lab:
            await stage(lab)
            await gang(lab, "g", "data")
            said = await waits(lab, "g")
            assert said == "its pods mount claim data, which is not in its namespace"
            await claim(lab, "other", "later")
            await waits(lab, "g")
            await claim(lab, "data", "later")  # its first consumer is the gang
            await runs(lab, "g")
            await lab.client(calls.delete(of(PersistentVolumeClaim), "data", "default"))
            await gang(lab, "late", "data")
            assert (await waits(lab, "late")).endswith("claim data, which is being deleted")

    run(main)


def test_a_volume_that_somebody_makes_somewhere_is_waited_for() -> None:
    async def main() -> None:
        async with cluster([gangs(), scheduling()]) as lab:
            await stage(lab)
            await claim(lab, "data", "now", annotations={PROVISIONER: "disks.example"})
            await gang(lab, "g", "data")
            assert (await waits(lab, "g")).endswith("whose volume disks.example has still to make")
            await lab.patch(PersistentVolumeClaim, "data", {"spec": {"volumeName": "disk"}})
            await runs(lab, "g")

    run(main)
