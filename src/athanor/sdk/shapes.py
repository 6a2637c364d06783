"""Which roles a submission of each framework has, and the pods of a role. Pure.

Frameworks with a leading role (a launcher, a head, a driver) run the command there; their other
ranks do what the framework's wiring says. In all others every role runs the command.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from msgspec import structs

from athanor.api.meta import JSON
from athanor.api.scheduling import Gpu
from athanor.api.training import RestartPolicy, Role
from athanor.sdk.asked import RoleAsk, Submission

LEADS: Mapping[str, tuple[str, str]] = {
    "mpi": ("launcher", "worker"),
    "horovod": ("launcher", "worker"),
    "ray": ("head", "worker"),
    "spark": ("driver", "executor"),
    "flink": ("jobmanager", "taskmanager"),
}
"""Framework → the role that runs the command, and the role of the others."""

LAUNCHER_CPU = "100m"
"""What a launcher asks for: it only waits for the processes it started."""

_MOUNT = re.compile(r"(?P<source>[^:]+):(?P<path>/[^:]*)(:(?P<mode>ro|rw))?")
_KINDS = {"configmap": "configMap", "secret": "secret"}


def roles(asked: Submission) -> list[Role]:
    """The roles of a submission, the leading one first. Raises ValueError."""
    lead, rest = LEADS.get(asked.framework, ("", "worker"))
    wishes = {wish.name: wish for wish in asked.roles}
    order: list[RoleAsk] = []
    if lead:
        gpus = "0" if lead == "launcher" else ""
        cpu = LAUNCHER_CPU if lead == "launcher" else ""
        wish = wishes.pop(lead, RoleAsk(name=lead))
        order.append(structs.replace(wish, cpu=wish.cpu or cpu, gpus=wish.gpus or gpus))
    first = [wishes.pop(name) for name in ("chief", "master") if name in wishes]
    own = wishes.pop(rest, None)
    count = asked.max_workers or asked.workers
    order += [*first, own or RoleAsk(name=rest, replicas=count), *wishes.values()]
    return [_role(asked, wish, runs=not lead or wish.name == lead) for wish in order]


def _role(asked: Submission, wish: RoleAsk, *, runs: bool) -> Role:
    said = {name: getattr(wish, name) for name in ("cpu", "memory", "gpus") if getattr(wish, name)}
    if wish.image:
        said |= {"image": wish.image, "venv": ""}
    mine = structs.replace(asked, **said, env={**asked.env, **wish.env})
    command = wish.command or (asked.command if runs else ())
    policy: RestartPolicy = asked.restart or ("OnFailure" if asked.retries else "Never")
    return Role(
        name=wish.name,
        replicas=wish.replicas,
        template=_template(mine, command),
        restart_policy=policy,
        gpu=_gpu(mine),
    )


def _template(asked: Submission, command: Sequence[str]) -> JSON:
    template: JSON = {"spec": pod_spec(asked, command)}
    if asked.annotations:
        template["metadata"] = {"annotations": dict(asked.annotations)}
    return template


def pod_spec(asked: Submission, command: Sequence[str]) -> JSON:
    """The pods' spec of a role that runs `command`. Raises ValueError."""
    env = {"PYTHONUNBUFFERED": "1", **asked.env}
    container: JSON = {
        "name": "main",
        "image": asked.image or (f"venv://{asked.venv}" if asked.venv else "host"),
    }
    if command:
        container["command"] = list(command)
    container["env"] = [{"name": name, "value": value} for name, value in env.items()]
    if asked.secrets:
        container["envFrom"] = [{"secretRef": {"name": name}} for name in asked.secrets]
    if asked.directory and not (asked.git or asked.bundle):
        container["workingDir"] = asked.directory
    if resources := _resources(asked):
        container["resources"] = resources
    spec: JSON = {"containers": [container], "restartPolicy": "Never"}
    volumes, mounts = _mounted(asked)
    if mounts:
        container["volumeMounts"] = mounts
        spec["volumes"] = volumes
    if asked.grace is not None:
        spec["terminationGracePeriodSeconds"] = asked.grace
    return {**spec, **_placed(asked)}


def _placed(asked: Submission) -> JSON:
    """Where and as whom the pods run."""
    spec: JSON = {}
    if asked.selector:
        spec["nodeSelector"] = dict(asked.selector)
    if asked.tolerations:
        spec["tolerations"] = [toleration(text) for text in asked.tolerations]
    if asked.pull_secrets:
        spec["imagePullSecrets"] = [{"name": name} for name in asked.pull_secrets]
    if asked.service_account:
        spec["serviceAccountName"] = asked.service_account
    for wish, name in (("network", "hostNetwork"), ("ipc", "hostIPC"), ("pid", "hostPID")):
        if wish in asked.host:
            spec[name] = True
    return spec


def toleration(text: str) -> JSON:
    """`all`, `key`, `key=value` or `key=value:NoSchedule` as a toleration."""
    if text == "all":
        return {"operator": "Exists"}
    pair, _, effect = text.partition(":")
    key, equals, value = pair.partition("=")
    said: JSON = {"key": key, "operator": "Equal" if equals else "Exists"}
    if equals:
        said["value"] = value
    return {**said, "effect": effect} if effect else said


def _mounted(asked: Submission) -> tuple[list[JSON], list[JSON]]:
    """Volumes and mounts of data, files and shared memory."""
    volumes: list[JSON] = []
    mounts: list[JSON] = []
    for number, text in enumerate(asked.data):
        found = _MOUNT.fullmatch(text)
        if found is None:
            raise ValueError(
                f"data {text!r}: write SOURCE:/PATH or SOURCE:/PATH:ro, where SOURCE is a claim, "
                "a /directory, configmap/NAME or secret/NAME"
            )
        volumes.append({"name": f"data-{number}", **_source(found["source"])})
        mount: JSON = {"name": f"data-{number}", "mountPath": found["path"]}
        mounts.append({**mount, "readOnly": True} if found["mode"] == "ro" else mount)
    if asked.shared_memory:
        memory = {"medium": "Memory", "sizeLimit": asked.shared_memory}
        volumes.append({"name": "shared-memory", "emptyDir": memory})
        mounts.append({"name": "shared-memory", "mountPath": "/dev/shm"})
    return volumes, mounts


def _source(source: str) -> JSON:
    if source.startswith("/"):
        return {"hostPath": {"path": source}}
    kind, slash, name = source.partition("/")
    if slash and kind in _KINDS:
        field_ = "name" if kind == "configmap" else "secretName"
        return {_KINDS[kind]: {field_: name}}
    return {"persistentVolumeClaim": {"claimName": source}}


def _resources(asked: Submission) -> JSON:
    requests: dict[str, str] = {}
    limits: dict[str, str] = {}
    if asked.cpu and asked.cpu != "0":
        requests["cpu"] = asked.cpu
    if asked.memory:
        requests["memory"] = limits["memory"] = asked.memory
    if asked.gpus.isdecimal() and int(asked.gpus):
        requests[asked.gpu_resource] = limits[asked.gpu_resource] = str(int(asked.gpus))
    for name, amount in asked.devices.items():
        requests[name] = limits[name] = amount
    return {key: value for key, value in (("requests", requests), ("limits", limits)) if value}


def _gpu(asked: Submission) -> Gpu | None:
    if asked.gpus == "0":
        return None
    share = None if asked.gpus.isdecimal() else round(float(asked.gpus) * 1000)
    if share is None and not asked.gpu_models:
        return None
    return Gpu(resource=asked.gpu_resource, milli=share, models=list(asked.gpu_models))
