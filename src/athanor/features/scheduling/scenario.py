"""Scenarios for the simulator: from objects of an API server, or from a file; and to a file.

`live` is the cluster as it stands: what runs ends as expected, what waits runs as long as it said.
What was is played again by `replay`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TypeVar

from athanor.api.core import (
    Namespace,
    Node,
    PersistentVolume,
    PersistentVolumeClaim,
    Pod,
    PriorityClass,
    StorageClass,
)
from athanor.api.meta import JSON, Object
from athanor.api.scheduling import Gang, Pool, Queue, Reservation
from athanor.features.scheduling.core.decisions import Policy
from athanor.features.scheduling.core.simulate import Scenario
from athanor.features.scheduling.core.snapshot import GangState, Snapshot
from athanor.features.scheduling.core.table import ShapeError, floats
from athanor.features.scheduling.observe import WATCHED, Observed, Observer
from athanor.runtime.cache import Cache, Caches, Key
from athanor.wire.status import ApiError

FORMAT = "athanor.dev/scenario/v1"
KINDS: tuple[type[Object], ...] = (
    Gang, Queue, Pool, Reservation, Node, Pod, PriorityClass, Namespace, PersistentVolumeClaim,
    PersistentVolume, StorageClass,
)  # fmt: skip
"""What a scenario is made of. Quotas of namespaces are left aside: what they have left follows
from pods that a scenario does not have.
"""

O = TypeVar("O", bound=Object)  # noqa: E741 - O for object
Objects = Mapping[type[Object], Sequence[Object]]


class _World:
    """Objects as the caches a controller sees."""

    def __init__(self, objects: Objects) -> None:
        self._caches = Caches()
        for kind in WATCHED:
            self._caches.want(kind, {})
            self._caches.cache(kind).replace(objects.get(kind, ()), "0")

    def cache(self, view: type[O]) -> Cache[O]:
        return self._caches.cache(view)

    def problem(self, key: Key) -> ApiError | None:
        return None


def live(objects: Objects, policy: Policy, now: float, runtime: float) -> Scenario:
    """The cluster now. Gangs that say nothing of their running time run `runtime` seconds."""
    seen = observed(objects)
    s = seen.snapshot
    said = zip(
        s.gangs.state.tolist(), s.gangs.expected_end.tolist(), s.gangs.started.tolist(),
        s.gangs.estimate.tolist(), s.gangs.limit.tolist(), strict=True,
    )  # fmt: skip
    work = floats(_left(*one, now=now, runtime=runtime) for one in said)
    return Scenario(snapshot=s, policy=policy, start=now, work=work)


def _left(
    state: int, end: float, begun: float, estimate: float, limit: float, *,
    now: float, runtime: float,
) -> float:  # fmt: skip
    """How long a gang still runs: to its expected end, or as long as it said."""
    whole = min(runtime if math.isnan(estimate) else estimate, limit)
    if state == GangState.WAITING:
        return whole
    if math.isnan(end):
        end = (now if math.isnan(begun) else begun) + whole
    return max(end - now, 1.0)


def write(scenario: Scenario) -> str:
    """A scenario as the text of a file."""
    return json.dumps({
        "format": FORMAT,
        "start": scenario.start,
        "policy": asdict(scenario.policy),
        "work": scenario.work.tolist(),
        "snapshot": json.loads(scenario.snapshot.to_json()),
    })  # fmt: skip


def read(text: str) -> Scenario:
    """The scenario of a file. Raises ValueError that says what is wrong with it."""
    try:
        said: JSON = json.loads(text)
        if not isinstance(said, dict) or said.get("format") != FORMAT:
            raise ValueError(f"no scenario: its format is not {FORMAT}")
        return Scenario(
            snapshot=Snapshot.from_json(json.dumps(said["snapshot"])),
            policy=Policy(**said["policy"]),
            start=float(said["start"]),
            work=floats(float(w) for w in said["work"]),
        )
    except (KeyError, TypeError, ShapeError, json.JSONDecodeError) as wrong:
        raise ValueError(f"no scenario: {wrong}") from None


def observed(objects: Objects) -> Observed:
    """Objects as the scheduler reads them. Raises ValueError where there is nothing to read."""
    seen = Observer()(_World(objects), Key("", "cluster"))
    if seen is None:
        raise ValueError("there is nothing to simulate")
    return seen
