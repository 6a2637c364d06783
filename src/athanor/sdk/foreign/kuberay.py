"""KubeRay's RayJob (ray.io/v1): its groups of pods become roles, its head runs the entrypoint.

There a pod of its own hands the entrypoint to the cluster; here the head rank starts it as soon as
the workers have joined.
"""

from __future__ import annotations

import json

import yaml

from athanor.api.meta import JSON
from athanor.kit import quantity
from athanor.sdk.foreign import shape
from athanor.sdk.foreign.given import Given

HEAD = "head"
WAITS = ["sleep", "infinity"]
"""What a head without an entrypoint does, until somebody deletes the job."""
VARIABLES = {"num-cpus": "RAY_CPUS", "object-store-memory": "RAY_OBJECT_STORE_MEMORY"}
"""Arguments of `ray start` that our ranks take from variables."""
RESOURCES = {"num-gpus": "GPU", "memory": "memory"}
"""Arguments that Ray itself also takes from the variable OVERRIDE (JSON, as custom resources)."""
OVERRIDE = "RAY_OVERRIDE_RESOURCES"
PLATFORMS = (
    "address", "block", "dashboard-agent-listen-port", "dashboard-host", "dashboard-port", "head",
    "metrics-export-port", "no-monitor", "node-ip-address", "port", "ray-client-server-port",
)  # fmt: skip
"""Arguments that are the platform's to choose."""
MOST = 20_000
"""Ranks that a job may have; KubeRay's maxReplicas is 2³¹-1 unless it is said."""


def job(given: Given, kind: str) -> JSON:
    """A RayJob, as a job of framework ray."""
    spec = given.part("spec")
    cluster = spec.part("rayClusterSpec")
    variables, packages = _runtime(spec)
    retries = spec.number("backoffLimit") or 0
    if retries:
        spec.note("backoffLimit", f"{retries}: workers that fail count, too; the head runs again")
    head = cluster.part("headGroupSpec")
    one = shape.role(head, HEAD, "OnFailure" if retries else "Never")
    roles = [_started(head, one, _command(spec), variables)]
    scaled = cluster.take("enableInTreeAutoscaling", False)
    if scaled:
        said = "workers come and go with free capacity, not with what Ray asks for"
        cluster.note("enableInTreeAutoscaling", said)
    elastic: JSON = {}
    for group in cluster.parts("workerGroupSpecs"):
        found = _bounds(group, scaled=scaled and not elastic)
        worker = shape.role(group, group.take("groupName", "worker"), "OnFailure")
        worker = {**worker, "replicas": found["max"]}
        if "min" in found:
            elastic = {**found, "role": worker["name"]}
        roles.append(_started(group, worker, None, variables))
    _left_out(spec, cluster)
    return shape.job(given, "ray", {
        "roles": roles, "elastic": elastic, "suspend": spec.take("suspend", False),
        "runPolicy": _policy(spec, retries),
        "environment": {"requirements": packages} if packages else {},
    }, suspends="spec.suspend")  # fmt: skip


def _command(spec: Given) -> list[str]:
    """What the head runs; Ray hands an entrypoint to a shell."""
    entrypoint = spec.take("entrypoint", "").strip()
    mode = spec.take("submissionMode", "K8sJobMode")
    if entrypoint and mode in ("K8sJobMode", "HTTPMode", "SidecarMode"):
        return ["sh", "-c", entrypoint]
    for field, said in (("submissionMode", mode), ("entrypoint", entrypoint or "none")):
        spec.note(field, f"{said}: the head only waits, `athanor exec` runs a program in it")
    return WAITS


def _policy(spec: Given, retries: int) -> JSON:
    """The run policy. Without retries the head is not tried again, but workers are (3 times)."""
    policy: JSON = {"backoffLimit": retries} if retries else {}
    if (deadline := spec.number("activeDeadlineSeconds")) is not None:
        policy["activeDeadlineSeconds"] = deadline
    if (waits := spec.number("preRunningDeadlineSeconds")) is not None:
        policy["startingDeadlineSeconds"] = waits
    if kept := spec.number("ttlSecondsAfterFinished"):  # 0, too, stands for none there
        spec.note("ttlSecondsAfterFinished", f"{kept}: the job goes then, not its cluster alone")
        policy["ttlSecondsAfterFinished"] = kept
    if not spec.take("shutdownAfterJobFinishes", True):
        spec.note("shutdownAfterJobFinishes", "the cluster is the job's pods and ends with it")
    return policy


def _runtime(spec: Given) -> tuple[list[JSON], list[str]]:
    """Variables and packages of the runtime environment. Raises ValueError."""
    try:
        found = yaml.safe_load(spec.take("runtimeEnvYAML", ""))
    except yaml.YAMLError:
        raise ValueError(f"{spec.at('runtimeEnvYAML')} is no YAML") from None
    inner = spec.inner(found, "runtimeEnvYAML")
    variables = inner.take("env_vars", {})
    listed = isinstance(found, dict) and isinstance(found.get("pip"), list)
    packages = inner.take("pip" if listed else "pip.packages", [])
    return (
        [{"name": str(name), "value": str(value)} for name, value in variables.items()],
        [str(package) for package in packages],
    )


def _bounds(group: Given, *, scaled: bool) -> JSON:
    """How many workers a group has (`max`), and how few when they may come and go (`min`)."""
    hosts = group.number("numOfHosts") or 1
    if hosts > 1:
        group.note("numOfHosts", f"{hosts}: each host is a worker; roles[].topology keeps together")
    asked, least, most = map(group.number, ("replicas", "minReplicas", "maxReplicas"))
    fewest, limit = least or 0, MOST if most is None else most
    count = min(max(fewest, asked or 0), limit)
    if scaled and max(fewest, 1) < limit < MOST:
        if asked is not None:
            group.note("replicas", f"{asked}: as many as fit between {fewest} and {limit}")
        if not fewest:
            group.note("minReplicas", "0: at least one worker runs")
        return {"min": max(fewest, 1) * hosts, "max": limit * hosts}
    for field, said in (("minReplicas", least), ("maxReplicas", most)):
        if said not in (None, count):
            group.note(field, f"{said}: the group keeps its size, {count} (see spec.elastic)")
    return {"max": count * hosts}


def _started(group: Given, one: JSON, command: list[str] | None, variables: list[JSON]) -> JSON:
    """A role whose first container is a Ray node; the platform starts Ray in it."""
    template = one["template"]
    main = shape.container(template)
    for field in ("command", "args"):
        if said := main.get(field):
            where = f"template.spec.containers[0].{field}"
            group.note(where, f"{said}: not run, Ray is started without it")
    template = shape.with_command(template, command)
    first, *others = template["spec"]["containers"]
    first = shape.with_env(first, _params(group))
    first = _overridden(group, first, variables)
    spec = {**template["spec"], "containers": [first, *others]}
    return {**one, "template": {**template, "spec": spec}}


def _overridden(group: Given, container: JSON, variables: list[JSON]) -> JSON:
    """A container with the runtime environment's variables, which hold against its own."""
    own = container.get("env") or []
    if not variables or not isinstance(own, list):
        return container
    names = [one["name"] for one in variables]
    kept = []
    for one in own:
        if isinstance(one, dict) and (name := one.get("name")) in names:
            said = f"{name}: that of runtimeEnvYAML holds"
            group.note("template.spec.containers[0].env", said)
        else:
            kept.append(one)
    return {**container, "env": [*kept, *map(dict, variables)]}


def _params(group: Given) -> list[JSON]:
    """How Ray is started in a group, as variables."""
    params = group.part("rayStartParams")
    env = [
        {"name": name, "value": value}
        for param, name in VARIABLES.items() if (value := params.take(param, ""))
    ]  # fmt: skip
    for param in PLATFORMS:
        params.needless(param, "the platform starts Ray")
    asked = {
        name: value for param, name in RESOURCES.items() if (value := params.take(param, ""))
    } | _custom(params) | group.take("resources", {})  # fmt: skip
    numbers = {}
    for name, value in asked.items():
        if (number := _number(value)) is None:
            group.note("resources", f"{name} {value} is no number: Ray is not told")
        else:
            numbers[name] = number
    return [*env, {"name": OVERRIDE, "value": json.dumps(numbers)}] if numbers else env


def _custom(params: Given) -> JSON:
    """Custom resources: JSON, often quoted for a shell once more."""
    text = params.take("resources", "")
    try:
        found = json.loads(text.strip("'\"").replace('\\"', '"') or "{}")
    except ValueError:
        found = None
    if not isinstance(found, dict):
        params.note("resources", f"{text} is not JSON of resources: Ray is not told")
    return found if isinstance(found, dict) else {}


def _number(value: object) -> int | float | None:
    try:
        thousandths = quantity.milli(str(value))
    except quantity.QuantityError:
        return None
    return thousandths / 1000 if thousandths % 1000 else thousandths // 1000


def _left_out(spec: Given, cluster: Given) -> None:
    """What the shape of a job here makes needless, and what it cannot have."""
    runs = "the head rank runs the entrypoint itself"
    for field in ("submitterPodTemplate", "submitterConfig"):
        spec.needless(field, runs)
    for field in ("entrypointNumCpus", "entrypointNumGpus", "entrypointResources"):
        if said := spec.take(field):
            spec.note(field, f"{said}: not kept apart, {runs}")
    spec.needless("jobId", "a job is known by its name")
    if selector := spec.take("clusterSelector"):
        said = "a job brings its own cluster: say the roles' images and sizes"
        spec.note("clusterSelector", f"{selector}: {said}")
    cluster.needless("rayVersion", "the Ray of the image runs")
    cluster.needless("autoscalerOptions", "no autoscaler runs, size follows free capacity")
