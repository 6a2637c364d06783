"""Situations of objects that make others (crons, sweeps, workflows), as hypothesis strategies."""

from __future__ import annotations

import msgspec
from hypothesis import strategies as st

from athanor.api import labels
from athanor.api.crons import Cron
from athanor.api.meta import API_VERSION, JSON, Object
from athanor.api.registry import of
from athanor.api.scheduling import Gang
from athanor.api.sweeps import Sweep
from athanor.api.workflows import Workflow
from athanor.api.workspaces import Workspace
from athanor.features.crons import observe as crons
from athanor.features.sweeps import observe as sweeps
from athanor.features.workflows import observe as workflows
from athanor.features.workspaces import observe as workspaces
from athanor.features.workspaces import rules as workspace_rules
from athanor.features.workspaces.states import PHASES as WORKSPACE_PHASES
from athanor.runtime.cache import Cache, Key, Refusal, by_owner
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
        refusal=Refusal(**refusal) if refusal else None,
    )


@st.composite
def sweep_worlds(draw: st.DrawFn) -> tuple[Objects, JSON | None, str]:
    """A Sweep, its trials, the last refusal, and how the model stands."""
    when = {"parameter": "a", "values": ["u"]}
    spec: JSON = {
        "parameters": [
            {"name": "a", "type": "Choice", "choices": ["u", "v"]},
            {"name": "x", "type": "Float", "min": 0, "max": 1, "when": when},
        ],
        "objective": {"metric": "loss", "goal": draw(st.sampled_from(["Minimize", "Maximize"]))},
        "algorithm": {
            "name": draw(st.sampled_from(["Random", "Grid", "TPE"])),
            "startup": draw(st.integers(0, 3)),
        },
        "maxTrials": draw(st.integers(1, 6)), "parallelism": draw(st.integers(1, 30)),
        "maxFailed": draw(st.integers(0, 2)),
        "suspend": draw(st.sampled_from([False, False, True])),
        "template": {"spec": {"framework": "generic", "roles": [
            {"name": "w", "gpu": {"milli": 500}, "template": {"args": ["${parameters.x}"]}},
        ]}},
    }  # fmt: skip
    if draw(st.booleans()):
        spec["earlyStop"] = {"minSteps": draw(st.integers(1, 5)), "reduction": 2}
    if draw(st.booleans()):
        spec["budget"] = {"gpuHours": draw(st.sampled_from(["1m", "1", "100"]))}
    if draw(st.booleans()):
        spec["ttlSecondsAfterFinished"] = draw(st.sampled_from([0, 90]))
    if draw(st.integers(0, 4)) == 0:
        spec["template"]["spec"]["outputs"] = "/${parameters.z}"
    status: JSON = {
        "phase": draw(st.sampled_from(["Pending", "Running", "Suspended", "Running", "Succeeded"]))
    }
    if status["phase"] == "Succeeded":
        status["finishedAt"] = STAMPS[1]
    objects: Objects = {}
    rows = []
    for number in range(draw(st.integers(0, 5))):
        if draw(st.integers(0, 3)):
            state = ["Running", "Running", "Succeeded", "Pruned", "Failed", "Stopped"]
            rows.append({
                "number": number, "state": draw(st.sampled_from(state)), "parameters": {"a": "v"},
                "since": draw(st.sampled_from(STAMPS)),
            })  # fmt: skip
        if draw(st.integers(0, 3)):
            notes = {labels.TRIAL: str(number), labels.PARAMETERS: '{"a":"u","x":0.5}'}
            said: JSON = {"startedAt": STAMPS[0]}
            if draw(st.booleans()):
                metrics = {"loss": draw(st.sampled_from([0.0, 0.5, 1.0]))}
                said["progress"] = {"step": draw(st.integers(0, 9)), "metrics": metrics}
            phase = draw(st.sampled_from(PHASES))
            made = child("TrainingJob", f"m-{number}", "Sweep", phase, notes, **said)
            objects["trainingjobs.athanor.dev", "default", f"m-{number}"] = made
    status["trials"] = rows
    meta = {"name": "m", "namespace": "default", "uid": "maker", "resourceVersion": "3"}
    objects["sweeps.athanor.dev", "default", "m"] = {
        "apiVersion": API_VERSION, "kind": "Sweep", "metadata": meta, "spec": spec,
        "status": status,
    }  # fmt: skip
    refusal = draw(st.sampled_from([None, None, None, "Invalid", "Conflict"]))
    model = draw(st.sampled_from(["ready", "ready", "loading", "there is none"]))
    return objects, {"reason": refusal, "message": "no"} if refusal else None, model


def see_sweep(objects: Objects, refusal: JSON | None, model: str) -> sweeps.Observed | None:
    found = objects.get(("sweeps.athanor.dev", "default", "m"))
    if found is None:
        return None
    return sweeps.Observed(
        sweep=msgspec.convert(found, Sweep),
        trials=children_of(objects, "maker"),
        refusal=Refusal(**refusal) if refusal else None,
        model=model,
    )


@st.composite
def workflow_worlds(draw: st.DrawFn) -> tuple[Objects, JSON | None]:
    """A Workflow, its steps' objects, and the last refusal."""
    names = ["a", "b", "c", "d"][: draw(st.integers(1, 4))]
    steps = []
    for place, name in enumerate(names):
        roles = [{"name": "w", "template": {"spec": {"containers": [{"name": "main"}]}}}]
        step: JSON = {"name": name, "template": {"spec": {"roles": roles}}}
        if place and draw(st.booleans()):
            step["dependsOn"] = [draw(st.sampled_from(names[:place]))]
        if draw(st.integers(0, 9)) == 0:
            step["dependsOn"] = [draw(st.sampled_from([*names, "z"]))]
        if draw(st.integers(0, 3)) == 0:
            step["withItems"] = draw(st.lists(st.sampled_from(["x", "y", 3]), max_size=3))
        if draw(st.integers(0, 3)) == 0:
            step["withParam"] = draw(st.sampled_from(["[1, 2]", "[]", "none"]))
        if draw(st.integers(0, 3)) == 0:
            step["when"] = draw(st.sampled_from(["true", "workflow.name != 'm'", "1 <", "3"]))
        if draw(st.booleans()):
            step["retries"] = {"limit": draw(st.integers(0, 2)),
                               "backoffSeconds": draw(st.sampled_from([0, 1000]))}  # fmt: skip
        step["continueOnFailure"] = draw(st.booleans())
        step["parallelism"] = draw(st.integers(0, 1))
        steps.append(step)
    spec: JSON = {
        "steps": steps, "parallelism": draw(st.integers(0, 2)),
        "suspend": draw(st.sampled_from([False, False, True])), "resumes": draw(st.integers(0, 1)),
    }  # fmt: skip
    if draw(st.booleans()):
        spec["onExit"] = {**steps[0], "name": "bye", "dependsOn": []}
    if draw(st.booleans()):
        spec["ttlSecondsAfterFinished"] = draw(st.sampled_from([0, 90]))
    status: JSON = {
        "phase": draw(st.sampled_from(["Pending", "Running", "Suspended", "Failed", "Succeeded"]))
    }
    if status["phase"] in ("Failed", "Succeeded"):
        status["finishedAt"] = STAMPS[1]
    objects: Objects = {}
    rows = []
    for name in names:
        if draw(st.integers(0, 2)) == 0:
            continue
        attempt = draw(st.integers(1, 3))
        suffix = "" if attempt == 1 else f"-r{attempt - 1}"
        states = ["Running", "Succeeded", "Failed", "Waiting"]
        if draw(st.integers(0, 3)):
            rows.append({
                "name": name, "phase": draw(st.sampled_from(states)), "attempt": attempt,
                "object": f"m-{name}{suffix}", "since": draw(st.sampled_from(STAMPS)),
                "finishedAt": STAMPS[2],
            })  # fmt: skip
        if draw(st.integers(0, 3)):
            notes = {labels.STEP: f"{name}/-1/{attempt}"}
            phase = draw(st.sampled_from(PHASES))
            made = child("TrainingJob", f"m-{name}{suffix}", "Workflow", phase, notes)
            objects["trainingjobs.athanor.dev", "default", f"m-{name}{suffix}"] = made
    status["steps"] = rows
    meta = {"name": "m", "namespace": "default", "uid": "maker", "resourceVersion": "3"}
    objects["workflows.athanor.dev", "default", "m"] = {
        "apiVersion": API_VERSION, "kind": "Workflow", "metadata": meta, "spec": spec,
        "status": status,
    }  # fmt: skip
    refusal = draw(st.sampled_from([None, None, None, "Invalid", "Conflict"]))
    return objects, {"reason": refusal, "message": "no"} if refusal else None


def see_workflow(objects: Objects, refusal: JSON | None) -> workflows.Observed | None:
    found = objects.get(("workflows.athanor.dev", "default", "m"))
    if found is None:
        return None
    return workflows.Observed(
        workflow=msgspec.convert(found, Workflow),
        objects=children_of(objects, "maker"),
        has_claim=("persistentvolumeclaims", "default", "m-artifacts") in objects,
        refusal=Refusal(**refusal) if refusal else None,
    )


@st.composite
def workspace_worlds(draw: st.DrawFn) -> tuple[Objects, JSON | None]:
    """A Workspace, its Gang, its claim, and the last refusal."""
    spec: JSON = {
        "app": draw(st.sampled_from(["jupyter", "command"])), "stopped": draw(st.booleans()),
        "starts": draw(st.integers(0, 1)), "requests": {"cpu": "1", "nvidia.com/gpu": 1},
        "idle": {"afterSeconds": draw(st.sampled_from([0, 30, 1800])),
                 "stopAfterSeconds": draw(st.sampled_from([0, 90, 3600]))},
    }  # fmt: skip
    if draw(st.booleans()):
        spec["command"] = ["serve"]
    if draw(st.booleans()):
        spec["hours"] = {"start": draw(st.sampled_from(["0 8 * * *", "59 7 * * *"])),
                         "stop": "*/15 * * * *"}  # fmt: skip
    status: JSON = {
        "phase": draw(st.sampled_from(WORKSPACE_PHASES)), "starts": draw(st.integers(0, 1)),
        "stopped": draw(st.sampled_from(["", "", "Idle", "Hours"])),
    }  # fmt: skip
    for field in ("runningSince", "hoursUntil", "stoppedAt"):
        if draw(st.booleans()):
            status[field] = draw(st.sampled_from(STAMPS))
    if draw(st.booleans()):
        status["activity"] = {"web": draw(st.sampled_from(STAMPS)), "gpuBusySeconds": 9.0}
    meta = {"name": "m", "namespace": "default", "uid": "maker", "resourceVersion": "3"}
    objects: Objects = {
        ("workspaces.athanor.dev", "default", "m"): {
            "apiVersion": API_VERSION, "kind": "Workspace", "metadata": meta, "spec": spec,
            "status": status,
        }
    }  # fmt: skip
    if draw(st.booleans()):
        phases = ["Pending", "Starting", "Running", "Running", "Suspended", "Evicting", "Failed"]
        gang = child("Gang", "ws-m", "Workspace", draw(st.sampled_from(phases)))
        gang["spec"] = {"podSets": [{"name": "main"}], "suspend": draw(st.booleans())}
        objects["gangs.athanor.dev", "default", "ws-m"] = gang
    refusal = draw(st.sampled_from([None, None, None, "Invalid", "Conflict"]))
    return objects, {"reason": refusal, "message": "no"} if refusal else None


def see_workspace(objects: Objects, refusal: JSON | None) -> workspaces.Observed:
    found = msgspec.convert(objects["workspaces.athanor.dev", "default", "m"], Workspace)
    gang = objects.get(("gangs.athanor.dev", "default", "ws-m"))
    return workspaces.Observed(
        workspace=found,
        gang=msgspec.convert(gang, Gang) if gang is not None else None,
        has_claim=("persistentvolumeclaims", "default", "ws-m-home") in objects,
        wrong=workspace_rules.wrong(found),
        refusal=Refusal(**refusal) if refusal else None,
    )
