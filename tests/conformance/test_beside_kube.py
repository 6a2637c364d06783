"""Beside Kubernetes' own controllers at work: kube-controller-manager makes pods, which start as
gangs; kube-scheduler gives the same nodes away, and none is given away twice.
"""

from __future__ import annotations

import itertools
import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from athanor.kit import quantity
from tests.conformance import worlds
from tests.conformance.stories import places
from tests.conformance.stories.places import POOL
from tests.conformance.stories.teller import Teller, tell
from tests.conformance.stories.test_scheduling import running, scheduled, waits

PATIENT = 600.0
"""Seconds for what may wait for a node that was left alone for a minute or two."""
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def place() -> Iterator[places.Place]:
    """A cluster with a kube-scheduler."""
    if "kube" not in worlds.wanted():
        pytest.skip("world kube: not wanted, or `make kube` was not run")
    with (
        tempfile.TemporaryDirectory(prefix="beside-") as folder,
        places.beside_kube(Path(folder)) as made,
    ):
        yield made


@pytest.fixture
def story(place: places.Place) -> Iterator[Teller]:
    with ExitStack() as stack:
        name = f"beside-{next(_numbers)}"
        yield tell(place, name, place.shared / name, stack)


def template(cpu: str, meta: dict[str, Any], **spec: Any) -> dict[str, Any]:
    box = {"name": "main", "image": "busybox", "resources": {"requests": {"cpu": cpu}}}
    return {"metadata": meta, "spec": {"containers": [box], **spec}}


def job(name: str, team: str, pods: int, cpu: str) -> dict[str, Any]:
    made = template(cpu, {"labels": {"athanor.dev/queue": team}}, schedulerName="athanor",
                    restartPolicy="Never")  # fmt: skip
    spec = {"parallelism": pods, "completions": pods, "template": made}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec}


def deployment(name: str, pods: int, cpu: str, meta: dict[str, Any], **spec: Any) -> dict[str, Any]:
    labels = {"app": name, **meta.get("labels", {})}
    made = template(cpu, {**meta, "labels": labels}, **spec)
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {"replicas": pods, "selector": {"matchLabels": {"app": name}}, "template": made},
    }  # fmt: skip


def pods_of(story: Teller, selector: str) -> list[Any]:
    found: list[Any] = story.get("pods", "-l", selector)["items"]
    return found


def told(story: Teller, selector: str, count: int, message: str) -> None:
    """All pods are there, none has a node, and each says why."""

    def found() -> bool:
        names = [pod["metadata"]["name"] for pod in pods_of(story, selector)]
        said = [scheduled(story, name) for name in names]
        return len(said) == count and all(one and message in one["message"] for one in said)

    story.until(found)
    assert not any(pod["spec"].get("nodeName") for pod in pods_of(story, selector))


def sizes(story: Teller) -> list[int]:
    """How many pods each Gang has adopted."""
    adopts = [gang["spec"].get("adopts") or {} for gang in story.get("gangs")["items"]]
    return sorted(sum(map(len, sets.values())) for sets in adopts if sets)


def available(story: Teller, name: str) -> int:
    return int(story.status("deployment", name).get("availableReplicas", 0))


def test_a_job_of_kubernetes_starts_whole_and_ends(story: Teller) -> None:
    pool = story.nodes("a", cpu="4")
    team = story.queue("team", "--pool", pool)
    story.submit("before", "--queue", team, "--cpu", "2")
    running(story, "before")
    story.lives("trio", runs=3)
    story.apply(job("trio", team, 3, "1"))
    told(story, "job-name=trio", 3, "room for 2 of 3 pods")
    assert "room for 2 of 3 pods" in story.athanor("why", "trio")
    assert sizes(story) == [3]
    story.athanor("delete", "before", "--yes")
    story.until(lambda: story.status("job", "trio").get("succeeded") == 3)
    nodes = {pod["spec"]["nodeName"] for pod in pods_of(story, "job-name=trio")}
    assert nodes == {f"{story.namespace}-a"}
    assert sizes(story) == [3]


def test_pods_of_a_deployment_start_alone_or_where_they_say_so_together(story: Teller) -> None:
    pool = story.nodes("a", cpu="4")
    team = story.queue("team", "--pool", pool)
    queue = {"athanor.dev/queue": team}
    together = {"labels": {**queue, "athanor.dev/group": "web"},
                "annotations": {"athanor.dev/group-size": "2"}}  # fmt: skip
    story.apply(deployment("web", 2, "3", together, schedulerName="athanor"))
    told(story, "app=web", 2, "room for 1 of 2 pods")
    assert "room for 1 of 2 pods" in story.athanor("why", "web")
    assert sizes(story) == [2]
    story.nodes("b", cpu="4")
    story.until(lambda: available(story, "web") == 2)
    story.apply(deployment("alone", 3, "1", {"labels": queue}, schedulerName="athanor"))
    story.until(lambda: available(story, "alone") == 2)
    assert sizes(story) == [1, 1, 1, 2]


def test_replicas_that_come_together_are_spread_and_a_lost_one_holds_its_group_back(
    story: Teller,
) -> None:
    pool = story.nodes("a", cpu="4")
    for name in ("b", "c"):
        story.nodes(name, cpu="4")
    queue = {"athanor.dev/queue": story.queue("team", "--pool", pool)}
    rule = {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"app": "web"}}}  # fmt: skip
    story.apply(deployment("web", 6, "1", {"labels": queue}, schedulerName="athanor",
                           topologySpreadConstraints=[rule]))  # fmt: skip
    story.until(lambda: available(story, "web") == 6)
    nodes = Counter(pod["spec"]["nodeName"] for pod in pods_of(story, "app=web"))
    assert sorted(nodes.values()) == [2, 2, 2]
    together = {"labels": {**queue, "athanor.dev/group": "trio"},
                "annotations": {"athanor.dev/group-size": "3"}}  # fmt: skip
    story.apply(deployment("trio", 3, "3", together, schedulerName="athanor"))
    told(story, "app=trio", 3, "room for 0 of 3 pods")
    story.kubectl("scale", "deployment", "trio", "--replicas", "2")
    told(story, "app=trio", 2, "2 of the 3 pods of their group are there")
    story.kubectl("scale", "deployment", "web", "--replicas", "0")
    story.until(lambda: not pods_of(story, "app=web"))
    told(story, "app=trio", 2, "2 of the 3 pods of their group are there")
    story.kubectl("scale", "deployment", "trio", "--replicas", "3")
    story.until(lambda: available(story, "trio") == 3)


def test_the_successor_of_a_deleted_pod_gets_its_room(story: Teller) -> None:
    pool = story.nodes("a", cpu="4")
    queue = {"athanor.dev/queue": story.queue("team", "--pool", pool)}
    together = {"labels": {**queue, "athanor.dev/group": "web"}}
    story.apply(deployment("web", 2, "2", together, schedulerName="athanor"))
    story.until(lambda: available(story, "web") == 2)
    first = {pod["metadata"]["name"] for pod in pods_of(story, "app=web")}
    story.kubectl("delete", "pod", min(first), "--wait=false")
    story.until(
        lambda: (
            min(first) not in {pod["metadata"]["name"] for pod in pods_of(story, "app=web")}
            and available(story, "web") == 2
        )
    )
    assert not overcommitted(story, f"{story.namespace}-a")


def test_a_pod_with_a_claim_keeps_its_whole_group_waiting(story: Teller) -> None:
    if "resource.k8s.io/v1" not in story.place.kubectl("api-versions").split():
        pytest.skip("before 1.34 claims of pods are dropped, unless they are switched on")
    pool = story.nodes("a", cpu="4")
    meta = {"labels": {"athanor.dev/queue": story.queue("team", "--pool", pool),
                       "ray.io/cluster": "c"}}  # fmt: skip
    claims = [{"name": "gpu", "resourceClaimName": "none"}]
    for name, more in (("head", {}), ("worker", {"resourceClaims": claims})):
        made = template("1", {**meta, "name": name}, schedulerName="athanor", **more)
        story.apply({"apiVersion": "v1", "kind": "Pod", **made})
    told(story, "ray.io/cluster=c", 2, "spec.resourceClaims")


def overcommitted(story: Teller, *nodes: str) -> list[str]:
    """The nodes whose pods ask for more than there is."""
    found = []
    everything = json.loads(story.place.kubectl("get", "pods", "-A", "-o", "json"))["items"]
    for name in nodes:
        has = story.get("node", name)["status"]["allocatable"]["cpu"]
        asks = [
            quantity.milli(box["resources"]["requests"]["cpu"])
            for pod in everything if pod["spec"].get("nodeName") == name
            and pod["status"]["phase"] not in ("Succeeded", "Failed")
            for box in pod["spec"]["containers"]
        ]  # fmt: skip
        if sum(asks) > quantity.milli(has):
            found.append(f"{name}: {asks} of {has}")
    return found


def test_two_schedulers_share_nodes_and_give_none_away_twice(story: Teller) -> None:
    """Both are handed what fills two nodes exactly, at the same moment."""
    pool = story.nodes("a", "b", cpu="6")
    nodes = [f"{story.namespace}-{name}" for name in "ab"]
    story.athanor("pool", "set", pool, "--shared")
    team = story.queue("team", "--pool", pool)
    asks = ("--queue", team, "--cpu", "1", "--workers", "2", "--dry-run", "-o", "json")
    gangs = [json.loads(story.submit(f"gang-{i}", *asks)) for i in range(3)]
    plain = deployment("plain", 6, "1", {}, nodeSelector={POOL: pool})
    story.apply(*gangs[:2], plain, *gangs[2:])
    for made in gangs:
        story.reaches("trainingjob", made["metadata"]["name"], "Running", PATIENT)
    story.until(lambda: available(story, "plain") == 6, PATIENT)
    assert overcommitted(story, *nodes) == []
    last = json.loads(story.submit("last", *asks))
    story.apply(last, deployment("more", 1, "1", {}, nodeSelector={POOL: pool}))
    assert "room for 0 of 2 pods" in waits(story, "last", "NoCapacity")
    story.until(lambda: any(scheduled(story, pod["metadata"]["name"])
                            for pod in pods_of(story, "app=more")))  # fmt: skip
    assert available(story, "more") == 0
    assert overcommitted(story, *nodes) == []
    story.kubectl("scale", "deployment", "plain", "--replicas=3")
    story.reaches("trainingjob", "last", "Running", PATIENT)
    story.until(lambda: available(story, "more") == 1, PATIENT)
    assert overcommitted(story, *nodes) == []
