"""TensorStack's T9k jobs (batch.tensorstack.dev/v1beta1): one kind a framework.

PyTorchTrainingJob, TensorFlowTrainingJob, XGBoostTrainingJob, GenericJob, DeepSpeedJob, MPIJob.
"""

from __future__ import annotations

from athanor.api.meta import JSON
from athanor.sdk.foreign.given import CLEAN, Given, container, job, role, with_command

FRAMEWORKS = {
    "PyTorchTrainingJob": "pytorch",
    "TensorFlowTrainingJob": "tensorflow",
    "XGBoostTrainingJob": "xgboost",
    "GenericJob": "generic",
}


def replicated(given: Given, kind: str) -> JSON:
    """A job with a list of replica specs."""
    common = _common(given)
    roles, retries = _roles(given)
    if retries:
        common["runPolicy"] = {"backoffLimit": retries, **common["runPolicy"]}
    spec: JSON = {"roles": roles, **common}
    for rules in ("successRules", "failureRules"):
        found = given.take(f"spec.{rules}") or []
        spec[rules] = [{"ranks": {name.lower(): ranks for name, ranks in one.items()}}
                       for one in found]  # fmt: skip
    if kind == "PyTorchTrainingJob":
        _torchrun(given, spec)
    if ports := given.take("spec.service.ports"):
        given.note(
            f"spec.service.ports: a headless Service names all ranks, whatever port: {ports}"
        )
    return job(given, FRAMEWORKS[kind], spec)


def deepspeed(given: Given, kind: str) -> JSON:
    """A DeepSpeedJob: python, module or exec become the command of every worker."""
    run = given.within(given.take("spec.config", {}) or {}, "spec.config")
    slots = run.take("slotsPerWorker")
    command = _deepspeed_command(run)
    worker = given.within(given.take("spec.worker", {}) or {}, "spec.worker")
    template = worker.take("template", {})
    if command:
        template = with_command(template, command)
    roles = [
        role("worker", worker.take("replicas"), worker.take("restartPolicy", "OnFailure"), template)
    ]
    elastic = given.take("spec.elastic", {}) or {}
    if elastic.get("enabled"):
        given.note("spec.elastic: ranks of deepspeed cannot come and go here; athanor resize can")
    given.take("spec.disableCustomEnv")  # variables are set in every rank, no file is needed
    spec = {"roles": roles, "processesPerReplica": slots, **_common(given)}
    return job(given, "deepspeed", spec)


def _deepspeed_command(run: Given) -> list[str]:
    own = run.take("customCommand")
    if own:
        return ["sh", "-c", own] if isinstance(own, str) else list(own)
    more = [str(word) for word in run.take("otherArgs") or []]
    if run.take("localRank") is False:
        more.append("--no_local_rank")
    python, module, program = (run.take(f"run.{kind}") for kind in ("python", "module", "exec"))
    if more:  # flags of the launcher itself: name it, so that they stay before the program
        flag = ["--module"] if module else ["--no_python"] if program else []
        return ["deepspeed", *more, *flag, *(python or module or program or [])]
    if python:
        return ["python", *python]
    return ["python", "-m", *module] if module else list(program or [])


def mpi(given: Given, kind: str) -> JSON:
    """An MPIJob: the launcher that T9k adds is a role of its own here."""
    worker = given.within(given.take("spec.worker", {}) or {}, "spec.worker")
    config = given.within(given.take("spec.mpi", {}) or {}, "spec.mpi")
    home = given.take("spec.mpiHome") or config.take("home") or ""
    words = worker.take("cmd") or config.take("script") or []
    more = worker.take("extraMPIArgs") or config.take("extraArgs") or []
    settings = given.take("spec.mca") or config.take("mca") or {}
    replicas = worker.take("replicas", 1)
    program = f"{home.rstrip('/')}/bin/mpirun" if home else "mpirun"
    count = [] if {"-n", "-np", "--np"} & set(map(str, more)) else ["-n", str(replicas)]
    template = worker.take("template", {})
    launch = with_command(template, [program, *count, *map(str, more), *words])
    main = container(launch)
    main["env"] = [
        *({"name": f"OMPI_MCA_{key}", "value": str(value)} for key, value in settings.items()),
        *(main.get("env") or []),
    ]
    main["resources"] = {"requests": {"cpu": "100m"}}
    given.take("spec.ssh")  # no ssh is needed
    roles = [
        role("launcher", 1, "OnFailure", launch),
        role("worker", replicas, "OnFailure", with_command(template, None)),
    ]
    return job(given, "mpi", {"roles": roles, **_common(given)})


def _torchrun(given: Given, spec: JSON) -> None:
    """torchrunConfig and elastic."""
    run = given.within(given.take("spec.torchrunConfig", {}) or {}, "spec.torchrunConfig")
    enabled = run.take("enabled", False)
    each, restarts = run.take("procPerNode"), run.take("maxRestarts")
    backend, options = run.take("rdzvBackend", "c10d"), run.take("extraOptions") or []
    if enabled:
        spec["roles"] = [_with_torchrun(one, options) for one in spec["roles"]]
        if str(each or "").isdecimal():
            spec["processesPerReplica"] = int(each)
        elif each:
            given.note(f"spec.torchrunConfig.procPerNode {each}: set processesPerReplica")
        if restarts is not None:
            spec["runPolicy"] = {"backoffLimit": restarts, **spec["runPolicy"]}
    if backend != "c10d":
        given.note(f"spec.torchrunConfig.rdzvBackend {backend}: elastic ranks meet by c10d here")
    elastic = given.within(given.take("spec.elastic", {}) or {}, "spec.elastic")
    least, most = elastic.take("minReplicas"), elastic.take("maxReplicas")
    if elastic.take("enabled") and enabled and (least or most):
        name = spec["roles"][-1]["name"]
        spec["elastic"] = {"min": least or 1, "max": most or least, "role": name}
        elastic.take("expectedReplicas")


def _with_torchrun(one: JSON, options: list[str]) -> JSON:
    main = container(one["template"])
    words = [*(main.get("command") or []), *(main.get("args") or [])]
    if not words or words[0].rsplit("/", 1)[-1] == "torchrun":
        return one
    rest = words[1:] if words[0].startswith("python") else ["--no-python", *words]
    return {**one, "template": with_command(one["template"], ["torchrun", *options, *rest])}


def _roles(given: Given) -> tuple[list[JSON], int]:
    made, retries = [], 0
    for number, body in enumerate(given.take("spec.replicaSpecs") or []):
        part = given.within(body, f"spec.replicaSpecs[{number}]")
        policy = part.take("restartPolicy", "OnFailure")
        if isinstance(policy, dict):
            retries += policy.get("limit") or 0
            policy = policy.get("policy", "OnFailure")
        if part.take("scalingWeight"):
            given.note("scalingWeight: one role is elastic here")
        kind = part.take("type", "worker")
        made.append(role(kind, part.take("replicas"), policy, part.take("template", {})))
    return made, retries


def _common(given: Given) -> JSON:
    """Run policy, run mode and scheduler, which all kinds share."""
    policy = given.within(given.take("spec.runPolicy", {}) or {}, "spec.runPolicy")
    ours: JSON = {}
    for name in ("backoffLimit", "activeDeadlineSeconds"):
        if (value := policy.take(name)) is not None:
            ours[name] = value
    clean = policy.take("cleanUpPolicy") or given.take("spec.cleanUpPolicy")
    workers = policy.take("cleanUpWorkers")
    if clean or workers is not None:
        ours["cleanPods"] = CLEAN.get(clean or ("All" if workers else "None"), "Unfinished")
    scheduler = given.within(given.take("spec.scheduler.t9kScheduler", {}) or {}, "spec.scheduler")
    queue, priority = scheduler.take("queue"), scheduler.take("priority")
    if priority:
        given.note(
            f"spec.scheduler.t9kScheduler.priority {priority}: priorities are PriorityClasses here "
            "(athanor prioritize)"
        )
    debug = given.take("spec.runMode.debug", {}) or {}
    pause = given.take("spec.runMode.pause", {}) or {}
    if debug.get("replicaSpecs"):
        given.note("spec.runMode.debug.replicaSpecs: ranks wait before their own command here")
    if pause.get("resumeSpecs"):
        given.note("spec.runMode.pause.resumeSpecs: change the template before athanor resume")
    return {
        **_board(given),
        "runPolicy": ours,
        "debug": bool(debug.get("enabled")),
        "suspend": bool(pause.get("enabled")),
        "scheduling": {"queue": queue} if queue else {},
    }


def _board(given: Given) -> JSON:
    board = given.take("spec.tensorboardSpec")
    if not board:
        return {}
    part = given.within(board, "spec.tensorboardSpec")
    image = part.take("image", "")
    if files := part.take("trainingLogFilesets"):
        given.note(
            f"spec.tensorboardSpec.trainingLogFilesets {', '.join(map(str, files))}: set "
            "tensorboard.logDir to the path at which the ranks write there"
        )
    return {"tensorboard": {"image": image} if image else {}}
