"""Volcano's Job (batch.volcano.sh/v1alpha1): its tasks become roles.

Its plugins are in `volcano_plugins`, its files of hosts in `volcano_hosts`, its lifecycle policies
in `volcano_life`.
"""

from __future__ import annotations

from athanor.api.meta import JSON
from athanor.kit.spans import parse_span
from athanor.sdk.foreign import shape, volcano_hosts, volcano_life, volcano_plugins
from athanor.sdk.foreign.given import Given

WHOLE = "a job starts whole"
RETRIES = 3
"""maxRetry unless it is said, of a job and of a task."""


def job(given: Given, kind: str) -> JSON:
    """A Job of Volcano, generic unless a plugin names its framework."""
    spec = given.part("spec")
    plugins = volcano_plugins.read(spec)
    life = volcano_life.read(spec)
    retries = spec.number("maxRetry") or RETRIES
    parts = spec.parts("tasks")
    tasks = [_task(part, number, plugins) for number, part in enumerate(parts)]
    volumes = _volumes(spec)
    hosts = [(name, volcano_plugins.hosts(role, count)) for name, role, count in tasks]
    roles: list[JSON] = []
    rules: list[JSON] = []
    codes: set[int] = set()
    for part, (_, role, count) in zip(parts, tasks, strict=True):
        own = volcano_life.read(part).within(life)
        policy = _restarts(part, own)
        if policy == "ExitCode":
            codes.update(own.codes)
        if own.completes:
            rules.append({"ranks": {role: []}})
        _whole(part, role, count, retries)
        one = {**shape.role(part, role, policy), "replicas": count}
        if plugins.framework == "mpi" and role != "launcher" and _is_sshd(one):
            one = shape.instead(part, one, None)
        env = volcano_plugins.variables(plugins, role, tasks)
        one = _with(one, env, volumes)
        roles.append(volcano_hosts.written(part, one, hosts, svc=plugins.files))
    if plugins.framework == "pytorch":
        roles.sort(key=lambda one: one["name"] != "master")  # rank 0 is the first role's
    least = spec.number("minAvailable") or 0
    if least not in (0, sum(count for _, _, count in tasks)):
        spec.note("minAvailable", f"{least}: {WHOLE}")
    spec.needless("schedulerName", "our scheduler places every rank")
    limits: JSON = {"backoffLimit": retries}
    if codes:
        limits["retryableExitCodes"] = sorted(codes)
    if (kept := spec.number("ttlSecondsAfterFinished")) is not None:
        limits["ttlSecondsAfterFinished"] = kept
    made = shape.job(given, plugins.framework, {
        "roles": roles, "successRules": rules, "scheduling": _scheduling(spec),
        "runPolicy": limits,
    })  # fmt: skip
    if not plugins.named:
        made["spec"]["service"] = False
    return made


def _task(part: Given, number: int, plugins: volcano_plugins.Plugins) -> tuple[str, str, int]:
    """A task's name, our role of it, and how many pods it has."""
    name = part.take("name", "") or f"default{number}"
    role = plugins.roles.get(name, name.lower())
    if role != name:
        part.note("name", f"{name}: the role is called {role}, and so are its ranks' hosts")
    return name, role, part.number("replicas") or 0


def _restarts(part: Given, life: volcano_life.Life) -> str:
    """A role's restart policy: a policy about failed pods, else what the pods themselves say."""
    own = part.take("template.spec.restartPolicy", "")
    failed = life.failed or ("Never" if own == "Never" else "OnFailure")
    policy = "ExitCode" if life.codes and failed == "Never" else failed
    if own not in ("", policy):
        part.note("template.spec.restartPolicy", f"{own}: the role's own holds, {policy}")
    return policy


def _whole(part: Given, role: str, count: int, retries: int) -> None:
    """What a task says about itself that holds for the whole job here."""
    least = part.number("minAvailable")
    if least not in (None, count):
        part.note("minAvailable", f"{least} of {count}: {WHOLE}")
    if (own := part.number("maxRetry") or retries) != retries:
        part.note("maxRetry", f"{own}: retries are counted once, by runPolicy.backoffLimit")
    if others := part.take("dependsOn"):
        part.note("dependsOn", f"{others}: all ranks start together")
    for field in ("hostname", "subdomain"):
        if said := part.take(f"template.spec.{field}"):
            part.note(f"template.spec.{field}", f"{said}: ranks are called JOB-{role}-N.JOB here")


def _is_sshd(one: JSON) -> bool:
    return any("sshd" in word for word in shape.words(one["template"]))


def _volumes(spec: Given) -> list[tuple[str, str]]:
    """(claim, path) of every volume that names its claim; others are lost."""
    return [
        (claim, volume.take("mountPath", ""))
        for volume in spec.parts("volumes")
        if (claim := volume.take("volumeClaimName", ""))
    ]


def _with(one: JSON, env: list[JSON], volumes: list[tuple[str, str]]) -> JSON:
    """A role whose containers are told variables and have the job's volumes."""
    names = {claim: f"claim-{number}" for number, claim in enumerate(dict(volumes))}
    mounts = [{"name": names[claim], "mountPath": path} for claim, path in volumes]

    def changed(container: JSON) -> JSON:
        told = shape.with_env(container, env)
        own = told.get("volumeMounts") or []
        known = mounts and isinstance(own, list)
        return {**told, "volumeMounts": [*own, *map(dict, mounts)]} if known else told

    template = shape.each_container(one["template"], changed)
    pod = template["spec"]
    if names and isinstance(own := pod.get("volumes") or [], list):
        made = [
            {"name": name, "persistentVolumeClaim": {"claimName": claim}}
            for claim, name in names.items()
        ]
        pod = {**pod, "volumes": [*own, *made]}
    return {**one, "template": {**template, "spec": pod}}


def _scheduling(spec: Given) -> JSON:
    found = {field: spec.take(field) for field in ("queue", "priorityClassName")}
    if estimate := spec.take("runningEstimate", ""):
        try:
            found["estimatedRuntimeSeconds"] = parse_span(estimate)
        except ValueError as wrong:
            spec.note("runningEstimate", str(wrong))
    return {key: value for key, value in found.items() if value}
