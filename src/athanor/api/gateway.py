"""What `gateway.athanor.dev` answers: logs of pods that are gone, code that jobs take along,
reports of ranks.

Paths below `namespaces/NS`: `podlogs` (GET: which there are, `labelSelector` narrows), and of one
`podlogs/UID/log` (GET, with the options of a pod's own log); `bundles/DIGEST` (GET: how much of it
is there; PUT with `offset`: the next part of it) and `bundles/DIGEST/content` (GET, for pods);
`podreports/POD` (PUT, by that pod alone: its progress).
The API server authenticates, asks RBAC and passes the request on.
"""

from __future__ import annotations

import re

from msgspec import field

from athanor.api import labels
from athanor.api.meta import JSON, Object, ObjectMeta

GROUP = "gateway.athanor.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
ROOT = f"/apis/{API_VERSION}"

PART = 2 << 20
"""Bytes of one part of an upload: an API server takes no larger bodies than 3 MiB."""
LARGEST = 256 << 20
"""Bytes of a bundle, packed."""

UID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
NAME = re.compile(r"[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?")
DIGEST = re.compile(r"[0-9a-f]{64}")

TAKE_CODE = ("trainingjobs", "workflows", "crons", "sweeps")
"""Kinds whose objects name uploaded code."""
_NAMED = re.compile(r"sha256:([0-9a-f]{64})")

MARK = "podlog.json"
"""The file in a folder of logs that says whose they are: a PodLog."""


class PodLog(Object, frozen=True, kw_only=True):
    """The logs of one pod that is gone; its name is the pod's uid, its labels are the pod's.

    `owner` is the uid of what the pod belonged to; `containers` have something to read.
    """

    pod: str = ""
    owner: str = ""
    containers: list[str] = field(default_factory=list)


class PodLogList(Object, frozen=True, kw_only=True):
    """Oldest first."""

    items: list[PodLog] = field(default_factory=list)


class Bundle(Object, frozen=True, kw_only=True):
    """Some files as one gzipped tar archive, named by the SHA-256 of its bytes.

    `size` bytes of it are there; `complete` once they have that digest.
    """

    size: int
    complete: bool


class PodReport(Object, frozen=True, kw_only=True):
    """The answer to a rank's report: since when it is asked for a checkpoint, and until when there
    is time for one; "" when it is not.
    """

    checkpoint_requested: str = ""
    checkpoint_by: str = ""


def named(said: str) -> set[str]:
    """The digests of the bundles that objects name, wherever they do; `said` is their JSON."""
    return set(_NAMED.findall(said))


def mark(pod: JSON) -> PodLog:
    """What is noted of a pod for the time after it."""
    meta = pod["metadata"]
    owners = meta.get("ownerReferences") or [{}]
    return PodLog(
        api_version=API_VERSION, kind="PodLog", pod=meta["name"], owner=owners[0].get("uid", ""),
        metadata=ObjectMeta(
            name=meta["uid"], namespace=meta["namespace"], uid=meta["uid"],
            creation_timestamp=meta.get("creationTimestamp"), labels=dict(meta.get("labels") or {}),
        ),
        containers=[container["name"] for container in pod["spec"]["containers"]],
    )  # fmt: skip


def folder_of(podlog: PodLog) -> str:
    """Where below an archive a pod's logs lie: namespace, what it was a rank of, its uid."""
    meta = podlog.metadata
    return f"{meta.namespace}/{keeper(meta.labels) or podlog.pod}/{meta.uid}"


def keeper(marks: dict[str, str]) -> str:
    """The name of the job, or else the gang, by labels."""
    return marks.get(labels.JOB) or marks.get(labels.GANG) or ""


def _resource(name: str, kind: str, verbs: list[str]) -> JSON:
    return {
        "name": name, "singularName": "" if "/" in name else name.removesuffix("s"),
        "namespaced": True, "kind": kind, "verbs": verbs,
    }  # fmt: skip


RESOURCES: JSON = {
    "kind": "APIResourceList",
    "apiVersion": "v1",
    "groupVersion": API_VERSION,
    "resources": [
        _resource("podlogs", "PodLog", ["get", "list"]),
        _resource("podlogs/log", "PodLog", ["get"]),
        _resource("bundles", "Bundle", ["get", "update"]),
        _resource("bundles/content", "Bundle", ["get"]),
        _resource("podreports", "PodReport", ["update"]),
    ],
}
"""What discovery says of the group."""
