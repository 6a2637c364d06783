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
from athanor.features.training.build import files_name, owner
from athanor.features.training.frameworks.wiring import Wiring

RBAC = "rbac.authorization.k8s.io"


def _known(word: str) -> Resource:
    found = find(word)
    if found is None:
        raise KeyError(word)
    return found


MAPS, ACCOUNTS = of(ConfigMap), of(ServiceAccount)
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
