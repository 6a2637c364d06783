"""Logs of pods that are gone, where a gateway keeps them; elsewhere there are none."""

from __future__ import annotations

from collections.abc import Container, Sequence

import msgspec

from athanor.api import gateway, labels
from athanor.api.core import Pod
from athanor.api.gateway import PodLog, PodLogList
from athanor.api.reach import workspace_gang
from athanor.sdk.steps import Op, ask
from athanor.wire import calls
from athanor.wire.request import Request
from athanor.wire.status import ApiError

SILENT = ("NotFound", "ServiceUnavailable", "Forbidden")
"""Refusals that mean: nothing is kept here, or not for you."""


def kept(name: str, namespace: str) -> Op[list[PodLog]]:
    """What is kept of a job, or else of a gang or workspace, oldest first."""
    path = f"{gateway.ROOT}/namespaces/{namespace}/podlogs"
    own = (labels.JOB, name), (labels.GANG, name), (labels.GANG, workspace_gang(name))
    for label, word in own:
        try:
            found = yield from ask(calls.raw("GET", path, [("labelSelector", f"{label}={word}")]))
        except ApiError as error:
            if error.reason not in SILENT:
                raise
            return []
        if found["items"]:
            return msgspec.convert(found, PodLogList).items
    return []


def of_one(logs: Sequence[PodLog], there: Container[str], begin: str) -> list[Pod]:
    """As pods: those of the job that began then; of the last one by that name without `begin`."""
    gone = [one for one in logs if one.metadata.uid not in there]
    if begin:
        gone = [one for one in gone if (one.metadata.creation_timestamp or "") >= begin]
    elif gone:
        gone = [one for one in gone if one.owner == gone[-1].owner]
    return [Pod(metadata=msgspec.structs.replace(one.metadata, name=one.pod)) for one in gone]


def text(uid: str, namespace: str, options: Sequence[tuple[str, str]]) -> Op[bytes]:
    """The log of a pod that is gone; nothing when it is gone, too."""
    path = f"{gateway.ROOT}/namespaces/{namespace}/podlogs/{uid}/log"
    try:
        body = yield from ask(calls.text(Request(method="GET", path=path, query=tuple(options))))
    except ApiError as error:
        if error.reason not in SILENT:
            raise
        return b""
    return body
