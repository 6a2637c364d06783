"""Kubeflow's jobs: PyTorchJob, TFJob, XGBoostJob, JAXJob and MPIJob, and the TrainJob of version 2.

Fields are those of kubeflow.org/v1, /v2beta1 and trainer.kubeflow.org/v1alpha1.
"""

from __future__ import annotations

from athanor.api.meta import JSON
from athanor.sdk.foreign import shape
from athanor.sdk.foreign.given import Given

REPLICAS = {
    "PyTorchJob": ("pytorch", "pytorchReplicaSpecs", "OnFailure"),
    "TFJob": ("tensorflow", "tfReplicaSpecs", "Never"),
    "XGBoostJob": ("xgboost", "xgbReplicaSpecs", "Never"),
    "JAXJob": ("jax", "jaxReplicaSpecs", "Never"),
}
"""Kind → framework, where its replicas stand, and the restart policy that holds unless said."""
POLICY = "spec.runPolicy.suspend"
RUNTIMES = ("deepspeed", "mpi", "jax", "xgboost", "torch")
"""Words in a runtime's name that tell its framework."""


def replicated(given: Given, kind: str) -> JSON:
    """A job with one template a role."""
    framework, field, policy = REPLICAS[kind]
    roles = [_role(part, name, policy) for name, part in given.named(f"spec.{field}")]
    spec: JSON = {"roles": roles, **_policy(given)}
    if framework == "pytorch":
        _torch(given, spec)
    success = given.take("spec.successPolicy")
    if framework == "tensorflow" and success == "AllWorkers":
        spec["successRules"] = [{"ranks": {"worker": []}}]
    elif success:
        given.note("spec.successPolicy", f"{success} is not known: see spec.successRules")
    return shape.job(given, framework, spec, suspends=POLICY)


def _torch(given: Given, spec: JSON) -> None:
    """nprocPerNode and elasticPolicy."""
    elastic = given.part("spec.elasticPolicy")
    last = (spec["roles"] or [{"template": {}}])[-1]["template"]
    for part, path in ((given, "spec.nprocPerNode"), (elastic, "nProcPerNode")):
        each = part.take(path)
        if each is None:
            continue
        if "processesPerReplica" in spec:
            part.note(path, f"{each}: spec.nprocPerNode holds")
        else:
            spec["processesPerReplica"] = shape.processes(part, path, each, last)
    least, most = elastic.take("minReplicas"), elastic.take("maxReplicas")
    if least or most:
        spec["elastic"] = {"min": least or 1, "max": most or least}
        _c10d(elastic)
        spec["runPolicy"] = shape.retries(
            elastic, "maxRestarts", elastic.take("maxRestarts"), spec["runPolicy"]
        )


def _c10d(elastic: Given) -> None:
    backend = elastic.take("rdzvBackend", "c10d")
    if backend != "c10d":
        elastic.note("rdzvBackend", f"{backend}: elastic ranks always meet by c10d here")


def mpi(given: Given, kind: str) -> JSON:
    """An MPIJob: its launcher needs no ssh here, and its workers no sshd."""
    made = []
    for name, part in given.named("spec.mpiReplicaSpecs"):
        launcher = name.lower() == "launcher"
        one = _role(part, name, "OnFailure" if launcher else "Never")
        if not launcher and any("sshd" in word for word in shape.words(one["template"])):
            one = shape.instead(part, one, None)
        made.append(one)
    spec: JSON = {"roles": made, **_policy(given)}
    spec["processesPerReplica"] = given.take("spec.slotsPerWorker")
    why = "hosts and launch agent are told to every implementation, there is no ssh"
    for field in ("sshAuthMountPath", "mpiImplementation"):
        given.needless(f"spec.{field}", why)
    given.needless("spec.launcherCreationPolicy", "a job's ranks start together")
    return shape.job(given, "mpi", spec, suspends=POLICY)


def train(given: Given, kind: str) -> JSON:
    """A TrainJob: the runtime it refers to stays behind, its name tells the framework."""
    runtime = given.part("spec.runtimeRef")
    name = str(runtime.take("name", ""))
    for field in ("kind", "apiGroup"):
        runtime.take(field)
    word = next((word for word in RUNTIMES if word in name), "")
    framework = {"torch": "pytorch", "": "generic"}.get(word, word)
    trainer = given.part("spec.trainer")
    main: JSON = {"name": "main"}
    for field in ("image", "command", "args", "env"):
        if value := trainer.take(field):
            main[field] = value
    if resources := trainer.take("resourcesPerNode"):
        main["resources"] = resources
    missing = [field for field in ("image", "command") if field not in main]
    told = f", and so may {' and '.join(missing)}: add them" if missing else ""
    given.note(
        "spec.runtimeRef",
        f"what the runtime {name!r} says stays behind (framework {framework}, by its name){told}",
    )
    nodes = trainer.take("numNodes", 1)
    meta = {key: given.take(f"spec.{key}") for key in ("labels", "annotations")}
    meta = {key: value for key, value in meta.items() if value}
    template: JSON = {"spec": {"containers": [main]}} | ({"metadata": meta} if meta else {})
    worker = {"replicas": nodes, "template": template}
    roles = [shape.role(Given(worker), "worker", "OnFailure")]
    if framework == "mpi":
        bare = {"replicas": nodes, "template": shape.with_command(template, None)}
        roles = [
            shape.role(Given({"template": template}), "launcher", "OnFailure"),
            shape.role(Given(bare), "worker", "OnFailure"),
        ]
    spec: JSON = {"roles": roles, "suspend": given.take("spec.suspend", False)}
    if (deadline := given.take("spec.activeDeadlineSeconds")) is not None:
        spec["runPolicy"] = {"activeDeadlineSeconds": deadline}
    if (each := trainer.take("numProcPerNode")) is not None:
        spec["processesPerReplica"] = shape.processes(trainer, "numProcPerNode", each, template)
    return shape.job(given, framework, spec, suspends="spec.suspend")


def _role(part: Given, name: str, policy: str) -> JSON:
    return shape.role(part, name, part.take("restartPolicy", policy))


def _policy(given: Given) -> JSON:
    """runPolicy, which older MPIJobs have at the top."""
    policy = given.part("spec.runPolicy")
    ours: JSON = {}
    for name in ("backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished"):
        value = policy.take(name)
        _set(ours, name, given.take(f"spec.{name}") if value is None else value)
    if word := policy.take("cleanPodPolicy"):
        ours |= shape.clean(policy, "cleanPodPolicy", word)
    else:
        ours |= shape.clean(given, "spec.cleanPodPolicy", given.take("spec.cleanPodPolicy"))
    queueing = policy.part("schedulingPolicy")
    _set(ours, "startingDeadlineSeconds", queueing.take("scheduleTimeoutSeconds"))
    scheduling: JSON = {}
    _set(scheduling, "queue", queueing.take("queue"))
    _set(scheduling, "priorityClassName", queueing.take("priorityClass"))
    whole = "a job starts whole, or with elastic.min ranks"
    for field in ("minAvailable", "minResources"):
        queueing.needless(field, whole)
    return {
        "runPolicy": ours, "scheduling": scheduling, "suspend": policy.take("suspend", False)
    }  # fmt: skip


def _set(target: JSON, name: str, value: object) -> None:
    if value not in (None, ""):
        target[name] = value
