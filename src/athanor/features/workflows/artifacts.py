"""A directory that all steps of a workflow share: files go from step to step through it.

On one machine it is a directory of the platform's, mounted at its own path; on a cluster a claim
that many pods may write. Each step's own part is below it, under the step's name (and item).
"""

from __future__ import annotations

from msgspec import Struct

from athanor.api.meta import JSON
from athanor.api.workflows import StepStatus, Workflow

MOUNT = "/athanor/artifacts"
VOLUME = "athanor-artifacts"


class Places(Struct, frozen=True, kw_only=True):
    """Where artifacts lie: below `root` of each machine, or in claims of a storage class."""

    root: str = ""
    storage_class: str = ""
    storage: str = "10Gi"


def mount(workflow: Workflow, places: Places) -> str:
    """Where pods see a workflow's directory."""
    if not places.root:
        return MOUNT
    meta = workflow.metadata  # a namesake starts from nothing
    return f"{places.root}/{meta.namespace}/{meta.name}-{meta.uid[:8]}"


def own(row: StepStatus, root: str) -> str:
    """The directory of one step, or of one of its items."""
    return f"{root}/{row.name}" + ("" if row.index is None else f"/{row.index}")


def claim(workflow: Workflow, places: Places) -> JSON | None:
    """The claim to be made, where artifacts go to one."""
    if places.root or not wanted(workflow):
        return None
    meta = workflow.metadata
    spec: JSON = {
        "accessModes": ["ReadWriteMany"],
        "resources": {"requests": {"storage": places.storage}},
    }
    if places.storage_class:
        spec["storageClassName"] = places.storage_class
    owner = {
        "apiVersion": "athanor.dev/v1alpha1", "kind": "Workflow", "name": meta.name,
        "uid": meta.uid,
    }  # fmt: skip
    return {
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": claim_name(workflow), "namespace": meta.namespace,
                     "ownerReferences": [owner]},
        "spec": spec,
    }  # fmt: skip


def claim_name(workflow: Workflow) -> str:
    """The name of a workflow's claim."""
    return f"{workflow.metadata.name}-artifacts"


def wanted(workflow: Workflow) -> bool:
    """Whether any step has pods that could use the directory."""
    return any(_pod_sets(s.template.kind, s.template.spec) for s in workflow.spec.steps)


def given(workflow: Workflow, row: StepStatus, places: Places, template: JSON) -> JSON:
    """A step's template whose pods see the directory: ATHANOR_ARTIFACTS, ATHANOR_OUTPUT_DIR."""
    root = mount(workflow, places)
    if places.root:
        volume: JSON = {"hostPath": {"path": root, "type": "DirectoryOrCreate"}}
    else:
        volume = {"persistentVolumeClaim": {"claimName": claim_name(workflow)}}
    env = {"ATHANOR_ARTIFACTS": root}
    if not template.get("spec", {}).get("outputs"):
        env["ATHANOR_OUTPUT_DIR"] = own(row, root)
    spec = template.get("spec") or {}
    name = _pod_sets(template["kind"], spec)
    if not name:
        return template
    sets = [_with(one, root, {"name": VOLUME, **volume}, env) for one in spec[name]]
    return {**template, "spec": {**spec, name: sets}}


def _pod_sets(kind: str, spec: JSON) -> str:
    """The field that holds a kind's pod templates, when it has some."""
    name = {"TrainingJob": "roles", "Gang": "podSets"}.get(kind, "")
    return name if isinstance(spec.get(name), list) else ""


def _with(one: JSON, root: str, volume: JSON, env: dict[str, str]) -> JSON:
    template = one.get("template") or {}
    pod = template.get("spec") or {}
    variables = [{"name": name, "value": value} for name, value in env.items()]
    mounted = {"name": VOLUME, "mountPath": root}
    containers = [
        {
            **container,
            "env": [*variables, *(container.get("env") or [])],
            "volumeMounts": [*(container.get("volumeMounts") or []), mounted],
        }
        for container in pod.get("containers") or []
    ]
    spec = {**pod, "containers": containers, "volumes": [*(pod.get("volumes") or []), volume]}
    return {**one, "template": {**template, "spec": spec}}
