"""What the simulator is told of a cluster is what its scheduler knows."""

import msgspec

from athanor.api.core import (
    ConfigMap,
    LimitRange,
    PersistentVolumeClaim,
    ResourceQuota,
    StorageClass,
)
from athanor.api.registry import of
from athanor.features.scheduling.matters import KEY
from athanor.features.scheduling.observe import WATCHED, Observer
from athanor.features.scheduling.scenario import KINDS, observed
from tests.properties.situations import caches_of
from tests.unit.features.scheduling.test_given import Disks


def test_what_is_left_aside() -> None:
    """What namespaces allow, and (`replay` asks for it itself) what was."""
    assert set(WATCHED) - set(KINDS) == {ResourceQuota, LimitRange, ConfigMap}


def test_claims_that_wait_for_their_consumer_lead_there_too() -> None:
    world = Disks()
    zones = [{"matchLabelExpressions": [{"key": "zone", "values": ["b"]}]}]
    world.put(StorageClass, "made", provisioner="disks.example", allowedTopologies=zones,
              volumeBindingMode="WaitForFirstConsumer")  # fmt: skip
    world.put(PersistentVolumeClaim, "made", "default", spec={"storageClassName": "made"})
    made = {"name": "made", "persistentVolumeClaim": {"claimName": "made"}}
    world.volume("disk", "n3")
    world.gang_of("g", 1, {"volumes": [made]}, {"volumes": [world.claim("data")]})
    said = observed({
        kind: [msgspec.convert(one, kind) for key, one in world.objects.items()
               if key[0] == of(kind).name]
        for kind in KINDS
    })  # fmt: skip
    live = Observer()(caches_of(world.objects), KEY)
    assert live is not None
    assert (said.snapshot.shapes.barred == live.snapshot.shapes.barred).all()
    assert said.snapshot.shapes.barred.any()
