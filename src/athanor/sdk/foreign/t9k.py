"""TensorStack's T9k jobs (batch.tensorstack.dev/v1beta1): one kind a framework.

PyTorchTrainingJob, TensorFlowTrainingJob, XGBoostTrainingJob, GenericJob, DeepSpeedJob and
ColossalAIJob, in the shapes of the manuals of 2024 and 2025; MPIJob is in `t9k_mpi`, BeamJob in
`t9k_beam`.
"""

from __future__ import annotations

import shlex

from athanor.api.meta import JSON
from athanor.sdk.foreign import shape
from athanor.sdk.foreign.boards import board
from athanor.sdk.foreign.given import Given

FRAMEWORKS = {
    "PyTorchTrainingJob": "pytorch",
    "TensorFlowTrainingJob": "tensorflow",
    "XGBoostTrainingJob": "xgboost",
    "GenericJob": "generic",
}
NO_SSH = "processes are started through the Kubernetes API"


def replicated(given: Given, kind: str) -> JSON:
    """A job with a list of replica specs."""
    spec = common(given)
    spec["roles"] = [role(part, spec) for part in given.parts("spec.replicaSpecs")]
    for rules in ("successRules", "failureRules"):
        spec[rules] = [_rule(one) for one in given.take(f"spec.{rules}", [])]
    if kind == "PyTorchTrainingJob":
        _torchrun(given, spec)
    given.needless("spec.service.ports", "a headless Service names every rank, whatever port")
    spec["tensorboard"] = board(given, spec["roles"])
    return shape.job(given, FRAMEWORKS[kind], spec)


def _rule(ranks: object) -> JSON:
    if not isinstance(ranks, dict):
        raise ValueError(f"rule {ranks!r:.40}: role: [ranks] is a rule")
    return {"ranks": {str(name).lower(): which for name, which in ranks.items()}}


def deepspeed(given: Given, kind: str) -> JSON:
    """A DeepSpeedJob: python, module or exec become the command of every worker."""
    spec = common(given)
    run = given.part("spec.config")
    spec["processesPerReplica"] = run.take("slotsPerWorker")
    worker = given.part("spec.worker")
    one = role(worker, spec)
    if command := _deepspeed_command(run):
        one = shape.instead(worker, one, command)
    spec["roles"] = [one]
    if enabled(elastic := given.part("spec.elastic")):
        for field in ("minReplicas", "maxReplicas", "expectedReplicas"):
            elastic.take(field)
        given.note("spec.elastic", "ranks of deepspeed cannot come and go; athanor resize can")
    given.needless("spec.disableCustomEnv", "variables are set in every rank, without a file")
    return shape.job(given, "deepspeed", spec)


def _deepspeed_command(run: Given) -> list[str]:
    if own := run.take("customCommand"):
        return ["sh", "-c", own] if isinstance(own, str) else line(own)
    more = line(run.take("otherArgs"))
    if run.take("localRank") is False:
        more.append("--no_local_rank")
    starts = {"python": (["python"], []), "module": (["python", "-m"], ["--module"]),
              "exec": ([], ["--no_python"])}  # fmt: skip
    for kind, (alone, flag) in starts.items():
        if program := line(run.take(f"run.{kind}")):
            # flags of the launcher itself: name it, so that they stay before the program
            return ["deepspeed", *more, *flag, *program] if more else [*alone, *program]
    return ["deepspeed", *more] if more else []


def colossal(given: Given, kind: str) -> JSON:
    """A ColossalAIJob: torchrun in every worker; there is no launcher."""
    spec = common(given)
    config, worker = given.part("spec.torchConfig"), given.part("spec.worker")
    program = line(config.take("script")) or line(worker.take("command"))
    more = line(config.take("extraArgs")) or line(worker.take("torchArgs"))
    run = ["torchrun", *more, *program] if program else []
    each = config.take("procPerWorker") or worker.take("procPerWorker")
    made = []
    for part in given.parts("spec.replicaSpecs") or [worker]:
        kind = part.take("type", "worker")
        if kind != "launcher":
            one = role(part, spec, kind)
            made.append(shape.instead(part, one, run) if run else one)
    spec |= {"roles": made, "processesPerReplica": each}
    if more and not program:
        given.note("spec.torchConfig.extraArgs", f"{shlex.join(more)}: there is no script")
    for field in ("sshAuthMountPath", "authMountPath", "sshdPath"):
        given.needless(f"spec.ssh.{field}", NO_SSH)
    return shape.job(given, "pytorch", spec)


def _torchrun(given: Given, spec: JSON) -> None:
    """torchrunConfig, and elastic, which has an effect with torchrun alone."""
    run = given.part("spec.torchrunConfig")
    if not enabled(run):
        return
    _c10d(run)
    options = line(run.take("extraOptions"))
    roles = [_with_torchrun(one, options) for one in spec["roles"]]
    if options and roles == spec["roles"]:
        run.note("extraOptions", f"{shlex.join(options)}: add them to the command")
    spec["roles"] = roles
    if (each := run.take("procPerNode")) is not None:
        last = (roles or [{"template": {}}])[-1]["template"]
        spec["processesPerReplica"] = shape.processes(run, "procPerNode", each, last)
    restarts = run.take("maxRestarts")
    spec["runPolicy"] = shape.retries(run, "maxRestarts", restarts, spec["runPolicy"])
    elastic = given.part("spec.elastic")
    if roles and enabled(elastic):
        least, most = elastic.take("minReplicas"), elastic.take("maxReplicas")
        if least or most:
            name = roles[-1]["name"]
            spec["elastic"] = {"min": least or 1, "max": most or least, "role": name}
        elastic.needless("expectedReplicas", "as many ranks as fit between the two; athanor resize")


def _c10d(run: Given) -> None:
    backend = run.take("rdzvBackend", "c10d")
    if backend != "c10d":
        run.note("rdzvBackend", f"{backend}: elastic ranks meet by c10d here")


def _with_torchrun(one: JSON, options: list[str]) -> JSON:
    words = shape.words(one["template"])
    if not words:
        return one
    first, *rest = words
    if first.rsplit("/", 1)[-1] != "torchrun":
        first, rest = "torchrun", rest if first.startswith("python") else ["--no-python", *words]
    return {**one, "template": shape.with_command(one["template"], [first, *options, *rest])}


def role(part: Given, spec: JSON, kind: str = "") -> JSON:
    """A replica spec, or a worker. Retries that it allows are added to the job's run policy."""
    policy = part.take("restartPolicy") or "OnFailure"
    if isinstance(policy, dict):
        inner = part.inner(policy, "restartPolicy")
        policy, limit = inner.take("policy", "OnFailure"), inner.number("limit")
        if limit:
            run = spec["runPolicy"]
            spec["runPolicy"] = {**run, "backoffLimit": limit + run.get("backoffLimit", 0)}
    part.needless("scalingWeight", "one role is elastic here")
    return shape.role(part, kind or part.take("type", "worker"), policy)


def common(given: Given) -> JSON:
    """Run policy, run mode and scheduler, which all kinds share."""
    policy = given.part("spec.runPolicy")
    ours: JSON = {}
    for name in ("backoffLimit", "activeDeadlineSeconds"):
        if (value := policy.number(name)) is not None:
            ours[name] = value
    if word := policy.take("cleanUpPolicy"):
        ours |= shape.clean(policy, "cleanUpPolicy", word)
    elif word := given.take("spec.cleanUpPolicy"):
        ours |= shape.clean(given, "spec.cleanUpPolicy", word)
    elif (workers := policy.take("cleanUpWorkers")) is not None:
        ours["cleanPods"] = "All" if workers else "None"
    scheduler = given.part("spec.scheduler.t9kScheduler")
    queue, priority = scheduler.take("queue"), scheduler.take("priority")
    if priority is not None:
        scheduler.note(
            "priority", f"{priority}: priorities are PriorityClasses here (athanor prioritize)"
        )
    debug, pause = given.part("spec.runMode.debug"), given.part("spec.runMode.pause")
    debug.needless("replicaSpecs", "ranks wait before their own command")
    pause.needless("resumeSpecs", "change the template before athanor resume")
    return {
        "runPolicy": ours,
        "debug": enabled(debug),
        "suspend": enabled(pause),
        "scheduling": {"queue": queue} if queue else {},
    }


def enabled(part: Given) -> bool:
    """Whether a part is switched on, in the words of old manuals, too."""
    return bool(part.take("enabled", part.take("enable", False)))


def line(value: object) -> list[str]:
    """A command line that is a list, or one string."""
    if isinstance(value, str):
        return shlex.split(value)
    return [str(word) for word in value] if isinstance(value, list) else []
