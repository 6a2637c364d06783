"""Situations of objects that make others (crons, sweeps, workflows), as hypothesis strategies."""

from __future__ import annotations

import msgspec
from hypothesis import strategies as st

from athanor.api import labels
from athanor.api.crons import Cron
from athanor.api.meta import API_VERSION, JSON, Object
from athanor.api.registry import of
from athanor.features.crons import observe as crons
from athanor.runtime.cache import Cache, Key, by_owner
from athanor.runtime.children import WORK, Child, children
from athanor.testing.world import Objects
from athanor.wire.status import ApiError

STAMPS = ["2027-01-15T07:00:00Z", "2027-01-15T07:50:00Z", "2027-01-15T07:59:00Z"]
PHASES = ["", "Pending", "Running", "Running", "Succeeded", "Failed"]


class Seen:
    """Caches of everything that can be made, as a controller would have them."""

    def __init__(self, objects: Objects) -> None:
        self._caches: dict[type[Object], Cache[Object]] = {}
        for view in WORK:
            cache: Cache[Object] = Cache({"owner": by_owner})
            name = of(view).name
            cache.replace(
                [msgspec.convert(o, view) for k, o in objects.items() if k[0] == name], "9"
            )
            self._caches[view] = cache

    def cache(self, view: type[Object]) -> Cache[Object]:
        return self._caches[view]

    def problem(self, key: Key) -> ApiError | None:
        return None


def children_of(objects: Objects, uid: str) -> tuple[Child, ...]:
    return children(Seen(objects), uid)  # type: ignore[arg-type]


def child(
    kind: str, name: str, owner: str, phase: str, notes: JSON | None = None, **status: object
) -> JSON:
    meta = {
        "name": name, "namespace": "default", "uid": f"uid-{name}", "annotations": notes or {},
        "creationTimestamp": STAMPS[0],
        "ownerReferences": [
            {"apiVersion": API_VERSION, "kind": owner, "name": "m", "uid": "maker"}
        ],
    }  # fmt: skip
    told = {**({"phase": phase} if phase else {}), **status}
    if phase in ("Succeeded", "Failed"):
        told["finishedAt"] = STAMPS[2]
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": meta, "spec": {}, "status": told}


@st.composite
def cron_worlds(draw: st.DrawFn) -> tuple[Objects, JSON | None]:
    """A Cron, what it has made, and the last refusal."""
    spec: JSON = {
        "schedule": draw(st.sampled_from(["*/10 * * * *", "@daily", "0 0 31 2 *", "30 7 * * *"])),
        "timeZone": draw(st.sampled_from(["", "Europe/Berlin", "Asia/Kolkata"])),
        "concurrencyPolicy": draw(st.sampled_from(["Allow", "Forbid", "Replace"])),
        "catchUp": draw(st.sampled_from(["Latest", "All", "None"])),
        "suspend": draw(st.sampled_from([False, False, True])),
        "successfulHistoryLimit": draw(st.integers(0, 2)),
        "failedHistoryLimit": draw(st.integers(0, 1)),
        "template": {"spec": {"framework": "generic", "roles": [{"name": "w"}]}},
    }
    if draw(st.booleans()):
        spec["startingDeadlineSeconds"] = draw(st.sampled_from([30, 700]))
    status: JSON = {}
    if draw(st.booleans()):
        status["handledUntil"] = draw(st.sampled_from(STAMPS))
    meta = {"name": "m", "namespace": "default", "uid": "maker", "resourceVersion": "3",
            "creationTimestamp": draw(st.sampled_from(STAMPS))}  # fmt: skip
    head = {"apiVersion": API_VERSION, "kind": "Cron"}
    objects: Objects = {
        ("crons.athanor.dev", "default", "m"): {
            **head, "metadata": meta, "spec": spec, "status": status
        }
    }  # fmt: skip
    for number in range(draw(st.integers(0, 3))):
        notes = {labels.SCHEDULED_AT: draw(st.sampled_from(STAMPS))} if draw(st.booleans()) else {}
        made = child("TrainingJob", f"m-{number}", "Cron", draw(st.sampled_from(PHASES)), notes)
        objects["trainingjobs.athanor.dev", "default", f"m-{number}"] = made
    refusal = draw(st.sampled_from([None, None, "Invalid", "Conflict"]))
    return objects, {"reason": refusal, "message": "no"} if refusal else None


def see_cron(objects: Objects, refusal: JSON | None) -> crons.Observed:
    cron = msgspec.convert(objects["crons.athanor.dev", "default", "m"], Cron)
    return crons.Observed(
        cron=cron,
        children=children_of(objects, "maker"),
        invalid=crons.check(cron),
        refusal=crons.Refusal(**refusal) if refusal else None,
    )
