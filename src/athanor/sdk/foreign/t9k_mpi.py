"""T9k's MPIJob: mpirun with its arguments becomes the command of the launcher.

The manuals of 2024 know one `worker`, whose surroundings the launcher shares that T9k adds; those
of 2025 name both in `replicaSpecs`, and what is started in `mpiConfig`.
"""

from __future__ import annotations

import shlex

from athanor.api.meta import JSON
from athanor.sdk.foreign import shape, t9k
from athanor.sdk.foreign.given import Given

MAIN = "mpi-worker"
"""The container that processes run in."""
COUNTS = ("-n", "-np", "--np", "-c")
PER_NODE = ("-N", "-npernode", "--npernode")
LAUNCHER = "launcher"


def read(given: Given, kind: str) -> JSON:
    """The job, in either shape."""
    spec = t9k.common(given)
    worker = given.part("spec.worker")
    parts = given.parts("spec.replicaSpecs")
    roles = [(part, t9k.role(part, spec)) for part in parts or [worker]]
    workers = sum(one.get("replicas", 1) for _, one in roles if one["name"] != LAUNCHER)
    start, env = _mpirun(given, worker, workers)
    if not parts:
        roles.insert(0, (worker, _launcher(roles[0][1])))
    spec["roles"] = [_role(part, one, start, env) for part, one in roles]
    if each := _per_node(start):
        spec["processesPerReplica"] = each
    for field in ("sshAuthMountPath", "sshdPath"):
        given.needless(f"spec.ssh.{field}", t9k.NO_SSH)
    return shape.job(given, "mpi", spec)


def _mpirun(given: Given, worker: Given, workers: int) -> tuple[list[str], list[JSON]]:
    """The launcher's command line, [] for that of its template; and its variables."""
    config = given.part("spec.mpiConfig")
    home = config.take("home", "") or given.take("spec.mpiHome", "")
    settings = config.take("mca", {}) or given.take("spec.mca", {})
    program = t9k.line(config.take("script")) or t9k.line(worker.take("cmd"))
    more = t9k.line(config.take("extraArgs")) or t9k.line(worker.take("extraMPIArgs"))
    env = [{"name": f"OMPI_MCA_{key}", "value": str(value)} for key, value in settings.items()]
    if not program:
        if home or more:
            told = shlex.join([*([f"{home}/bin/mpirun"] if home else []), *more])
            given.note("spec.mpiConfig", f"{told}: there is no script, so nothing starts with it")
        return [], env
    count = [] if {*COUNTS, *PER_NODE} & set(more) else ["-n", str(workers)]
    return [f"{home.rstrip('/')}/bin/mpirun" if home else "mpirun", *count, *more, *program], env


def _launcher(worker: JSON) -> JSON:
    """The launcher beside a worker: the same surroundings, but little work of its own."""
    template = shape.with_command(worker["template"], None, MAIN)
    first, *others = template["spec"]["containers"]
    first = {**first, "resources": {"requests": {"cpu": "100m"}}}
    spec = {**template["spec"], "containers": [first, *others]}
    return {"name": LAUNCHER, "restartPolicy": "OnFailure", "template": {**template, "spec": spec}}


def _role(part: Given, one: JSON, start: list[str], env: list[JSON]) -> JSON:
    """A launcher runs mpirun; a worker waits for it, whatever its template says."""
    if one["name"] != LAUNCHER:
        return shape.instead(part, one, None, MAIN)
    one = shape.instead(part, one, start) if start else one
    template = one["template"]
    first, *others = (template.get("spec") or {}).get("containers") or [{}]
    if env:
        first = {**first, "env": [*env, *(first.get("env") or [])]}
    spec = {**(template.get("spec") or {}), "containers": [first, *others]}
    return {**one, "template": {**template, "spec": spec}}


def _per_node(start: list[str]) -> int | None:
    """How many processes mpirun is told to start in each worker."""
    for flag, value in zip(start, start[1:], strict=False):
        if flag in PER_NODE and value.isdecimal():
            return int(value)
    return None
