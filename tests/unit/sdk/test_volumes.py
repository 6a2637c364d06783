"""Claims that keep pods from starting are told of, with the ways out."""

from __future__ import annotations

import pytest

from athanor.api.core import Event, PersistentVolumeClaim, StorageClass
from athanor.api.meta import JSON, ObjectMeta
from athanor.api.training import TrainingJob
from athanor.assembly.controllers import all_controllers
from athanor.sdk.volumes import DEFAULT, judge
from athanor.testing import lab, virtual
from athanor.testing.nodes import Life
from tests.unit.sdk.test_happenings import told
from tests.unit.sdk.test_jobs import asked, ready

NFS = StorageClass(metadata=ObjectMeta(name="nfs"), provisioner="nfs.example")
HAND = StorageClass(metadata=ObjectMeta(name="disks"), provisioner="kubernetes.io/no-provisioner")
FIRST = StorageClass(
    metadata=ObjectMeta(name="first", annotations={DEFAULT: "true"}), provisioner="x.example"
)


@pytest.mark.parametrize(
    ("spec", "classes", "said", "way"),
    [
        ({}, [], "names no StorageClass, and the cluster has none", "install a provisioner"),
        ({}, [NFS], "none is the default: there are nfs", "for it: kubectl patch pvc c -n ml"),
        ({}, [NFS], "none is the default: there are nfs", "annotate storageclass NAME"),
        ({}, [NFS, FIRST], "has not got the default StorageClass yet", "docs/cluster.md"),
        ({}, None, "claim c (no StorageClass) has no volume yet", "ask who runs the cluster"),
        ({"storageClassName": "x"}, [NFS], "StorageClass x, which there is not: there are nfs",
         "make StorageClass x"),
        ({"storageClassName": "x"}, [], "which there is not: there is none at all", "make"),
        ({"storageClassName": "disks"}, [HAND], "no free volume of StorageClass disks fits it",
         "docs/cluster.md"),
        ({"storageClassName": ""}, [NFS], "wants no StorageClass", "make a PersistentVolume"),
    ],
)  # fmt: skip
def test_what_a_claim_lacks(
    spec: JSON, classes: list[StorageClass] | None, said: str, way: str
) -> None:
    claim = PersistentVolumeClaim(metadata=ObjectMeta(name="c", namespace="ml"), spec=spec)
    fact, ways = judge(claim, classes)
    assert said in fact
    assert any(way in one for one in ways)


def test_a_provisioner_is_waited_for() -> None:
    claim = PersistentVolumeClaim(
        metadata=ObjectMeta(name="c"), spec={"storageClassName": "nfs"}
    )  # fmt: skip
    assert judge(claim, [NFS]) == (
        "claim c: nfs.example (StorageClass nfs) has made no volume yet", []
    )  # fmt: skip


def test_why_names_the_claim_that_a_job_waits_for() -> None:
    async def main() -> None:
        async with lab.cluster(all_controllers(), script=lambda _: Life(starts=900)) as world:
            client = await ready(world)
            spec = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}
            meta = {"name": "data", "namespace": "default"}
            await world.create({"metadata": meta, "spec": spec}, PersistentVolumeClaim)
            data = await world.get(PersistentVolumeClaim, "data")
            await client.submit(asked("a", data=["data:/data", "lost:/lost"]))
            await world.until(TrainingJob, "a", lambda job: job.status.reason == "ClaimNotReady")
            late = told("PersistentVolumeClaim", "data", data.metadata.uid,
                        "2026-01-01T00:00:00Z", "ProvisioningFailed")  # fmt: skip
            await world.create({**late, "type": "Warning"}, Event)
            said = await client.why("a")
            assert said.headline == "its pods wait for the volume of claims data, lost"
            assert said.facts[0] == "claim data names no StorageClass, and the cluster has none"
            assert "ProvisioningFailed: ProvisioningFailed" in said.facts
            assert "there is no claim lost in namespace default" in said.facts
            bound = {"status": {"phase": "Bound"}}
            await world.patch(PersistentVolumeClaim, "data", bound, subresource="status")
            assert (await client.why("a")).headline.endswith("of claim lost")
            lost = {"name": "lost", "namespace": "default"}
            await world.create({"metadata": lost, "spec": spec}, PersistentVolumeClaim)
            await world.until(TrainingJob, "a", lambda job: job.status.phase == "Starting")
            said = await client.why("a")  # nobody was told to make its volume: its kubelet waits
            assert said.facts[0] == "claim lost names no StorageClass, and the cluster has none"

    virtual.run(main)
