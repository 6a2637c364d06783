"""Gangs that have to leave: checkpoints, grace, budgets, and ranks whose room others need."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from athanor.api import labels
from athanor.api.core import Pod
from athanor.api.registry import of
from athanor.api.scheduling import Gang
from athanor.client.inproc import Handle
from athanor.features.gangs.apply import controller
from athanor.features.gangs.evict import evicting
from athanor.kit.times import parse_rfc3339, rfc3339
from athanor.runtime.manager import Manager
from athanor.runtime.plan import Evict
from athanor.testing import lab, virtual
from athanor.testing.nodes import Life
from athanor.wire import calls
from athanor.wire.request import Answer, Request, Response
from athanor.wire.status import ApiError
from tests.unit.features.gangs.bed import admit, gang, live, phase


def test_an_eviction_without_checkpoints_gives_the_admission_back_when_pods_are_gone() -> None:
    async def main(bed: lab.Lab) -> None:
        await bed.until(Gang, "g", phase("Running"))
        evict = {"deadline": "2027-01-15T09:00:00Z", "reason": "Preempted", "message": "by h"}
        body = {"status": {"admission": {"evict": evict}}}
        await bed.patch(Gang, "g", body, subresource="status")
        leaving = await bed.until(Gang, "g", phase("Evicting"))
        assert leaving.status.admission is not None
        found = await bed.until(Gang, "g", phase("Pending"))
        assert found.status.admission is None
        assert (found.status.evictions, found.status.reason) == (1, "Preempted")
        (run,) = found.status.runs
        assert run.reason == "Preempted"
        assert run.admitted_at == leaving.status.started_at != run.ended_at
        assert not await bed.list(Pod, "default")
        await admit(bed, "node-1", "node-1")
        await bed.until(Gang, "g", phase("Running"))
        pods = await bed.list(Pod, "default")
        assert {p.spec.node_name for p in pods} == {"node-1"}
        assert {p.metadata.labels[labels.ATTEMPT] for p in pods} == {"1"}

    live(main, lambda _: Life(goes=3))


BUDGET = "Cannot evict pod as it would violate the pod's disruption budget."
TWO = "This pod has more than one PodDisruptionBudget, which eviction does not support."


def budgeted(refusal: Response, deadline: float) -> tuple[float, list[str]]:
    """After how long a gang had to go that makes room, and who was asked to.

    Budgets are Kubernetes' own; here the server's handle stands in for one that refuses.
    """
    asked: list[str] = []
    took: list[float] = []

    async def main() -> None:
        async with lab.cluster([], nodes=2) as bed:

            def guarded(handle: Handle) -> Handle:
                async def answer(request: Request) -> Answer:
                    if request.path.endswith("/eviction"):
                        asked.append(request.path)
                        return refusal
                    return await handle(request)

                return answer

            client = bed.connect(guarded)
            manager = Manager(client, [controller()], bed.clock, bed.dice.random)
            work = asyncio.ensure_future(manager.run())
            await bed.create(gang(), Gang)
            await admit(bed, "node-0", "node-1")
            await bed.until(Gang, "g", phase("Running"))
            began = bed.clock.monotonic()
            until = rfc3339(bed.clock.now() + deadline)
            body = {"status": {"admission": {"evict": {"deadline": until, "reason": "Preempted"}}}}
            await bed.patch(Gang, "g", body, subresource="status")
            await bed.until(Gang, "g", phase("Pending"), within=4 * deadline)
            took.append(bed.clock.monotonic() - began)
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    virtual.run(main)
    return took[0], asked


def test_a_budget_is_heard_until_the_deadline_of_who_makes_room() -> None:
    refusal = ApiError("TooManyRequests", BUDGET).response()
    took, asked = budgeted(refusal, 30.0)
    assert 28 < took < 34
    assert 10 <= len(asked) <= 16, "every few seconds, each of both pods"


def test_two_budgets_of_one_pod_keep_nobody_for_good() -> None:
    """Kubernetes answers that with a 500 that has no reason."""
    said = {"kind": "Status", "status": "Failure", "message": TWO, "code": 500}
    refusal = Response(status=500, body=msgspec.json.encode(said))
    took, _ = budgeted(refusal, 30.0)
    assert took < 60


@pytest.mark.parametrize(("there", "insists"), [((0, 1), False), ((1,), True)])
def test_when_a_pod_has_gone_no_budget_keeps_the_others(
    there: tuple[int, ...], insists: bool
) -> None:
    """Also when nobody saw it go: the controllers may have begun since."""
    placement = {"podSet": "worker", "count": 2, "nodes": [{"prefix": "node-0", "each": 2}]}
    evict = {"deadline": "2027-01-15T08:10:00Z", "reason": "Preempted"}
    admission = {"queue": "q", "pool": "p", "placements": [placement], "evict": evict}
    told = gang() | {"status": {"phase": "Evicting", "admission": admission}}
    pods = [{"metadata": {"name": f"g-worker-{i}"}, "status": {"phase": "Running"}} for i in there]
    now = parse_rfc3339("2027-01-15T08:00:00Z")
    found = evicting(msgspec.convert(told, Gang), msgspec.convert(pods, list[Pod]), False, now)
    assert [one.insists for one in found if isinstance(one, Evict)] == [insists] * len(there)


def test_an_eviction_asks_for_checkpoints_and_waits_until_the_deadline() -> None:
    async def main(bed: lab.Lab) -> None:
        await bed.until(Gang, "g", phase("Running"))
        await bed.patch(Gang, "g", {"spec": {"suspend": True}})
        await bed.until(Gang, "g", phase("Evicting"))
        await asyncio.sleep(1)
        asked = await bed.get(Pod, "g-worker-0")
        assert labels.CHECKPOINT_REQUESTED in asked.metadata.annotations
        began = bed.clock.monotonic()
        await bed.until(Gang, "g", phase("Suspended"))
        assert 28 < bed.clock.monotonic() - began < 34
        await bed.patch(Gang, "g", {"spec": {"suspend": False}})
        await bed.until(Gang, "g", phase("Pending"))

    live(main, checkpoint={"enabled": True, "graceSeconds": 30})


@pytest.mark.parametrize("code", [0, 143])
def test_programs_that_leave_in_good_order_are_not_done(code: int) -> None:
    async def main(bed: lab.Lab) -> None:
        await bed.until(Gang, "g", phase("Running"))
        await bed.patch(Gang, "g", {"spec": {"suspend": True}})
        await bed.until(Gang, "g", phase("Suspended"))
        await bed.patch(Gang, "g", {"spec": {"suspend": False}})
        await bed.until(Gang, "g", phase("Pending"))
        await admit(bed, "node-0", "node-1")
        await bed.until(Gang, "g", phase("Running"))
        await bed.client(calls.delete(of(Pod), "g-worker-1", "default"))  # somebody drains its node
        found = await bed.until(Gang, "g", phase("Pending"))
        assert found.status.evictions == 2

    live(main, lambda _: Life(goes=2, leaves=code))


def test_an_eviction_goes_on_as_soon_as_all_have_saved() -> None:
    saved = '{"step": 5, "lastCheckpointStep": %d, "lastCheckpointTime": "%s"}'

    async def main(bed: lab.Lab) -> None:
        await bed.until(Gang, "g", phase("Running"))
        await bed.patch(Gang, "g", {"spec": {"suspend": True}})
        await bed.until(Gang, "g", phase("Evicting"))
        await asyncio.sleep(2)
        told = {labels.PROGRESS: saved % (5, "2027-01-15T08:30:00Z")}
        began = bed.clock.monotonic()
        await bed.patch(Pod, "g-worker-0", {"metadata": {"annotations": told}})
        found = await bed.until(Gang, "g", phase("Suspended"))
        assert bed.clock.monotonic() - began < 5
        assert found.status.progress is not None
        assert found.status.progress.last_checkpoint_step == 5

    live(main, checkpoint={"enabled": True, "graceSeconds": 600})


def test_a_rank_that_listens_is_asked_though_the_gang_says_nothing_of_checkpoints() -> None:
    async def main(bed: lab.Lab) -> None:
        await bed.until(Gang, "g", phase("Running"))
        told = {labels.PROGRESS: '{"step": 5, "listens": true}'}
        await bed.patch(Pod, "g-worker-1", {"metadata": {"annotations": told}})
        await bed.patch(Gang, "g", {"spec": {"suspend": True}})
        await bed.until(Gang, "g", phase("Evicting"))
        await asyncio.sleep(1)
        asked = await bed.get(Pod, "g-worker-1")
        assert labels.CHECKPOINT_BY in asked.metadata.annotations
        began = bed.clock.monotonic()
        await bed.until(Gang, "g", phase("Suspended"))
        assert 28 < bed.clock.monotonic() - began < 34

    live(main)


@pytest.mark.parametrize("saves", [True, False])
def test_a_rank_that_others_need_the_room_of_is_asked_too(saves: bool) -> None:
    async def main(bed: lab.Lab) -> None:
        await bed.until(Gang, "g", phase("Running"))
        told = '{"step": 5, "listens": true%s}'
        await bed.patch(
            Pod, "g-worker-1", {"metadata": {"annotations": {labels.PROGRESS: told % ""}}}
        )
        began = bed.clock.monotonic()
        shrink = {"counts": {"worker": 1}, "deadline": rfc3339(bed.clock.now() + 20),
                  "reason": "Reclaimed", "message": "others need it"}  # fmt: skip
        body = {"status": {"admission": {"shrink": shrink}}}
        await bed.patch(Gang, "g", body, subresource="status")
        asked = await bed.until(
            Pod, "g-worker-1", lambda pod: labels.CHECKPOINT_BY in pod.metadata.annotations
        )
        assert asked.metadata.annotations[labels.CHECKPOINT_BY] == shrink["deadline"]
        await asyncio.sleep(5)
        if saves:
            saved = told % f', "lastCheckpointTime": "{rfc3339(bed.clock.now())}"'
            note = {"metadata": {"annotations": {labels.PROGRESS: saved}}}
            await bed.patch(Pod, "g-worker-1", note)
        found = await bed.until(
            Gang, "g", lambda g: g.status.admission is not None and not g.status.admission.shrink
        )
        assert (bed.clock.monotonic() - began < 10) == saves
        assert found.status.phase == "Running" and found.status.admission is not None
        assert [one.count for one in found.status.admission.placements] == [1]
        stayed = await bed.get(Pod, "g-worker-0")
        assert labels.CHECKPOINT_BY not in stayed.metadata.annotations

    live(main, restart="Rank", resize="Live")


def test_a_rank_that_makes_room_is_waited_for_though_all_others_are_done() -> None:
    """Nothing of a finished gang runs: whoever still saves its work keeps the gang from its end."""

    def script(pod: Pod) -> Life:
        return Life(runs=10) if pod.metadata.labels[labels.RANK] == "0" else Life()

    async def main(bed: lab.Lab) -> None:
        await bed.until(Gang, "g", phase("Running"))
        told = {"metadata": {"annotations": {labels.PROGRESS: '{"step": 5, "listens": true}'}}}
        await bed.patch(Pod, "g-worker-1", told)
        shrink = {"counts": {"worker": 1}, "deadline": rfc3339(bed.clock.now() + 20),
                  "reason": "Reclaimed", "message": "others need it"}  # fmt: skip
        body = {"status": {"admission": {"shrink": shrink}}}
        await bed.patch(Gang, "g", body, subresource="status")
        await bed.until(Pod, "g-worker-0", lambda pod: pod.status.phase == "Succeeded")
        await asyncio.sleep(5)
        assert (await bed.get(Gang, "g")).status.phase == "Running"
        await bed.until(Gang, "g", phase("Succeeded"))
        assert [p.metadata.name for p in await bed.list(Pod, "default")] == ["g-worker-0"]

    live(main, script, restart="Rank", resize="Live")
