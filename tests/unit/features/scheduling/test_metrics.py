"""The scheduler's metrics, as Prometheus reads them."""

import itertools

from athanor.api.core import Node
from athanor.api.meta import JSON
from athanor.api.registry import of
from athanor.api.scheduling import Gang, Queue
from athanor.features.scheduling.matters import KEY
from athanor.features.scheduling.metrics import Meters
from athanor.features.scheduling.observe import Observer
from athanor.features.scheduling.plan import Planner
from athanor.kit.times import rfc3339
from tests.properties.situations import NOW, caches_of
from tests.unit.features.scheduling.test_near import GPU, World


def test_every_phase_is_timed_and_decisions_and_queues_are_counted() -> None:
    world = World()
    ticks = itertools.count()
    planner = Planner(meters=Meters(lambda: float(next(ticks))))
    for cores in (3, 30):
        world.gang(cores, {})
        seen = Observer()(caches_of(world.objects), KEY)
        assert seen is not None
        planner(seen, NOW)
    text = planner.meters.registry().text().decode()
    for phase in ("quota", "repair", "order", "start", "preempt", "backfill", "grow", "why",
                  "check"):  # fmt: skip
        assert f'athanor_scheduling_phase_seconds_count{{phase="{phase}"}}' in text
    assert "athanor_scheduling_cycles_total 2" in text
    assert "athanor_scheduling_cycle_seconds_count 2" in text
    assert 'athanor_scheduling_decisions_total{decision="admitted"} 1' in text
    assert 'athanor_gangs_waiting{queue="q"} 1' in text
    assert 'athanor_gangs_waiting_by_reason{reason="NeverFits"} 1' in text


def told(planner: Planner) -> set[str]:
    """The samples of a scheduler, with amounts of cores and GPUs only."""
    lines = planner.meters.registry().text().decode().splitlines()
    return {one for one in lines if 'resource="memory"' not in one and 'resource="pods"' not in one}


def test_pools_and_queues_are_told_in_cores_and_devices_as_people_count_them() -> None:
    world = World(more={GPU: "2"})
    lost: JSON = {"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}, "spec": {}}
    lost["status"]["allocatable"] = {"cpu": "4", "memory": "8Gi", "pods": "20", GPU: "2"}
    world.put(Node, "n2", **lost)
    size = lost["status"] | {"conditions": []}
    world.put(Node, "n3", spec={"unschedulable": True}, status=size)
    quota = {"pool": "default", "guaranteed": {GPU: "1"}, "limit": {GPU: "6", "cpu": "0"}}
    world.put(Queue, "q", spec={"pools": [quota]})
    planner = Planner()
    world.pod("other", "n0", {"containers": [{"name": "c", "resources": {
        "requests": {"cpu": "500m", GPU: "1"}, "limits": {GPU: "1"}}}]})  # fmt: skip
    world.gang(1, {}, {"count": 1})
    seen = Observer()(caches_of(world.objects), KEY)
    assert seen is not None
    planner(seen, NOW)
    text = told(planner)
    assert text >= {
        f'athanor_pool_capacity{{pool="default",resource="{GPU}"}} 8',
        'athanor_pool_capacity{pool="default",resource="cpu"} 16',
        f'athanor_pool_free{{pool="default",resource="{GPU}"}} 7',
        'athanor_pool_free{pool="default",resource="cpu"} 15.5',
        'athanor_pool_nodes{pool="default",state="Ready"} 2',
        'athanor_pool_nodes{pool="default",state="Cordoned"} 1',
        'athanor_pool_nodes{pool="default",state="NotReady"} 1',
        f'athanor_queue_quota{{queue="q",pool="default",resource="{GPU}",right="guaranteed"}} 1',
        f'athanor_queue_quota{{queue="q",pool="default",resource="{GPU}",right="deserved"}} 1',
        f'athanor_queue_quota{{queue="q",pool="default",resource="{GPU}",right="limit"}} 6',
        'athanor_queue_quota{queue="q",pool="default",resource="cpu",right="limit"} 0',
    }
    planner.meters.resign()
    left = {one.split("{")[0] for one in told(planner) if not one.startswith("#")}
    assert not {one for one in left if one.startswith(("athanor_pool", "athanor_queue"))}


def test_the_longest_wait_is_without_the_time_that_a_gang_ran() -> None:
    world = World()
    world.gang(30, {})
    gang = world.objects[of(Gang).name, "default", "g"]
    gang["metadata"]["creationTimestamp"] = rfc3339(NOW - 5000)
    gang["status"] |= {"ranSeconds": 4000}
    planner = Planner()
    seen = Observer()(caches_of(world.objects), KEY)
    assert seen is not None
    planner(seen, NOW)
    assert 'athanor_gangs_longest_wait_seconds{queue="q",reason="NeverFits"} 1000' in told(planner)
