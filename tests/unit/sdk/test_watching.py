"""Who is slower than the others, and what is said of a job that runs."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from athanor.api.core import Pod, PodStatus
from athanor.api.labels import POD_SET, PROGRESS, RANK
from athanor.api.meta import Condition, ObjectMeta
from athanor.api.scheduling import Progress
from athanor.api.training import Pace, TrainingJob, TrainingJobStatus
from athanor.sdk import watching


def pod(rank: int, **told: object) -> Pod:
    text = msgspec.json.encode(Progress(**told)).decode()  # type: ignore[arg-type]
    labels = {POD_SET: "worker", RANK: str(rank)}
    return Pod(metadata=ObjectMeta(name=f"p{rank}", labels=labels, annotations={PROGRESS: text}))


def test_a_rank_behind_its_peers_is_named_with_the_figures() -> None:
    pods = [pod(rank, step=100 + rank % 2) for rank in range(7)] + [pod(7, step=60)]
    (said,) = watching.stragglers(pods)
    assert said.startswith("worker-7 is slower than its peers: step 60")


def test_ranks_in_lockstep_are_told_apart_by_their_time() -> None:
    pods = [pod(r, step=9, metrics={"compute_seconds": 1 + r / 100}) for r in range(6)]
    pods.append(pod(6, step=9, metrics={"compute_seconds": 2.0}))
    assert [said.split()[0] for said in watching.stragglers(pods)] == ["worker-6"]
    assert not watching.stragglers(pods[:3])


@given(st.floats(0.1, 1e6), st.integers(4, 30))
def test_equals_are_never_odd(value: float, count: int) -> None:
    assert not watching.odd({str(n): value for n in range(count)})


def test_a_running_job_tells_its_speed_or_that_it_hangs() -> None:
    goes = TrainingJobStatus(
        phase="Running",
        pace=Pace(step=0, at="2026-01-01T00:00:00Z"),
        progress=Progress(step=50, total=100, updated_at="2026-01-01T00:00:50Z"),
    )
    (speed,) = watching.facts(TrainingJob(status=goes), [])
    assert speed == "1 step/s: about 50s are left, as of 2026-01-01T00:00:50Z"
    stalled = Condition(type="Stalled", status="True", message="no step")
    hangs = msgspec.structs.replace(goes, conditions=[stalled])
    (hang,) = watching.facts(TrainingJob(status=hangs), [])
    assert hang.startswith("it hangs, it seems: no step")


def test_a_rank_that_fell_silent_is_named_even_among_two() -> None:
    ranks = [
        pod(0, step=400, total=400, updated_at="2026-01-01T00:01:00Z"),
        pod(1, step=61, total=400, updated_at="2026-01-01T00:00:20Z"),
    ]
    pods = [msgspec.structs.replace(p, status=PodStatus(phase="Running")) for p in ranks]
    (said,) = watching.silent(pods, 10.0)
    assert said.startswith("worker-1 has told nothing since 2026-01-01T00:00:20Z (step 61)")
    assert watching.silent(pods, 0.1) == [], "steps may take that long"
    assert watching.silent(ranks, 10.0) == [], "ranks that have ended have nothing to tell"
