"""What must hold at every moment of a cluster's life, checked at each write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec

from athanor.api import labels
from athanor.api.meta import JSON
from athanor.api.placement import unpack
from athanor.api.scheduling import Gang
from athanor.api.training import TrainingJob
from athanor.features.gangs import states as gang_states
from athanor.features.training import states as job_states
from athanor.testing.nodes import SimulatedNode

FINISHED = ("Succeeded", "Failed")


class Invariants:
    """Told of every accepted write; `broken` says which rules were broken."""

    def __init__(self, cpus: int, nodes: Mapping[str, SimulatedNode]) -> None:
        self.cpus = cpus
        self.nodes = nodes
        self.submitted: set[str] = set()
        self.broken: list[str] = []
        self._holding: dict[str, Counter[str]] = {}
        self._places: dict[str, int] = {}
        self._runs: dict[str, tuple[object, ...]] = {}
        self._ended: dict[tuple[object, ...], str] = {}

    def written(self, served: Any, old: JSON | None, new: JSON | None) -> None:
        """One write: an object before and after. What is broken is kept: nobody may catch it."""
        with self._keeping():
            self._check(served, old, new)

    def listed(self, gangs: Iterable[tuple[JSON | None, JSON]]) -> None:
        """Gangs as a list tells them, before and after: of one moment, what was missed and all."""
        for old, new in gangs:
            with self._keeping():
                self._gang(old, new)
        with self._keeping():
            self._check_capacity()

    @contextmanager
    def _keeping(self) -> Iterator[None]:
        try:
            yield
        except AssertionError as wrong:
            self.broken.append(str(wrong))

    def _check(self, served: Any, old: JSON | None, new: JSON | None) -> None:
        kind = served.resource.kind
        if kind == "TrainingJob" and old is not None and new is not None:
            self._job(msgspec.convert(old, TrainingJob), msgspec.convert(new, TrainingJob))
        elif kind == "Gang":
            self._gang(old, new)
            self._check_capacity()
        elif kind == "Pod" and new is not None:
            self._pod()
            self._run(new, made=old is None)

    def _job(self, old: TrainingJob, new: TrainingJob) -> None:
        before, after = old.status.phase, new.status.phase
        name = new.metadata.name
        if before != after:
            allowed = set(job_states.MOVES[before].values())
            assert after in allowed, f"job {name} went from {before} to {after}"
        assert new.status.retries >= old.status.retries, f"job {name} forgot retries"
        limit = new.spec.run_policy.backoff_limit
        assert new.status.retries <= limit, f"job {name} retried {new.status.retries} of {limit}"

    def _gang(self, old: JSON | None, new: JSON | None) -> None:
        name = (new or old or {})["metadata"]["name"]
        after = msgspec.convert(new, Gang) if new is not None else None
        if old is not None and after is not None:
            before = msgspec.convert(old, Gang).status.phase
            assert before not in FINISHED or after.status.phase == before, (
                f"gang {name} was {before} and is {after.status.phase}"
            )
        self._holding.pop(name, None)
        if after is None or after.status.admission is None:
            return
        if after.status.phase in gang_states.FINISHED:
            return
        self._places[after.metadata.uid] = after.status.admission.generation
        self._holding[name] = _cpus(after)

    def _check_capacity(self) -> None:
        total: Counter[str] = Counter()
        for held in self._holding.values():
            total.update(held)
        for node, used in total.items():
            assert used <= self.cpus, f"{node} has {self.cpus} CPUs, {used} are given away"

    def _run(self, new: JSON, *, made: bool) -> None:
        """A rank's attempt that has ended by itself is not run again.

        Another pod may run the same attempt where the platform lost the first one, and where the
        rank has been given another place, or left and came back.
        """
        meta, status = new["metadata"], new.get("status") or {}
        told, uid = meta.get("labels") or {}, meta.get("uid", "")
        if labels.GANG not in told:
            return
        if made:
            (owner,) = meta["ownerReferences"]
            which = (labels.POD_SET, labels.RANK, labels.ATTEMPT, labels.RANK_ATTEMPT)
            places = self._places.get(owner["uid"], 0)
            self._runs[uid] = (owner["uid"], places, *(told.get(label, "0") for label in which))
        run, phase = self._runs[uid], status.get("phase")
        if phase == "Running":
            by = self._ended.get(run, uid)
            assert by == uid, f"{meta['name']} runs {run} a second time"
        if "deletionTimestamp" not in meta and _by_itself(status):
            self._ended[run] = uid

    def _pod(self) -> None:
        """A rank's process never lives twice."""
        alive = Counter(key for node in self.nodes.values() for key in node.alive)
        twice = [key for key, count in alive.items() if count > 1]
        assert not twice, f"{twice} live twice"


def _by_itself(status: JSON) -> bool:
    """Whether a pod has ended, and neither its node nor the platform had a part in it."""
    ends = [one["state"].get("terminated") for one in status.get("containerStatuses") or []]
    return any(end is not None and end["reason"] in ("Completed", "Error") for end in ends)


def _cpus(gang: Gang) -> Counter[str]:
    asked = {
        s.name: int(s.template["spec"]["containers"][0]["resources"]["requests"]["cpu"])
        for s in gang.spec.pod_sets
    }
    found: Counter[str] = Counter()
    admission = gang.status.admission
    for placement in admission.placements if admission is not None else []:
        for node in unpack(placement.nodes):
            found[node] += asked[placement.pod_set]
    return found
