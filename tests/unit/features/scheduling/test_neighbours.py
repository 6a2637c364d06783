"""Gangs see the pods of others that are decided on and not there yet."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from athanor.api.meta import JSON
from athanor.api.placement import unpack
from athanor.api.scheduling import Gang, Pool, Queue
from athanor.features.scheduling.apply import controller as scheduling
from athanor.runtime.manager import Manager
from athanor.testing.lab import Lab, cluster
from athanor.testing.virtual import run

HOST = "kubernetes.io/hostname"
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def term(app: str) -> JSON:
    return {"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": HOST}


def spread(when: str, skew: int = 1) -> JSON:
    one = {**term("web"), "maxSkew": skew, "whenUnsatisfiable": when}
    return {"topologySpreadConstraints": [one]}


def affinity(kind: str, app: str) -> JSON:
    return {"affinity": {kind: {REQUIRED: [term(app)]}}}


def gang(name: str, app: str, spec: JSON) -> JSON:
    box = {"name": "main", "image": "host", "resources": {"requests": {"cpu": "1"}}}
    template = {"metadata": {"labels": {"app": app}}, "spec": {"containers": [box], **spec}}
    sets = [{"name": "worker", "count": 1, "template": template}]
    return {"metadata": {"name": name, "namespace": "default"}, "spec": {"podSets": sets}}


async def where(lab: Lab, *names: str) -> list[str]:
    """The nodes that gangs are given."""
    found = []
    for name in names:
        told = await lab.until(Gang, name, lambda g: g.status.admission is not None, within=60)
        assert told.status.admission is not None
        found += unpack(told.status.admission.placements[0].nodes)
    return found


async def at_once(lab: Lab, *made: JSON) -> list[str]:
    """The nodes of gangs that the scheduler sees for the first time together; nobody makes their
    pods."""
    await lab.create({"metadata": {"name": "default"}, "spec": {"exclusive": False}}, Pool)
    pools: JSON = {"pools": [{"pool": "default"}]}
    await lab.create({"metadata": {"name": "default"}, "spec": pools}, Queue)
    for one in made:
        await lab.create(one, Gang)
    manager = Manager(lab.connect(), [scheduling()], lab.clock, lab.dice.random)
    late = asyncio.ensure_future(manager.run())
    try:
        return await where(lab, *(one["metadata"]["name"] for one in made))
    finally:
        late.cancel()
        await asyncio.gather(late, return_exceptions=True)


LIKES_NONE = {
    "affinity": {"podAntiAffinity": {PREFERRED: [{"weight": 9, "podAffinityTerm": term("web")}]}}
}


@pytest.mark.parametrize(
    ("spec", "replicas"),
    [(spread("DoNotSchedule"), 5), (spread("ScheduleAnyway"), 5), (LIKES_NONE, 3),
     (affinity("podAntiAffinity", "web"), 3)],
    ids=["spread", "rather spread", "rather apart", "apart"],
)  # fmt: skip
def test_replicas_that_come_together_go_apart(spec: JSON, replicas: int) -> None:
    async def main() -> None:
        async with cluster([], nodes=3) as lab:
            made = [gang(f"web-{i}", "web", spec) for i in range(replicas)]
            counts = Counter(await at_once(lab, *made)).values()
            assert len(counts) == 3 and max(counts) - min(counts) <= 1

    run(main)


def test_who_keeps_apart_from_himself_keeps_nobody_else_away() -> None:
    """All ask alike, and are told apart by their labels alone."""

    async def main() -> None:
        async with cluster([], nodes=3) as lab:
            made = [gang(app, app, affinity("podAntiAffinity", app)) for app in ("a", "b", "c")]
            for one in made:
                one["spec"]["podSets"][0]["count"] = 3
            nodes = await at_once(lab, *made)
            assert [len(set(nodes[i : i + 3])) for i in (0, 3, 6)] == [3, 3, 3]

    run(main)


def test_two_that_keep_each_other_away_do_not_start_side_by_side() -> None:
    async def main() -> None:
        async with cluster([], nodes=2) as lab:
            shy = gang("shy", "shy", affinity("podAntiAffinity", "web"))
            nodes = await at_once(lab, gang("web", "web", {}), shy, gang("other", "other", {}))
            assert nodes[0] != nodes[1]

    run(main)


def test_the_first_of_many_that_like_each_other_says_where() -> None:
    async def main() -> None:
        near = affinity("podAffinity", "web")
        async with cluster([], nodes=4) as lab:
            away = gang("away", "away", affinity("podAntiAffinity", "web"))
            made = [gang(f"web-{i}", "web", near) for i in range(4)]
            nodes = await at_once(lab, made[0], away, *made[1:])
            assert len({nodes[0], *nodes[2:]}) == 1 and nodes[1] != nodes[0]

    run(main)


def test_places_count_before_their_pods_are_there() -> None:
    async def main() -> None:
        async with cluster([scheduling()], nodes=2) as lab:
            await lab.create({"metadata": {"name": "default"}, "spec": {"exclusive": False}}, Pool)
            pools: JSON = {"pools": [{"pool": "default"}]}
            await lab.create({"metadata": {"name": "default"}, "spec": pools}, Queue)
            await lab.create(gang("first", "web", affinity("podAntiAffinity", "db")), Gang)
            before = await where(lab, "first")
            await asyncio.sleep(60)
            await lab.create(gang("second", "db", {}), Gang)
            assert await where(lab, "second") != before

    run(main)
