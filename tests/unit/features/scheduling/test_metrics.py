"""The scheduler's metrics, as Prometheus reads them."""

import itertools

from athanor.features.scheduling.matters import KEY
from athanor.features.scheduling.metrics import Meters
from athanor.features.scheduling.observe import Observer
from athanor.features.scheduling.plan import Planner
from tests.properties.situations import NOW, caches_of
from tests.unit.features.scheduling.test_near import World


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
    assert 'athanor_scheduling_decisions_total{decision="admitted"} 1' in text
    assert 'athanor_gangs_waiting{queue="q"} 1' in text
    assert 'athanor_gangs_waiting_by_reason{reason="NeverFits"} 1' in text
