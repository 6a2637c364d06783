"""What a new pod gets from its cluster: account and token, priority, tolerations of failures."""

from __future__ import annotations

from athanor.api.meta import JSON
from athanor.local.apiserver import errors
from athanor.local.apiserver.core import Call, Core, decode
from athanor.local.apiserver.kinds.pod_volumes import TOKEN_SOURCES
from athanor.local.apiserver.kinds.pods import containers, default_tolerations
from athanor.wire.status import ApiError

TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
_CLASSES = "priorityclasses.scheduling.k8s.io"
_SYSTEM_PRIORITIES = {
    "system-cluster-critical": 2_000_000_000,
    "system-node-critical": 2_000_001_000,
}


def admit_create(core: Core, call: Call, pod: JSON) -> None:
    """Fill in a new pod. Raises Forbidden."""
    spec = pod["spec"]
    _priority(core, call, pod, spec)
    if spec.get("overhead") and not spec.get("runtimeClassName"):
        raise _refused(
            call, pod,
            "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead",
        )  # fmt: skip
    _account(core, call, pod, spec)
    default_tolerations(spec)


def _refused(call: Call, pod: JSON, why: str) -> ApiError:
    return errors.forbidden(call.resource, pod["metadata"].get("name", ""), why)


def _priority(core: Core, call: Call, pod: JSON, spec: JSON) -> None:
    name, policy = spec.get("priorityClassName") or "", "PreemptLowerPriority"
    value = 0
    if name:
        found = core.known(_CLASSES, "", name)
        if found is None and name not in _SYSTEM_PRIORITIES:
            raise _refused(call, pod, f"no PriorityClass with name {name} was found")
        found = found or {"value": _SYSTEM_PRIORITIES[name]}
    else:
        found = _global_default(core)
        if found is not None:
            spec["priorityClassName"] = found["metadata"]["name"]
    if found is not None:
        value = found.get("value", 0)
        policy = found.get("preemptionPolicy") or policy
    if spec.get("priority") not in (None, value):
        raise _refused(
            call, pod,
            f"the integer value of priority ({spec['priority']}) must not be provided in pod "
            f"spec; priority admission controller computed {value} from the given PriorityClass "
            "name",
        )  # fmt: skip
    if spec.get("preemptionPolicy") not in (None, policy):
        raise _refused(
            call, pod,
            f"the string value of PreemptionPolicy ({spec['preemptionPolicy']}) must not be "
            f"provided in pod spec; priority admission controller computed {policy} from the "
            "given PriorityClass name",
        )  # fmt: skip
    spec["priority"], spec["preemptionPolicy"] = value, policy


def _global_default(core: Core) -> JSON | None:
    return core.derived(_CLASSES, _best_default)


def _best_default(core: Core) -> JSON | None:
    best: JSON | None = None
    for row in core.store.rows(_CLASSES):
        if b'"globalDefault":true' in row.body:
            found = decode(row.body)
            if best is None or found["value"] < best["value"]:
                best = found
    return best


def _account(core: Core, call: Call, pod: JSON, spec: JSON) -> None:
    name = spec.get("serviceAccountName") or "default"
    spec["serviceAccountName"] = spec["serviceAccount"] = name
    namespace = call.target.namespace
    account = core.known("serviceaccounts", namespace, name)
    if account is None:
        raise _refused(
            call, pod,
            f"error looking up service account {namespace}/{name}: serviceaccount "
            f'"{name}" not found',
        )  # fmt: skip
    if (secrets := account.get("imagePullSecrets")) and not spec.get("imagePullSecrets"):
        spec["imagePullSecrets"] = [dict(secret) for secret in secrets]
    wanted = spec.get("automountServiceAccountToken")
    if wanted is None:
        wanted = account.get("automountServiceAccountToken")
    if wanted is not False:
        _mount_token(core, spec)


def _mount_token(core: Core, spec: JSON) -> None:
    """A projected volume with token, CA and namespace, in every container that has none there."""
    lacking = [
        c
        for c in containers(spec)
        if not (mounts := c.get("volumeMounts"))
        or all(m.get("mountPath") != TOKEN_PATH for m in mounts)
    ]
    if not lacking:
        return
    name = f"kube-api-access-{core.ids.suffix()}"
    spec["volumes"] = [*(spec.get("volumes") or ()), {"name": name, "projected": TOKEN_SOURCES}]
    for container in lacking:
        mount = {"name": name, "readOnly": True, "mountPath": TOKEN_PATH}
        container["volumeMounts"] = [*(container.get("volumeMounts") or ()), mount]
