"""Situations that plans may meet, as hypothesis strategies; and how a world is observed again."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import msgspec
from hypothesis import strategies as st

from athanor.api import labels
from athanor.api.core import Namespace, Node, Pod
from athanor.api.meta import JSON, Object, to_manifest
from athanor.api.placement import pack
from athanor.api.registry import of
from athanor.api.scheduling import Gang, Pool, Queue, Reservation
from athanor.api.training import TrainingJob
from athanor.features.gangs import foreign
from athanor.features.gangs import observe as gangs
from athanor.features.gangs.states import PHASES as GANG_PHASES
from athanor.features.scheduling import apply as scheduling
from athanor.features.training import observe as training
from athanor.features.training.states import PHASES as JOB_PHASES
from athanor.runtime.cache import Caches, Key, Refusal
from athanor.runtime.indexes import PODS_OF_GANG, pods_of_gang
from athanor.testing.world import Objects
from athanor.wire.status import ApiError

NOW = 1_800_000_000.0
STAMP = "2027-01-15T08:00:00Z"
EARLIER = "2027-01-15T07:59:00Z"
NODES = ["node-0", "node-1", "node-2"]

maybe = st.booleans()
small = st.integers(0, 2)


@cache
@st.composite
def pod_sets(draw: st.DrawFn) -> list[JSON]:
    names = draw(st.lists(st.sampled_from(["master", "worker"]), min_size=1, unique=True))
    template = {"spec": {"containers": [{"name": "main", "image": "host"}]}}
    return [{"name": n, "count": draw(st.integers(0, 3)), "template": template} for n in names]


@cache
def outcomes() -> st.SearchStrategy[JSON]:
    return st.fixed_dictionaries({
        "phase": st.sampled_from(["Succeeded", "Failed"]), "reason": st.just("Ruled"),
    })  # fmt: skip


@cache
@st.composite
def gang_specs(draw: st.DrawFn) -> JSON:
    sets = draw(pod_sets())
    ranks = [f"{s['name']}-{i}" for s in sets for i in range(s["count"])]
    spec: JSON = {
        "podSets": sets,
        "attempt": draw(small),
        "suspend": draw(st.sampled_from([False, False, True])),
        "restart": draw(st.sampled_from(["Gang", "Rank"])),
        "decides": draw(st.sampled_from(["Gang", "Owner"])),
        "resize": draw(st.sampled_from(["Never", "Never", "Restart", "Live"])),
        "replace": draw(maybe),
    }
    if draw(maybe):
        spec["checkpoint"] = {"enabled": draw(maybe), "graceSeconds": draw(st.integers(0, 60))}
    if draw(st.integers(0, 3)) == 0:
        spec["outcome"] = draw(outcomes())
    if draw(maybe):
        spec["maxRuntimeSeconds"] = draw(st.integers(1, 120))
    if draw(maybe):
        spec["maxStartSeconds"] = draw(st.integers(1, 120))
    if ranks and draw(maybe):
        spec["rankAttempts"] = {draw(st.sampled_from(ranks)): 1}
    return spec


@st.composite
def admissions(draw: st.DrawFn, sets: list[JSON]) -> JSON:
    placements = []
    for pod_set in sets:
        nodes = draw(
            st.lists(st.sampled_from(NODES), min_size=pod_set["count"], max_size=pod_set["count"])
        )
        placements.append({
            "podSet": pod_set["name"], "count": pod_set["count"],
            "nodes": [to_manifest(r) for r in pack(nodes)],
        })  # fmt: skip
    admission: JSON = {"queue": "q", "pool": "p", "placements": placements}
    if draw(st.integers(0, 3)) == 0:
        deadline = draw(st.sampled_from([EARLIER, "2027-01-15T08:00:30Z"]))
        admission["evict"] = {"deadline": deadline, "reason": "Preempted", "message": "by others"}
    admission["generation"] = draw(st.sampled_from([0, 0, 1]))
    if draw(st.integers(0, 5)) == 0:
        deadline = draw(st.sampled_from([EARLIER, "2027-01-15T08:00:30Z"]))
        counts = {s["name"]: draw(st.integers(0, s["count"])) for s in sets}
        admission["shrink"] = {"deadline": deadline, "reason": "Shrunk", "counts": counts}
    return admission


@cache
def failures() -> st.SearchStrategy[JSON]:
    return st.fixed_dictionaries({
        "podSet": st.sampled_from(["master", "worker"]), "rank": small,
        "exitCode": st.sampled_from([0, 1, 137]), "reason": st.sampled_from(["Error", "OOMKilled"]),
        "platform": maybe, "finishedAt": st.just(EARLIER), "attempt": st.integers(0, 1),
    })  # fmt: skip


@st.composite
def gang_manifests(draw: st.DrawFn, owner: JSON | None = None) -> JSON:
    spec = draw(gang_specs())
    status: JSON = {
        "phase": draw(st.sampled_from(GANG_PHASES)),
        "attempt": draw(st.integers(0, spec["attempt"])),
        "evictions": draw(small),
        "resizes": draw(st.sampled_from([0, 0, 1])),
        "generation": draw(st.sampled_from([0, 0, 1])),
        "reason": draw(st.sampled_from(["", "", "Resized"])),
    }
    if draw(st.integers(0, 3)):
        status["admission"] = draw(admissions(spec["podSets"]))
    if draw(maybe):
        status["startedAt"] = EARLIER
    if draw(maybe):
        status["failures"] = draw(st.lists(failures(), max_size=2))
    status["pods"] = [
        {"podSet": s["name"], "succeeded": 1, "succeededRanks": "0"}
        for s in spec["podSets"]
        if s["count"] and draw(st.integers(0, 3)) == 0
    ]
    meta: JSON = {"name": "g", "namespace": "default", "uid": "gang", "resourceVersion": "7"}
    if owner is not None:
        meta["ownerReferences"] = [owner]
        meta["annotations"] = {labels.RETRIES: str(draw(st.integers(0, 4)))}
    return {**_head(Gang), "metadata": meta, "spec": spec, "status": status}


@st.composite
def pods(draw: st.DrawFn, gang: JSON, pod_set: str, rank: int) -> JSON:
    run = sum(gang["status"][name] for name in ("attempt", "evictions", "resizes"))
    told = {
        labels.GANG: "g", labels.POD_SET: pod_set, labels.RANK: str(rank),
        labels.ATTEMPT: str(run - draw(st.sampled_from([0, 0, 0, 1]))),
        labels.RANK_ATTEMPT: draw(st.sampled_from(["0", "0", "1"])),
    }  # fmt: skip
    meta: JSON = {
        "name": f"g-{pod_set}-{rank}", "namespace": "default", "labels": told,
        "uid": f"{pod_set}-{rank}", "creationTimestamp": EARLIER,
        "ownerReferences": [
            {"apiVersion": "athanor.dev/v1alpha1", "kind": "Gang", "name": "g", "uid": "gang"}
        ],
    }  # fmt: skip
    if draw(st.integers(0, 3)) == 0:
        meta["deletionTimestamp"] = STAMP
    phase = draw(st.sampled_from(["Pending", "Running", "Succeeded", "Failed"]))
    status: JSON = {"phase": phase}
    if phase == "Failed":
        ended = {"exitCode": 1, "finishedAt": EARLIER}
        ended["reason"] = draw(st.sampled_from(["Error", "ContainerStatusUnknown"]))
        status["reason"] = draw(st.sampled_from(["", "", "OutOfcpu"]))
        status["containerStatuses"] = [{"name": "main", "state": {"terminated": ended}}]
    spec = {"nodeName": draw(st.sampled_from(NODES)), "containers": []}
    return {**_head(Pod), "metadata": meta, "spec": spec, "status": status}


@st.composite
def gang_worlds(draw: st.DrawFn) -> tuple[Objects, dict[str, float], frozenset[str], JSON | None]:
    """Objects, silent nodes, nodes that are gone, and the last refusal."""
    gang = draw(gang_manifests())
    objects: Objects = {("gangs.athanor.dev", "default", "g"): gang}
    for pod_set in gang["spec"]["podSets"]:
        for rank in range(pod_set["count"]):
            if draw(st.integers(0, 3)):
                pod = draw(pods(gang, pod_set["name"], rank))
                objects["pods", "default", pod["metadata"]["name"]] = pod
    silent = draw(
        st.dictionaries(st.sampled_from(NODES), st.sampled_from([NOW - 5, NOW - 500, NOW - 501]))
    )
    gone = frozenset(draw(st.sets(st.sampled_from(sorted(silent))))) if silent else frozenset()
    refusal = draw(st.sampled_from([None, None, None, "Invalid", "Forbidden"]))
    return objects, silent, gone, {"reason": refusal, "message": "no"} if refusal else None


def see_gang(
    objects: Objects, silent: dict[str, float], gone: frozenset[str], refusal: JSON | None
) -> gangs.Observed:
    pods = tuple(msgspec.convert(objects[k], Pod) for k in sorted(objects) if k[0] == "pods")
    on = {pod.spec.node_name for pod in pods}
    fresh = {pod.spec.node_name for pod in pods if pod.metadata.creation_timestamp is None}
    silent = {
        name: NOW if name in gone and name in fresh else since
        for name, since in silent.items()
        if name in on or name not in gone
    }
    return gangs.Observed(
        gang=msgspec.convert(objects["gangs.athanor.dev", "default", "g"], Gang),
        pods=pods,
        silent=silent,
        gone=gone & on,
        shut=frozenset(name for name, since in silent.items() if since == NOW - 501) - gone,
        has_service=("services", "default", "g") in objects,
        refusal=gangs.Refusal(**refusal) if refusal else None,
    )


CONDITIONS: list[list[JSON]] = [
    [],
    [{"type": "Ready", "status": "False"}],
    [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}],
    [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "full"}],
    [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "new",
      "lastProbeTime": STAMP}],
]  # fmt: skip


@st.composite
def groups(draw: st.DrawFn) -> tuple[Objects, JSON | None]:
    """Pods of somebody else's that belong together, Gangs made for some, and the last refusal."""
    told: JSON = {"labels": {labels.GROUP_OF: "x"}, "annotations": {}}
    if draw(maybe):
        told["annotations"] = {labels.GROUP_SIZE: draw(st.sampled_from(["2", "3"]))}
    objects: Objects = {}
    for i in range(draw(st.integers(0, 3))):
        meta = {"name": f"p-{i}", "namespace": "default", "uid": f"p-{i}", "resourceVersion": "3",
                "creationTimestamp": draw(st.sampled_from([STAMP, EARLIER]))}  # fmt: skip
        meta |= {"deletionTimestamp": STAMP} if not draw(st.integers(0, 5)) else {}
        objects["pods", "default", f"p-{i}"] = {
            "metadata": {**told, **meta},
            "spec": {"schedulerName": "athanor", "nodeName": draw(st.sampled_from(["", "", "n"])),
                     "containers": [{"name": "c", "image": draw(st.sampled_from(["a", "b"]))}]},
            "status": {"phase": draw(st.sampled_from(["", "Pending", "Running", "Failed"])),
                       "conditions": draw(st.sampled_from(CONDITIONS))},
        }  # fmt: skip
    for i in range(draw(small)):
        adopted = draw(st.lists(st.sampled_from(["p-0", "p-1", "gone"]), max_size=2, unique=True))
        status: JSON = {"phase": draw(st.sampled_from(["Pending", "Running"]))}
        if status["phase"] == "Running":
            status["admission"] = {"queue": "q", "pool": "p"}
        elif draw(maybe):
            status["reasons"] = [{"code": "NoCapacity", "message": "full"}]
        objects["gangs.athanor.dev", "default", f"g-{i}"] = {
            "metadata": {"name": f"g-{i}", "namespace": "default", "uid": f"g-{i}",
                         "resourceVersion": "4", "labels": {labels.GROUP_OF: "x"}},
            "spec": {"podSets": [{"name": "sort", "count": 1, "template": {}}],
                     "adopts": {"sort": adopted}},
            "status": status,
        }  # fmt: skip
    refusal = draw(st.sampled_from([None, None, "Invalid", "Forbidden", "Timeout"]))
    return objects, {"reason": refusal, "message": "no"} if refusal else None


def see_group(objects: Objects, refusal: JSON | None) -> foreign.Observed:
    def all_of(kind: str) -> list[JSON]:
        return [objects[key] for key in sorted(objects) if key[0] == kind]

    return foreign.Observed(
        "x",
        tuple(msgspec.convert(one, Pod) for one in all_of("pods")),
        tuple(msgspec.convert(one, Gang) for one in all_of("gangs.athanor.dev")),
        foreign.Refusal(**refusal) if refusal else None,
    )


@cache
def rules() -> st.SearchStrategy[list[JSON]]:
    rule = st.fixed_dictionaries({
        "ranks": st.dictionaries(
            st.sampled_from(["master", "worker"]), st.lists(small, max_size=2), min_size=1
        )
    })  # fmt: skip
    return st.lists(rule, max_size=2)


@st.composite
def job_worlds(draw: st.DrawFn) -> tuple[Objects, JSON | None]:
    """A job, sometimes with its Gang (or somebody's), and the last refusal."""
    policy: JSON = {"backoffLimit": draw(small)}
    policy["cleanPods"] = draw(st.sampled_from(["None", "All", "Unfinished"]))
    for name in ("activeDeadlineSeconds", "startingDeadlineSeconds", "ttlSecondsAfterFinished"):
        if draw(maybe):
            policy[name] = draw(st.sampled_from([1, 90]))
    restart = st.sampled_from(["Never", "OnFailure", "Always", "ExitCode"])
    roles = [
        {"name": s["name"], "replicas": s["count"], "template": s["template"],
         "restartPolicy": draw(restart)}
        for s in draw(pod_sets())
    ]  # fmt: skip
    spec: JSON = {
        "framework": draw(st.sampled_from(["jax", "pytorch", "xgboost", "generic", "flink"])),
        "roles": roles, "runPolicy": policy, "suspend": draw(maybe),
        "successRules": draw(rules()), "failureRules": draw(rules()),
    }  # fmt: skip
    if draw(maybe):
        spec["checkpoints"] = {"enabled": True, "directory": draw(st.sampled_from(["", "/c"]))}
    status: JSON = {"phase": draw(st.sampled_from(JOB_PHASES))}
    for name in ("queuedAt", "startedAt"):
        if draw(maybe):
            status[name] = EARLIER
    if status["phase"] in ("Succeeded", "Failed"):
        status["finishedAt"] = EARLIER
    meta = {"name": "g", "namespace": "default", "uid": "job-uid-1", "resourceVersion": "3"}
    job = {**_head(TrainingJob), "metadata": meta, "spec": spec, "status": status}
    objects: Objects = {("trainingjobs.athanor.dev", "default", "g"): job}
    if draw(st.integers(0, 3)):
        uid = draw(st.sampled_from(["job-uid-1", "job-uid-1", "other"]))
        owner = {"apiVersion": "a/v1", "kind": "TrainingJob", "name": "g", "uid": uid}
        objects["gangs.athanor.dev", "default", "g"] = draw(gang_manifests(owner))
    refusal = draw(st.sampled_from([None, None, "Invalid", "Forbidden"]))
    return objects, {"reason": refusal, "message": "no"} if refusal else None


def see_job(objects: Objects, refusal: JSON | None) -> training.Observed | None:
    job = objects.get(("trainingjobs.athanor.dev", "default", "g"))
    if job is None:
        return None
    gang = objects.get(("gangs.athanor.dev", "default", "g"))
    return training.Observed(
        job=msgspec.convert(job, TrainingJob),
        gang=msgspec.convert(gang, Gang) if gang is not None else None,
        has_claim=("persistentvolumeclaims", "default", "g-checkpoints") in objects,
        refusal=Refusal(**refusal) if refusal else None,
    )


def _head(view: type[Object]) -> JSON:
    resource = of(view)
    return {"apiVersion": resource.api_version, "kind": resource.kind}


@st.composite
def clusters(draw: st.DrawFn) -> Objects:
    """Nodes, pools, queues and gangs, as the scheduler meets them."""
    objects: Objects = {}

    def put(view: type[Object], name: str, namespace: str = "", **more: object) -> None:
        meta: JSON = {"name": name, "uid": f"uid-{name}", "resourceVersion": "5", "generation": 1}
        if namespace:
            meta["namespace"] = namespace
        meta["creationTimestamp"] = EARLIER
        objects[of(view).name, namespace, name] = {**_head(view), "metadata": meta, **more}

    put(Namespace, "default")
    put(Pool, "default", spec={})
    for name in NODES[: draw(st.integers(0, 3))]:
        size = {"cpu": str(draw(st.integers(1, 8))), "memory": "32Gi", "pods": "10"}
        ready = {"type": "Ready", "status": draw(st.sampled_from(["True", "True", "Unknown"]))}
        put(Node, name, spec={}, status={"allocatable": size, "conditions": [ready]})
    queues = ["red", "blue"][: draw(st.integers(0, 2))]
    for name in queues:
        quota: JSON = {"pool": draw(st.sampled_from(["default", "default", "nowhere"]))}
        share = draw(st.integers(0, 6))
        quota |= {"guaranteed": {"cpu": str(share)}, "deserved": {"cpu": str(share + 1)}}
        ordering = draw(st.sampled_from(["StrictFIFO", "BestEffortFIFO"]))
        spec: JSON = {"pools": [quota], "ordering": ordering}
        if draw(maybe):
            period = draw(st.sampled_from(["Day", "Month", "Total"]))
            spec["budget"] = {"gpuHours": str(draw(small)), "period": period}
            spec["userLimit"] = {"cpu": str(draw(st.integers(1, 6)))}
        if draw(maybe):
            spec["maxRuntimeSeconds"] = draw(st.sampled_from([60, 6000]))
            spec["state"] = draw(st.sampled_from(["Open", "Open", "Hold", "Drain", "Closed"]))
        put(Queue, name, spec=spec)
    if draw(maybe):
        kept: JSON = {"pool": draw(st.sampled_from(["default", "nowhere"])), "queues": ["red"]}
        kept["amounts"] = {"cpu": str(draw(st.integers(1, 9)))}
        kept["spares"] = draw(maybe)
        put(Reservation, "kept", spec=kept)
    for number in range(draw(st.integers(0, 4))):
        asks = {"requests": {"cpu": str(draw(st.integers(1, 4)))}}
        template = {"spec": {"containers": [{"name": "main", "resources": asks}]}}
        count = draw(st.integers(1, 3))
        sets = [{"name": "worker", "count": count, "template": template, "minCount": 1}]
        spec = {"podSets": sets, "queue": draw(st.sampled_from(["red", "blue"]))}
        spec["resize"] = draw(st.sampled_from(["Never", "Restart", "Live"]))
        status: JSON = {"phase": "Pending"}
        if draw(maybe) and (ours := [n for v, _, n in objects if v == of(Node).name]):
            node = draw(st.sampled_from(ours))
            places = [to_manifest(place) for place in pack([node])]
            placed = [{"podSet": "worker", "count": 1, "nodes": places}]
            status = {"phase": draw(st.sampled_from(["Running", "Starting"]))}
            status["admission"] = {
                "queue": spec["queue"], "pool": "default", "placements": placed,
                "admittedAt": EARLIER,
            }  # fmt: skip
        put(Gang, f"g{number}", "default", spec=spec, status=status)
    return objects


SCHEDULED = tuple(watch.view for watch in scheduling.controller().watches)


class Quiet(Caches):
    """Caches of a controller that has had no trouble."""

    def problem(self, key: Key) -> ApiError | None:
        return None


def caches_of(objects: Objects, views: Iterable[type[Object]] = SCHEDULED) -> Quiet:
    """Caches filled with the objects, as a controller would have them."""
    caches = Quiet()
    for view in views:
        caches.want(view, {PODS_OF_GANG: pods_of_gang} if view is Pod else {})
        found = [
            msgspec.convert(o, view) for k, o in sorted(objects.items()) if k[0] == of(view).name
        ]
        caches.cache(view).replace(found, "5")
    return caches
