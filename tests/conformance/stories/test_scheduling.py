"""Queues, quota, placement and preemption, on simulated nodes of each story's own."""

from __future__ import annotations

import json
import os
import time
from typing import Any

import pytest

from tests.conformance.stories.teller import Teller

ONE = ("--cpu", "1")


def running(story: Teller, *names: str) -> None:
    for name in names:
        story.reaches("trainingjob", name, "Running")


def waits(story: Teller, name: str, reason: str) -> str:
    """Wait until the gang waits for this; the message."""

    def found() -> str | None:
        said = story.status("gang", name).get("reasons") or [{}]
        return str(said[0].get("message")) if said[0].get("code") == reason else None

    return str(story.until(found))


def knows_users(story: Teller) -> bool:
    """Whether it is written down who submits: Kubernetes does so from 1.36 on."""
    return story.place.name == "laptop" or "ATHANOR_KUBE" not in os.environ


def scheduled(story: Teller, pod: str) -> Any:
    """The pod's condition of that name, when it has one."""
    conditions = story.status("pod", pod).get("conditions") or []
    return next((c for c in conditions if c["type"] == "PodScheduled"), None)


def test_a_gang_starts_whole_or_not_at_all(story: Teller) -> None:
    pool = story.nodes("a", cpu="4")
    team = story.queue("team", "--pool", pool)
    story.lives("first", runs=8)
    story.submit("first", "--queue", team, "--cpu", "3")
    running(story, "first")
    story.submit("four", "--queue", team, "--workers", "4", *ONE)
    said = waits(story, "four", "NoCapacity")
    assert "room for 1 of 4 pods on 1 node of pool" in said
    assert story.placed("four") == [], "no part of it is there"
    running(story, "four")
    assert story.placed("four") == ["a"] * 4


def test_a_queue_has_a_limit_and_why_says_whose(story: Teller) -> None:
    pool = story.nodes("a")
    team = story.queue("team", "--pool", pool, "--limit", "cpu=2")
    story.lives("one", runs=6)
    story.submit("one", "--queue", team, "--cpu", "2")
    running(story, "one")
    story.submit("two", "--queue", team, "--cpu", "2")
    assert f"queue {team} uses 2 cpu of its limit of 2 cpu" in waits(story, "two", "QueueLimit")
    said = story.why("two")
    assert "(QueueLimit)" in said and f"place 1 of 1 in the line of queue {team}" in said
    assert "it will probably start in" in said
    story.athanor("wait", "one", "two", "--for", "running", "--timeout", "3m", fails=None)
    running(story, "two")


def test_borrow_and_reclaim(story: Teller) -> None:
    pool = story.nodes("a")
    mine = story.queue("mine", "--pool", pool, "--guaranteed", "cpu=4")
    theirs = story.queue("theirs", "--pool", pool, "--guaranteed", "cpu=4")
    for name in ("t1", "t2"):
        story.submit(name, "--queue", theirs, "--cpu", "4")
        running(story, name)
    story.submit("m", "--queue", mine, "--cpu", "4")
    running(story, "m", "t1")
    gone = story.status("trainingjob", "t2")
    assert gone["phase"] == "Queued", "the youngest of what was lent goes"
    assert "makes room for" in story.kubectl("get", "events") + story.why("t2")
    story.athanor("delete", "m", "--yes")
    running(story, "t2")


def test_the_higher_priority_goes_first_and_pushes_out(story: Teller) -> None:
    pool = story.nodes("a", cpu="2")
    team = story.queue("team", "--pool", pool)
    story.submit("low", "--queue", team, "--cpu", "2", "--priority", "low")
    running(story, "low")
    story.submit("next", "--queue", team, "--cpu", "2", "--priority", "low")
    story.lives("vip", runs=2)
    story.submit("vip", "--queue", team, "--cpu", "2", "--priority", "high")
    story.reaches("trainingjob", "vip", "Succeeded")
    running(story, "low")
    assert story.phase("trainingjob", "next") == "Queued", "who was pushed out comes first again"
    story.athanor("prioritize", "next", "urgent")
    running(story, "next")


def test_a_budget_holds_who_is_preempted_for_as_long_as_it_may(story: Teller) -> None:
    if story.place.name == "laptop":
        pytest.skip("PodDisruptionBudgets are not served on a laptop: a listed refusal")
    pool = story.nodes("a", cpu="2")
    team = story.queue("team", "--pool", pool)
    story.submit("low", "--queue", team, "--cpu", "2", "--priority", "low")
    running(story, "low")
    story.kubectl("create", "pdb", "keep", "--selector=athanor.dev/job=low", "--min-available=1")
    story.until(lambda: story.status("pdb", "keep").get("observedGeneration"))
    story.submit("vip", "--queue", team, "--cpu", "2", "--priority", "high")
    story.until(lambda: story.status("gang", "low").get("phase") == "Evicting")
    time.sleep(10)
    pod = story.get("pods", "-l", "athanor.dev/job=low")["items"][0]
    assert "deletionTimestamp" not in pod["metadata"], "the budget is heard"
    running(story, "vip")  # half a minute later it is overruled, as by kube-scheduler


def test_an_elastic_gang_shrinks_before_anybody_is_pushed_out(story: Teller) -> None:
    pool = story.nodes("a", cpu="6")
    team = story.queue("team", "--pool", pool)
    story.submit("stretch", "--queue", team, *ONE, "--workers", "6", "--elastic", "2:6",
                 framework="pytorch")  # fmt: skip
    story.until(lambda: len(story.placed("stretch")) == 6)
    story.lives("next", runs=6)
    story.submit("next", "--queue", team, *ONE, "--workers", "2")
    running(story, "next")
    assert story.phase("trainingjob", "stretch") == "Running"
    story.until(lambda: len(story.placed("stretch")) == 4)


def test_a_gang_on_one_rack(story: Teller) -> None:
    pool = story.nodes("a", levels="rack", cpu="4", rack="r1")
    story.nodes("b", "c", cpu="4", rack="r2")
    team = story.queue("team", "--pool", pool)
    made = json.loads(story.submit("x", "--queue", team, *ONE, "--workers", "6", "--dry-run",
                                   "-o", "json"))  # fmt: skip
    made["spec"]["roles"][0]["topology"] = {"required": "rack"}
    story.apply(made)
    running(story, "x")
    assert set(story.placed("x")) == {"b", "c"}
    made["metadata"]["name"] = "y"
    made["spec"]["roles"][0]["replicas"] = 9
    story.apply(made)
    assert "no rack of pool" in waits(story, "y", "NeverFits")


def test_own_hardware_first_then_the_cloud(story: Teller) -> None:
    own = story.nodes("a", cpu="2")
    cloud = story.nodes("c", pool=f"{own}-cloud", cpu="2")
    team = story.queue("team", "--pool", own, "--spill-after", "2s")
    story.athanor("queue", "set", team, "--pool", cloud, "--limit", "cpu=2")
    story.submit("first", "--queue", team, "--cpu", "2")
    running(story, "first")
    assert story.placed("first") == ["a"]
    story.lives("second", runs=5)
    story.submit("second", "--queue", team, "--cpu", "2")
    running(story, "second")
    assert story.placed("second") == ["c"]
    story.athanor("delete", "first", "--yes")
    story.reaches("trainingjob", "second", "Succeeded")
    story.submit("third", "--queue", team, "--cpu", "2")
    running(story, "third")
    assert story.placed("third") == ["a"], "home again"


def test_who_ends_in_time_passes_a_blocked_head(story: Teller) -> None:
    pool = story.nodes("a")
    team = story.queue("team", "--pool", pool, "--strict")
    story.submit("busy", "--queue", team, "--cpu", "4", "--max-runtime", "10m")
    running(story, "busy")
    story.submit("big", "--queue", team, "--cpu", "8")
    waits(story, "big", "NoCapacity")
    story.submit("long", "--queue", team, "--cpu", "2", "--max-runtime", "1h")
    story.submit("short", "--queue", team, "--cpu", "2", "--max-runtime", "5m")
    running(story, "short")
    waits(story, "long", "ReservedForOthers")


def test_who_does_not_start_makes_room(story: Teller) -> None:
    pool = story.nodes("a")
    team = story.queue("team", "--pool", pool, "--max-start", "3s")
    story.lives("stuck", starts=3600)
    story.submit("stuck", "--queue", team, "--cpu", "8")
    story.reaches("trainingjob", "stuck", "Starting")
    story.submit("next", "--queue", team, "--cpu", "8")
    running(story, "next")
    said = waits(story, "stuck", "BacksOff")
    assert "1 of 1 ranks did not start in time" in said and "tried again at 20" in said
    assert said in story.athanor("why", "stuck")


def test_a_reservation_keeps_nodes_for_a_queue(story: Teller) -> None:
    pool = story.nodes("a")
    team, demo = story.queue("team", "--pool", pool), story.queue("demo", "--pool", pool)
    kept = f"{story.namespace}-show"
    story.athanor("reserve", "create", kept, "--pool", pool, "--amounts", "cpu=6", "--queue", demo,
                  "--for", "1h")  # fmt: skip
    story.stack.callback(story.kubectl, "delete", "reservation", kept, "--ignore-not-found")
    story.until(lambda: kept in story.athanor("reserve", "list"))
    story.submit("other", "--queue", team, "--cpu", "4")
    waits(story, "other", "ReservedForOthers")
    story.submit("show", "--queue", demo, "--cpu", "6")
    running(story, "show")
    story.athanor("delete", "show", "--yes")
    story.athanor("reserve", "delete", kept, "--yes")
    running(story, "other")


def test_held_drained_closed(story: Teller) -> None:
    pool = story.nodes("a")
    team, other = story.queue("team", "--pool", pool), story.queue("other", "--pool", pool)
    story.submit("before", "--queue", team, *ONE)
    running(story, "before")
    story.athanor("queue", "hold", team)
    story.submit("held", "--queue", team, *ONE)
    waits(story, "held", "QueueOnHold")
    assert story.phase("trainingjob", "before") == "Running"
    story.athanor("move", "held", other)
    running(story, "held")
    story.submit("again", "--queue", team, *ONE)
    story.athanor("queue", "open", team)
    running(story, "again")


def test_the_budget_is_reached(story: Teller) -> None:
    pool = story.nodes("a")
    story.nodes("g", cpu="8", gpus="4")
    team = story.queue("team", "--pool", pool, "--budget", "2/Total")
    story.submit("first", "--queue", team, *ONE, "--gpus", "1", "--max-runtime", "1h")
    running(story, "first")
    story.submit("second", "--queue", team, *ONE, "--gpus", "2", "--max-runtime", "1h")
    said = waits(story, "second", "BudgetSpent")
    assert "a shorter maxRuntimeSeconds may help" in said
    story.submit("third", "--queue", team, *ONE, "--gpus", "1", "--max-runtime", "30m")
    running(story, "third")


def test_what_a_user_may_hold(story: Teller) -> None:
    pool = story.nodes("a")
    team = story.queue("team", "--pool", pool, "--user-limit", "cpu=2")
    ann = story.person("ann")
    ann.submit("a1", "--queue", team, "--cpu", "2")
    running(story, "a1")
    ann.submit("a2", "--queue", team, "--cpu", "1")
    waits(story, "a2", "UserLimit")
    ben = story.person("ben")
    ben.submit("b1", "--queue", team, "--cpu", "2")
    if knows_users(story):
        running(story, "b1")
    else:  # they count as one
        waits(story, "b1", "UserLimit")


def test_shares_of_a_gpu(story: Teller) -> None:
    pool = story.nodes("k", gpus="2")
    team = story.queue("team", "--pool", pool)
    share = ("--queue", team, "--cpu", "100m", "--gpus", "0.5")
    story.submit("x", *share)
    said = waits(story, "x", "NeverFits")  # a kubelet's device plugin knows whole ones only
    assert "ask for whole devices" in said and said in story.why("x")
    story.submit("both", "--queue", team, *ONE, "--gpus", "2")
    running(story, "both")
    story.nodes("g", gpus="2", **{"athanor.dev/gives-devices": "true"})
    running(story, "x")
    for name in ("y", "z"):
        story.submit(name, *share)
        running(story, name)
    assert story.placed("x") == story.placed("z") == ["g"]
    story.submit("whole", "--queue", team, *ONE, "--gpus", "1")
    assert "gpu" in waits(story, "whole", "NoCapacity")
    story.athanor("delete", "z", "--yes")
    running(story, "whole")


def test_a_node_dies_and_a_spare_takes_its_ranks(story: Teller) -> None:
    pool = story.nodes("a", "b", "c", cpu="2")
    team = story.queue("team", "--pool", pool)
    kept, spare = f"{story.namespace}-spare", f"{story.namespace}-c"
    story.apply({
        "apiVersion": "athanor.dev/v1alpha1", "kind": "Reservation", "metadata": {"name": kept},
        "spec": {"pool": pool, "nodes": [spare], "queues": [team], "spares": True},
    })  # fmt: skip
    story.stack.callback(story.kubectl, "delete", "reservation", kept, "--ignore-not-found")
    story.submit("big", "--queue", team, *ONE, "--workers", "4")
    running(story, "big")
    assert story.placed("big") == ["a", "a", "b", "b"]
    dead = f"{story.namespace}-a"
    story.place.simulated.kill(dead)
    story.kubectl("taint", "node", dead, "node.kubernetes.io/out-of-service=nodeshutdown:NoExecute")
    story.until(lambda: story.placed("big") == ["b", "b", "c", "c"])
    running(story, "big")


def test_a_node_is_drained_and_its_gang_goes_elsewhere_whole(story: Teller) -> None:
    pool = story.nodes("a", "b", cpu="4")
    team = story.queue("team", "--pool", pool)
    story.submit("two", "--queue", team, "--cpu", "2", "--workers", "2")
    running(story, "two")
    assert story.placed("two") == ["a", "a"]
    story.kubectl("drain", f"{story.namespace}-a", "--timeout=60s")
    story.until(lambda: story.placed("two") == ["b", "b"])
    running(story, "two")
    story.submit("more", "--queue", team, *ONE)
    assert "cordoned" in waits(story, "more", "NoCapacity")
    story.kubectl("uncordon", f"{story.namespace}-a")
    running(story, "more")


def test_a_quota_of_the_namespace_is_looked_at_for_the_whole_gang(story: Teller) -> None:
    pool = story.nodes("a")
    team = story.queue("team", "--pool", pool)
    story.kubectl("create", "quota", "small", "--hard", "pods=3")
    story.submit("four", "--queue", team, *ONE, "--workers", "4")
    said = story.until(lambda: story.status("gang", "four").get("reasons"))
    assert "quota" in said[0]["message"].lower(), said
    assert story.placed("four") == []
    story.submit("three", "--queue", team, *ONE, "--workers", "3")
    running(story, "three")


def test_pods_of_no_gang_are_kube_schedulers_business_on_a_cluster(story: Teller) -> None:
    """No kube-scheduler runs here: who names no scheduler waits for it, untouched by us."""
    pool = story.nodes("a")
    team = story.queue("team", "--pool", pool)
    story.apply({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "plain"},
        "spec": {"restartPolicy": "Never", "nodeSelector": {"athanor.dev/pool": pool},
                 "containers": [{"name": "main", "image": "busybox"}]},
    })  # fmt: skip
    story.submit("ours", "--queue", team, *ONE)
    running(story, "ours")
    if story.place.name == "laptop":
        story.reaches("pod", "plain", "Running")
        return
    time.sleep(5)
    plain = story.get("pod", "plain")
    assert "nodeName" not in plain["spec"] and not plain["status"].get("conditions"), plain


def test_volumes_are_made_where_their_first_consumer_is_placed(story: Teller) -> None:
    pool = story.nodes("a", zone="one")
    story.nodes("b", zone="two")
    team, disks = story.queue("team", "--pool", pool), f"{story.namespace}-disks"
    zones = [{"matchLabelExpressions": [{"key": "zone", "values": ["two"]}]}]
    story.stack.callback(story.kubectl, "delete", "storageclass", disks, "--ignore-not-found")
    story.apply(
        {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": disks},
         "provisioner": "disks.example", "volumeBindingMode": "WaitForFirstConsumer",
         "allowedTopologies": zones},
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"},
         "spec": {"storageClassName": disks, "accessModes": ["ReadWriteOnce"],
                  "resources": {"requests": {"storage": "1Gi"}}}},
    )  # fmt: skip
    made = json.loads(story.submit("x", "--queue", team, *ONE, "--dry-run", "-o", "json"))
    made["spec"]["roles"][0]["template"]["spec"]["volumes"] = [
        {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
    ]
    story.apply(made)
    running(story, "x")
    assert story.placed("x") == ["b"]
    notes = story.get("pvc", "data")["metadata"]["annotations"]
    assert notes["volume.kubernetes.io/selected-node"] == f"{story.namespace}-b"
    if story.place.name == "cluster":  # Kubernetes' own controller has handed the claim on
        key = "volume.kubernetes.io/storage-provisioner"
        story.until(lambda: key in story.get("pvc", "data")["metadata"]["annotations"])


def test_volumes_that_people_made_are_taken_where_all_ranks_reach_them(story: Teller) -> None:
    pool = story.nodes("a", cpu="2", disk="a")
    story.nodes("b", cpu="2", disk="b")
    story.nodes("c", cpu="1", disk="c")
    team, local = story.queue("team", "--pool", pool), f"{story.namespace}-local"
    story.stack.callback(story.kubectl, "delete", "storageclass", local, "--ignore-not-found")
    claim = {"storageClassName": local, "accessModes": ["ReadWriteOnce"]}
    story.apply(
        {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": local},
         "provisioner": "kubernetes.io/no-provisioner",
         "volumeBindingMode": "WaitForFirstConsumer"},
        *({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name},
           "spec": {**claim, "resources": {"requests": {"storage": size}}}}
          for name, size in (("data", "5Gi"), ("huge", "50Gi"))),
    )  # fmt: skip
    for place, size in (("a", "1Gi"), ("b", "6Gi"), ("c", "5Gi")):
        here = [{"key": "disk", "operator": "In", "values": [place]}]
        name = f"{story.namespace}-{place}"
        story.stack.callback(story.kubectl, "delete", "pv", name, "--wait=false")
        story.apply({
            "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name},
            "spec": {"capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"],
                     "storageClassName": local, "persistentVolumeReclaimPolicy": "Retain",
                     "local": {"path": "/data"},
                     "nodeAffinity": {"required": {"nodeSelectorTerms": [
                         {"matchExpressions": here}]}}},
        })  # fmt: skip

    def submit(name: str, claim: str) -> None:
        made = json.loads(story.submit(name, "--queue", team, *ONE, "--workers", "2", "--dry-run",
                                       "-o", "json"))  # fmt: skip
        made["spec"]["roles"][0]["template"]["spec"]["volumes"] = [
            {"name": "data", "persistentVolumeClaim": {"claimName": claim}}
        ]
        story.apply(made)

    submit("x", "data")
    running(story, "x")
    assert story.placed("x") == ["b", "b"], "c is too small for two, the volume of a for the claim"
    story.until(lambda: story.phase("pvc", "data") == "Bound")
    assert story.get("pvc", "data")["spec"]["volumeName"] == f"{story.namespace}-b"
    submit("y", "huge")
    story.reaches("trainingjob", "y", "Queued")
    assert "out of reach of a volume" in waits(story, "y", "NodesExcluded")


def test_the_overhead_of_a_runtime_class_takes_room(story: Teller) -> None:
    if story.place.name == "laptop":
        pytest.skip("RuntimeClasses are not served on a laptop: a listed refusal")
    pool = story.nodes("a", cpu="4")
    team, heavy = story.queue("team", "--pool", pool), f"{story.namespace}-heavy"
    story.stack.callback(story.kubectl, "delete", "runtimeclass", heavy, "--ignore-not-found")
    asks = {"name": "main", "image": "busybox", "resources": {"requests": {"cpu": "1"}}}
    story.apply(
        {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": heavy},
         "handler": "heavy", "overhead": {"podFixed": {"cpu": "1"}}},
        {"apiVersion": "v1", "kind": "Pod",
         "metadata": {"name": "theirs", "labels": {"athanor.dev/queue": team}},
         "spec": {"schedulerName": "athanor", "runtimeClassName": heavy, "restartPolicy": "Never",
                  "containers": [asks]}},
    )  # fmt: skip
    story.reaches("pod", "theirs", "Running")
    made = json.loads(story.submit("ours", "--queue", team, *ONE, "--dry-run", "-o", "json"))
    spec = made["spec"]["roles"][0]["template"]["spec"]
    spec |= {"runtimeClassName": heavy, "overhead": {"cpu": "1"}}
    story.apply(made)
    running(story, "ours")
    story.submit("last", "--queue", team, *ONE)
    story.reaches("trainingjob", "last", "Queued")
    assert "cpu" in waits(story, "last", "NoCapacity"), "four are taken: two asked, two overhead"


def test_pods_of_other_controllers_are_bound_as_gangs(story: Teller) -> None:
    pool = story.nodes("a", cpu="4")
    team = story.queue("team", "--pool", pool)
    story.submit("before", "--queue", team, "--cpu", "2")
    running(story, "before")
    names = ("one", "two", "three")
    for name in names:
        story.apply({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": name, "annotations": {"athanor.dev/group-size": "3"},
                "labels": {"athanor.dev/group": "trio", "athanor.dev/queue": team},
            },
            "spec": {"schedulerName": "athanor", "restartPolicy": "Never", "containers": [
                {"name": "main", "image": "busybox",
                 "resources": {"requests": {"cpu": "1"}}}]},
        })  # fmt: skip
    said = story.until(lambda: scheduled(story, "two"))
    assert (said["status"], said["reason"]) == ("False", "Unschedulable")
    assert "room for 2 of 3 pods" in said["message"]
    described = story.kubectl("describe", "pod", "two")
    assert "FailedScheduling" in described and "room for 2 of 3 pods" in described
    version = story.get("pod", "two")["metadata"]["resourceVersion"]
    time.sleep(3)
    assert story.get("pod", "two")["metadata"]["resourceVersion"] == version, "told once"
    story.athanor("delete", "before", "--yes")
    story.until(lambda: all(story.phase("pod", name) == "Running" for name in names))
    assert "Unschedulable" not in story.kubectl("get", "pod", "two", "-o", "yaml")
    assert {story.get("pod", name)["spec"]["nodeName"] for name in names} == {
        f"{story.namespace}-a"
    }


def test_what_would_help_and_what_if(story: Teller) -> None:
    pool = story.nodes("a", cpu="4")
    team = story.queue("team", "--pool", pool)
    story.submit("holds", "--queue", team, "--cpu", "2")
    running(story, "holds")
    story.submit("wants", "--queue", team, *ONE, "--workers", "4")
    waits(story, "wants", "NoCapacity")
    said = story.why("wants")
    assert "submit it with --workers 2" in said, said
    path = f"/apis/visibility.athanor.dev/v1alpha1/namespaces/{story.namespace}/gangs"
    seen = json.loads(story.kubectl("get", "--raw", f"{path}/wants"))
    assert (seen["position"]["place"], seen["position"]["waiting"]) == (1, 1)
    assert seen["state"] == "Waiting" and seen["reasons"][0]["code"] == "NoCapacity"
    start = json.loads(story.kubectl("get", "--raw", f"{path}/wants/start"))
    assert start["kind"] == "GangStart" and start["half"]["earliest"] >= start["asOf"][:10]
    changes = json.loads(story.kubectl("get", "--raw", f"{path}/wants/changes"))["changes"]
    assert ("FewerPods", "2") in {(c["kind"], str(c["value"])) for c in changes}
    listed = json.loads(story.kubectl("get", "--raw", path))["items"]
    assert [gang["metadata"]["name"] for gang in listed] == ["wants"]
    played = json.loads(story.athanor("simulate", "--add-nodes", f"{pool}=1", "-o", "json"))
    assert played
