"""The manifests a gang makes: one pod a rank, and the headless Service that names them."""

from __future__ import annotations

from athanor.api import labels, processes
from athanor.api.meta import JSON
from athanor.api.registry import of
from athanor.api.scheduling import MAX_GRACE, Gang, PodSet
from athanor.features.gangs.ranks import Place, pod_name, rank_name, run_of

GANGS = of(Gang)
DEFAULT_PORT = "29500"


def service(gang: Gang) -> JSON:
    """The headless Service under which ranks find each other: `{pod}.{gang}`."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": gang.metadata.name,
            "namespace": gang.metadata.namespace,
            "labels": _labels(gang),
            "ownerReferences": [_owner(gang)],
        },
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": {labels.GANG: gang.metadata.name},
        },
    }


def pod(gang: Gang, place: Place, size: int) -> JSON:
    """The pod of one rank, ready to be created; `size`: how many ranks the gang has."""
    pod_set = _set(gang, place.pod_set)
    template = pod_set.template
    given = template.get("metadata") or {}
    own_labels = {**(given.get("labels") or {})}
    for ours in (labels.RANK_ATTEMPT, labels.CHOSEN):  # of a pod that the template was copied from
        own_labels.pop(ours, None)
    name = pod_name(gang.metadata.name, place.pod_set, place.rank)
    attempt = gang.spec.rank_attempts.get(rank_name(place.pod_set, place.rank), 0)
    run = run_of(gang)
    annotations = {**(given.get("annotations") or {})}
    for ours in (labels.DEVICES, labels.USER):  # what a template says of them gives nobody anything
        annotations.pop(ours, None)
    if place.devices:
        annotations[labels.DEVICES] = place.devices
    user = gang.metadata.annotations.get(labels.USER)
    if user:
        annotations[labels.USER] = user
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": gang.metadata.namespace,
            "labels": {
                **own_labels,
                **_labels(gang),
                labels.POD_SET: place.pod_set,
                labels.RANK: str(place.rank),
                labels.ATTEMPT: str(run),
                **({labels.RANK_ATTEMPT: str(attempt)} if attempt else {}),
                **({labels.CHOSEN: "true"} if place.devices else {}),
            },
            "annotations": annotations,
            "ownerReferences": [_owner(gang)],
        },
        "spec": _spec(gang, template.get("spec") or {}, place, name, _env(gang, place, size)),
    }


def grace_of(gang: Gang, pod_set: str) -> int | None:
    """The grace period its template asks for, as far as it may; None when it does not."""
    spec = _set(gang, pod_set).template.get("spec") or {}
    seconds = spec.get("terminationGracePeriodSeconds")
    return min(seconds, most_grace(gang)) if isinstance(seconds, int) else None


def most_grace(gang: Gang) -> int:
    """Seconds that its pods may take to save their work, and then to end."""
    admission = gang.status.admission
    most = admission.max_grace_seconds if admission is not None else None
    return MAX_GRACE if most is None else most


def _spec(gang: Gang, given: JSON, place: Place, name: str, env: list[JSON]) -> JSON:
    spec: JSON = {
        **given,
        "nodeName": place.node,
        "restartPolicy": given.get("restartPolicy", "Never"),
    }
    if (grace := grace_of(gang, place.pod_set)) is not None:
        spec["terminationGracePeriodSeconds"] = grace
    if needed := processes.tolerations(given):
        spec["tolerations"] = needed
    if gang.spec.service:
        spec |= {"hostname": name, "subdomain": gang.metadata.name}
    if gang.spec.priority_class_name and "priorityClassName" not in spec:
        spec["priorityClassName"] = gang.spec.priority_class_name
    for field in ("initContainers", "containers"):
        if field in given:
            spec[field] = [{**c, "env": [*env, *(c.get("env") or [])]} for c in given[field]]
    return spec


def _env(gang: Gang, place: Place, size: int) -> list[JSON]:
    """What every container of a rank is told first, so that its own variables can refer to it."""
    said = {
        **({"ATHANOR_PORT": DEFAULT_PORT} if gang.spec.service else {}),
        "ATHANOR_JOB": gang.metadata.labels.get(labels.JOB, gang.metadata.name),
        "ATHANOR_ROLE": place.pod_set,
        "ATHANOR_RANK": str(place.rank),
        "ATHANOR_INDEX": str(place.overall),
        "ATHANOR_SIZE": str(size),
        "ATHANOR_ATTEMPT": str(run_of(gang)),
    }
    return [{"name": name, "value": value} for name, value in said.items()]


def _labels(gang: Gang) -> JSON:
    job = gang.metadata.labels.get(labels.JOB)
    return {labels.GANG: gang.metadata.name, **({labels.JOB: job} if job else {})}


def _owner(gang: Gang) -> JSON:
    return {
        "apiVersion": GANGS.api_version,
        "kind": GANGS.kind,
        "name": gang.metadata.name,
        "uid": gang.metadata.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _set(gang: Gang, name: str) -> PodSet:
    return next(s for s in gang.spec.pod_sets if s.name == name)
