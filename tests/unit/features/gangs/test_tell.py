"""What is told of the runs that evictions ended stays small however many there were."""

from __future__ import annotations

import msgspec

from athanor.api.scheduling import Admission, GangStatus
from athanor.features.gangs import tell
from athanor.kit.times import rfc3339


def test_of_many_runs_the_first_and_the_last_are_told() -> None:
    status = GangStatus()
    for i in range(20):
        admission = Admission(queue="q", pool="p", placements=[], admitted_at=rfc3339(100.0 * i))
        held = msgspec.structs.replace(status, admission=admission, reason="Preempted")
        status = msgspec.structs.replace(held, runs=tell.past_runs(held, 100.0 * i + 50.0))
    begun = [run.admitted_at for run in status.runs]
    assert begun == [rfc3339(100.0 * i) for i in (0, *range(13, 20))]
