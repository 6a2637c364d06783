"""Snapshots: built from rows, frozen, checked, and the same after a trip through JSON."""

import numpy as np
import pytest

from athanor.features.scheduling.core import rows as r
from athanor.features.scheduling.core.build import build
from athanor.features.scheduling.core.snapshot import UNSET, GangState, Snapshot
from athanor.features.scheduling.core.table import ShapeError

GPU = "nvidia.com/gpu"


def world() -> Snapshot:
    """Two racks, a queue tree, a running share of a GPU and two waiting gangs that ask alike."""
    share = r.ShapeRow(request=(("cpu", 1000),), kind=GPU, devices=1, milli=300)
    worker = r.ShapeRow(request=(("cpu", 4000),), kind=GPU, devices=2, models=("A100",))
    one = r.AskRow((r.PodSetRow("one", share),))
    many = r.AskRow((r.PodSetRow("worker", worker, 4, 2, required="rack"),), ("gpu",))
    gpus = tuple(r.DeviceRow(GPU, "A100", 81920) for _ in range(4))
    return build(
        r.Rows(
            pools=[r.PoolRow("gpu", ("block", "rack")), r.PoolRow("cpu")],
            nodes=[
                r.NodeRow(
                    f"n{i}", "gpu", {"cpu": 64000, "memory": 2**36}, devices=gpus,
                    domains={"block": "b", "rack": f"r{i % 2}"},
                )
                for i in range(3)
            ]
            + [r.NodeRow("c0", "cpu", {"cpu": 8000, "memory": 2**34}, foreign={"cpu": 250})],
            queues=[
                r.QueueRow("root", quotas={"gpu": r.QuotaRow(limit={GPU: 12000})}),
                r.QueueRow(
                    "team", "root", {"gpu": r.QuotaRow({GPU: 4000}), "cpu": r.QuotaRow()},
                    decayed={("gpu", GPU): 0.1 + 0.2}, decayed_at=5.5,
                ),
            ],
            gangs=[
                r.GangRow("a/one", "team", one, GangState.RUNNING, pool="gpu", started=1.25),
                r.GangRow("a/many", "team", many, created=2.0, user="ann"),
                r.GangRow("b/many", "team", many, created=3.0, user="bob"),
            ],
            running=[r.RunningRow("a/one", 0, "n1", devices=0b10)],
            reservations=[r.ReservationRow("spare", ("n2",), ("team",), 0.0)],
        )
    )  # fmt: skip


def test_rows_become_numbers() -> None:
    s = world()
    assert s.resources[:2] == (GPU, "cpu")
    gpu = s.resources.index(GPU)
    assert s.nodes.capacity[:, gpu].tolist() == [4000, 4000, 4000, 0]
    assert s.gangs.klass.tolist() == [0, 1, 1]
    assert s.pod_sets.least.tolist() == [1, 2]
    assert s.levels == ("block", "rack")
    assert s.nodes.domains.tolist() == [[0, 0, 0, UNSET], [0, 1, 0, UNSET]]
    assert s.queues.limit[0, 0, gpu] == 12000
    assert s.queues.deserved[1, 0, gpu] == UNSET
    assert s.queues.preference.tolist() == [[0, UNSET], [0, 1]]


def test_survives_json_bit_for_bit() -> None:
    s = world()
    again = Snapshot.from_json(s.to_json())
    assert again == s
    assert again.to_json() == s.to_json()
    assert np.isinf(again.reservations.end[0])
    assert np.isnan(again.gangs.estimate[0])


def test_nobody_can_write_it() -> None:
    s = world()
    with pytest.raises(ValueError, match="read-only"):
        s.nodes.capacity[0, 0] = 1
    with pytest.raises(AttributeError):
        s.nodes.capacity = s.nodes.foreign  # type: ignore[misc]


def test_refuses_what_does_not_fit_together() -> None:
    text = world().to_json()
    with pytest.raises(ShapeError, match="format"):
        Snapshot.from_json("{}")
    with pytest.raises(ShapeError, match="points beyond"):
        Snapshot.from_json(
            text.replace(
                '"parent":{"shape":[2],"data":[-1,0]', '"parent":{"shape":[2],"data":[-1,7]'
            )
        )
