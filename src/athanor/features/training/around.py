"""What stands around a job's Gang: the files of its wiring, and its launcher's rights.

The launching rank gets an account of its own, a Role over exactly the pods of its job's other
ranks, and their RoleBinding: it may execute commands there and nothing else.
"""

from __future__ import annotations

from athanor.api import labels
from athanor.api.core import ConfigMap, ServiceAccount
from athanor.api.meta import JSON
from athanor.api.registry import Resource, find, of
from athanor.api.training import Role, TrainingJob
from athanor.api.workspaces import Workspace
from athanor.features.training import build
from athanor.features.training.build import Defaults, files_name, owner
from athanor.features.training.frameworks.wiring import Wiring

RBAC = "rbac.authorization.k8s.io"


def _known(word: str) -> Resource:
    found = find(word)
    if found is None:
        raise KeyError(word)
    return found


MAPS, ACCOUNTS, WORKSPACES = of(ConfigMap), of(ServiceAccount), of(Workspace)
ROLES, BINDINGS = _known(f"roles.{RBAC}"), _known(f"rolebindings.{RBAC}")


def objects(job: TrainingJob, wiring: Wiring) -> list[tuple[Resource, JSON]]:
    """Everything that has to be there before the job's pods are, in this order."""
    found: list[tuple[Resource, JSON]] = []
    if wiring.files:
        found.append((MAPS, {"data": dict(wiring.files)}))
    launcher = next((role for role in job.spec.roles if role.name == wiring.commands), None)
    if launcher is not None:
        account = _account(job, launcher)
        if account == files_name(job):
            found.append((ACCOUNTS, {}))
        found.append((ROLES, {"rules": _rules(job, wiring)}))
        found.append((BINDINGS, _bound(job, account)))
    return [(resource, _whole(job, resource, body)) for resource, body in found]


def board(job: TrainingJob, defaults: Defaults) -> JSON | None:
    """The Workspace in which a TensorBoard runs, when the job asks for one and writes anything."""
    asked = job.spec.tensorboard
    place = asked and (asked.log_dir or job.spec.outputs or build.checkpoints(job, defaults))
    if asked is None or not place:
        return None
    first = (job.spec.roles[0].template.get("spec") or {}).get("containers") or [{}]
    words = ["python", "-m", "tensorboard.main", "--host", "127.0.0.1", "--logdir", place]
    words += ["--port", "$(ATHANOR_WORKSPACE_PORT)", "--path_prefix", "$(ATHANOR_BASE_URL)"]
    stop = asked.stop_after_seconds
    spec: JSON = {
        "app": "command", "command": words, "image": asked.image or first[0].get("image", ""),
        "requests": {"cpu": "100m", "memory": "512Mi"}, "storage": "100Mi",
        "mounts": [build.claimed(job, place, defaults) or _claim_of(job, place) or place],
        "idle": {"afterSeconds": min(stop, 1800), "stopAfterSeconds": stop},
    }  # fmt: skip
    queue = job.spec.scheduling.queue
    if queue:
        spec["scheduling"] = {"queue": queue}
    meta = {
        "name": f"{job.metadata.name}-tb", "namespace": job.metadata.namespace,
        "labels": {labels.JOB: job.metadata.name}, "ownerReferences": [owner(job)],
    }  # fmt: skip
    user = job.metadata.annotations.get(labels.USER)
    if user:
        meta["annotations"] = {labels.USER: user}
    return {
        "apiVersion": WORKSPACES.api_version, "kind": WORKSPACES.kind, "metadata": meta,
        "spec": spec,
    }  # fmt: skip


def _claim_of(job: TrainingJob, place: str) -> str:
    """The claim that the first role has a folder from, as a Workspace mounts it; "" for none."""
    spec = job.spec.roles[0].template.get("spec") or {}
    mounts = (spec.get("containers") or [{}])[0].get("volumeMounts") or []
    inside = [m for m in mounts if f"{place}/".startswith(m["mountPath"].rstrip("/") + "/")]
    mount = max(inside, key=lambda m: len(m["mountPath"]), default=None)
    volumes = {volume["name"]: volume for volume in spec.get("volumes") or []}
    volume = volumes.get(mount["name"], {}) if mount is not None else {}
    if mount is None or "persistentVolumeClaim" not in volume:
        return ""
    below = place[len(mount["mountPath"].rstrip("/")) :].strip("/")
    parts = (volume["persistentVolumeClaim"]["claimName"], mount.get("subPath", ""), below)
    return "/".join(part for part in parts if part) + f":{place}"


def _rules(job: TrainingJob, wiring: Wiring) -> list[JSON]:
    pods = [
        f"{job.metadata.name}-{role.name}-{rank}"
        for role in job.spec.roles
        if role.name != wiring.commands
        for rank in range(role.replicas)
    ]
    return [
        {"apiGroups": [""], "resources": ["pods"], "resourceNames": pods, "verbs": ["get"]},
        {
            "apiGroups": [""], "resources": ["pods/exec"], "resourceNames": pods,
            "verbs": ["get", "create"],
        },
    ]  # fmt: skip


def _bound(job: TrainingJob, account: str) -> JSON:
    subject = {
        "kind": "ServiceAccount", "name": account, "namespace": job.metadata.namespace
    }  # fmt: skip
    return {
        "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": files_name(job)},
        "subjects": [subject],
    }


def _account(job: TrainingJob, launcher: Role) -> str:
    spec = launcher.template.get("spec") or {}
    return str(spec.get("serviceAccountName") or files_name(job))


def _whole(job: TrainingJob, resource: Resource, body: JSON) -> JSON:
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {
            "name": files_name(job),
            "namespace": job.metadata.namespace,
            "labels": {labels.JOB: job.metadata.name},
            "ownerReferences": [owner(job)],
        },
        **body,
    }
