"""Kubeflow's jobs: PyTorchJob, TFJob, XGBoostJob, JAXJob and MPIJob, and the TrainJob of version 2.

Fields are those of kubeflow.org/v1, /v2beta1 and trainer.kubeflow.org/v1alpha1.
"""

from __future__ import annotations

from athanor.api.meta import JSON
from athanor.sdk.foreign.given import CLEAN, Given, container, job, role, with_command

REPLICAS = {
    "PyTorchJob": ("pytorch", "pytorchReplicaSpecs"),
    "TFJob": ("tensorflow", "tfReplicaSpecs"),
    "XGBoostJob": ("xgboost", "xgbReplicaSpecs"),
    "JAXJob": ("jax", "jaxReplicaSpecs"),
}
RUNTIMES = ("deepspeed", "mpi", "jax", "xgboost", "torch")
"""Words in a runtime's name that tell its framework."""


def replicated(given: Given, kind: str) -> JSON:
    """A job with one template a role."""
    framework, field = REPLICAS[kind]
    spec: JSON = {"roles": _roles(given, field)}
    spec |= _policy(given)
    each = given.take("spec.nprocPerNode")
    elastic: JSON = given.take("spec.elasticPolicy", {})
    part = given.within(elastic, "spec.elasticPolicy")
    each = part.take("nProcPerNode") or each
    if each is not None:
        spec["processesPerReplica"] = _processes(given, each, spec["roles"])
    least, most = part.take("minReplicas"), part.take("maxReplicas")
    if least or most:
        spec["elastic"] = {"min": least or 1, "max": most or least}
        if part.take("rdzvBackend", "c10d") != "c10d":
            given.note("spec.elasticPolicy.rdzvBackend: elastic ranks always meet by c10d here")
        _more(spec, "backoffLimit", part.take("maxRestarts"))
    success = given.take("spec.successPolicy", "")
    if framework == "tensorflow" and success == "AllWorkers":
        spec["successRules"] = [{"ranks": {"worker": []}}]
    elif success not in ("", "AllWorkers"):
        given.note(f"spec.successPolicy: {success} is not known")
    return job(given, framework, spec)


def mpi(given: Given, kind: str) -> JSON:
    """An MPIJob: its launcher needs no ssh here, and its workers no sshd."""
    roles = _roles(given, "spec.mpiReplicaSpecs".removeprefix("spec."))
    made = []
    for one in roles:
        words = container(one["template"]).get("command") or []
        if one["name"] == "worker" and any("sshd" in word for word in words):
            one = {**one, "template": with_command(one["template"], None)}
        made.append(one)
    spec: JSON = {"roles": made, **_policy(given)}
    spec["processesPerReplica"] = given.take("spec.slotsPerWorker")
    for needless in ("sshAuthMountPath", "mpiImplementation", "launcherCreationPolicy"):
        given.take(f"spec.{needless}")  # hosts and agent are told to every implementation
    return job(given, "mpi", spec)


def train(given: Given, kind: str) -> JSON:
    """A TrainJob: the runtime it refers to stays behind, its name tells the framework."""
    name = str(given.take("spec.runtimeRef.name", ""))
    given.take("spec.runtimeRef.kind")
    given.take("spec.runtimeRef.apiGroup")
    word = next((word for word in RUNTIMES if word in name), "")
    framework = {"torch": "pytorch", "": "generic"}.get(word, word)
    trainer = given.within(given.take("spec.trainer", {}), "spec.trainer")
    main: JSON = {"name": "main"}
    for field in ("image", "command", "args", "env"):
        if value := trainer.take(field):
            main[field] = value
    if resources := trainer.take("resourcesPerNode"):
        main["resources"] = resources
    if "image" not in main or "command" not in main:
        given.note(f"spec.runtimeRef: image and command may be in the runtime {name!r}: add them")
    nodes = trainer.take("numNodes", 1)
    template: JSON = {"spec": {"containers": [main]}}
    labels, notes = given.take("spec.labels"), given.take("spec.annotations")
    if labels or notes:
        template["metadata"] = {"labels": labels or {}, "annotations": notes or {}}
    roles = [role("worker", nodes, "OnFailure", template)]
    if framework in ("mpi",):
        lead = role("launcher", 1, "OnFailure", template)
        roles = [lead, role("worker", nodes, "OnFailure", with_command(template, None))]
    each = trainer.take("numProcPerNode")
    spec: JSON = {"roles": roles, "suspend": given.take("spec.suspend", False)}
    if each is not None:
        spec["processesPerReplica"] = _processes(given, each, roles)
    given.take("spec.managedBy")
    return job(given, framework, spec)


def _roles(given: Given, field: str) -> list[JSON]:
    made = []
    for name, body in (given.take(f"spec.{field}") or {}).items():
        part = given.within(body, f"spec.{field}.{name}")
        policy = part.take("restartPolicy", "Never")
        made.append(role(name, part.take("replicas"), policy, part.take("template", {})))
    return made


def _policy(given: Given) -> JSON:
    """runPolicy, which older MPIJobs have at the top."""
    policy = given.within(given.take("spec.runPolicy", {}) or {}, "spec.runPolicy")
    ours: JSON = {}
    for name in ("backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished"):
        value = policy.take(name)
        _set(ours, name, given.take(f"spec.{name}") if value is None else value)
    clean = policy.take("cleanPodPolicy") or given.take("spec.cleanPodPolicy")
    if clean:
        ours["cleanPods"] = CLEAN.get(clean, "Unfinished")
    queueing = given.within(policy.take("schedulingPolicy", {}) or {}, "spec.schedulingPolicy")
    _set(ours, "startingDeadlineSeconds", queueing.take("scheduleTimeoutSeconds"))
    scheduling: JSON = {}
    _set(scheduling, "queue", queueing.take("queue"))
    _set(scheduling, "priorityClassName", queueing.take("priorityClass"))
    if queueing.take("minAvailable") or queueing.take("minResources"):
        given.note("schedulingPolicy.minAvailable: a job starts whole, or with elastic.min ranks")
    policy.take("managedBy")
    return {
        "runPolicy": ours, "scheduling": scheduling, "suspend": policy.take("suspend", False)
    }  # fmt: skip


def _processes(given: Given, each: object, roles: list[JSON]) -> int:
    """A number of processes; `auto` and `gpu` mean one for each device that is asked for."""
    if str(each).isdecimal():
        return int(str(each))
    limits = (container(roles[-1]["template"]).get("resources") or {}).get("limits") or {}
    devices = [int(v) for k, v in limits.items() if "/" in k and str(v).isdecimal()]
    if each == "cpu":
        given.note("nprocPerNode cpu: one process a rank here, set processesPerReplica")
    return max(devices, default=1)


def _set(target: JSON, name: str, value: object) -> None:
    if value not in (None, ""):
        target[name] = value


def _more(spec: JSON, name: str, value: object) -> None:
    if value is not None:
        spec["runPolicy"] = {name: value, **spec.get("runPolicy", {})}
