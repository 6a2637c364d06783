"""The Gang of a job: roles become wired pod sets, with a place for checkpoints and outputs.

Around it stand, where the framework needs them: a ConfigMap with the files of the wiring, and the
right of the launching rank to execute commands in the others: its own account, a Role over exactly
those pods, and their RoleBinding.
"""

from __future__ import annotations

from msgspec import Struct

from athanor.api import labels
from athanor.api.meta import JSON, to_manifest
from athanor.api.registry import of
from athanor.api.scheduling import DEFAULT_QUEUE, Gang
from athanor.api.training import OUTPUTS, Role, TrainingJob, claim_of
from athanor.features.training.code import MOUNT, Fetching, fetching
from athanor.features.training.frameworks.registry import WIRES
from athanor.features.training.frameworks.wiring import (
    FILES,
    JobWorld,
    Refused,
    Wiring,
    in_shell,
    started,
    words,
)
from athanor.features.training.packages import importing, installing
from athanor.features.training.reshape import shape

JOBS, GANGS = of(TrainingJob), of(Gang)

CHECKPOINTS_MOUNT = "/athanor/checkpoints"
LONGEST_POD_NAME = 63
"""A pod's name is its host name (RFC 1123)."""


class Defaults(Struct, frozen=True, kw_only=True):
    """Where checkpoints of jobs that name no directory go.

    With a `checkpoint_root` (a machine's own directory): below it, one directory a job. Without:
    a PersistentVolumeClaim of `storage_class` and `storage`, for jobs that ask for checkpoints.
    `launch_agent` is the program that launchers call instead of ssh; `image` has our helpers.
    """

    checkpoint_root: str = ""
    storage_class: str = ""
    storage: str = "10Gi"
    launch_agent: str = ""
    image: str = "host"


def wired(job: TrainingJob, defaults: Defaults) -> Wiring:
    """What the job's framework says about it. Raises Refused."""
    wire = WIRES.get(job.spec.framework)
    if wire is None:
        known = ", ".join(sorted(WIRES))
        raise Refused(f"framework {job.spec.framework} is not wired yet; there are: {known}")
    return wire(JobWorld(job, defaults.launch_agent))


def gang(job: TrainingJob, defaults: Defaults, wiring: Wiring | None = None) -> JSON:
    """The Gang's manifest. Raises Refused."""
    wiring = wiring or wired(job, defaults)
    for role in job.spec.roles:
        longest = f"{job.metadata.name}-{role.name}-{max(role.replicas - 1, 0)}"
        if len(longest) > LONGEST_POD_NAME:
            raise Refused(
                f"pod {longest} would have a name longer than {LONGEST_POD_NAME} characters: "
                "give the job or the role a shorter name"
            )
    spec: JSON = {
        "podSets": [_pod_set(job, role, wiring, defaults) for role in job.spec.roles],
        **shared(job),
        "suspend": job.spec.suspend,
        "attempt": job.status.attempt,
        "restart": wiring.restart,
        "decides": "Owner",
        "replace": True,
    }
    if not job.spec.service:
        spec["service"] = False
    if job.spec.elastic is not None:
        spec["resize"] = "Live" if wiring.live else "Restart"
    annotations = {
        labels.RETRIES: str(job.status.retries),
        labels.RESTARTS: str(job.spec.run_policy.restarts),
        labels.SHAPE: shape(job),
    }
    user = job.metadata.annotations.get(labels.USER)
    if user:
        annotations[labels.USER] = user
    return {
        "apiVersion": GANGS.api_version,
        "kind": GANGS.kind,
        "metadata": {
            "name": job.metadata.name,
            "namespace": job.metadata.namespace,
            "labels": {**job.metadata.labels, labels.JOB: job.metadata.name},
            "annotations": annotations,
            "ownerReferences": [owner(job)],
        },
        "spec": spec,
    }


def shared(job: TrainingJob) -> JSON:
    """What the Gang takes over from the job and follows when it changes."""
    spec = to_manifest(job.spec.scheduling)
    if spec.get("queue") in ("", DEFAULT_QUEUE):
        del spec["queue"]  # the Gang's own default says the same
    if job.spec.checkpoints is not None:
        policy = to_manifest(job.spec.checkpoints)
        policy.pop("directory", None)
        spec["checkpoint"] = policy
    return spec


def claim(job: TrainingJob, defaults: Defaults) -> JSON | None:
    """The claim for the job's checkpoints and outputs, when they go to one."""
    if not _wants_claim(job, defaults) and (defaults.checkpoint_root or not job.spec.outputs):
        return None
    spec: JSON = {
        "accessModes": ["ReadWriteMany"],
        "resources": {"requests": {"storage": defaults.storage}},
    }
    if defaults.storage_class:
        spec["storageClassName"] = defaults.storage_class
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": claim_of(job.metadata.name),
            "namespace": job.metadata.namespace,
            "labels": {labels.JOB: job.metadata.name},
            "ownerReferences": [owner(job)],
        },
        "spec": spec,
    }


def owner(job: TrainingJob) -> JSON:
    """The job as an owner reference."""
    return {
        "apiVersion": JOBS.api_version,
        "kind": JOBS.kind,
        "name": job.metadata.name,
        "uid": job.metadata.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _pod_set(job: TrainingJob, role: Role, wiring: Wiring, defaults: Defaults) -> JSON:
    built: JSON = {
        "name": role.name,
        "count": role.replicas,
        "template": _template(job, role, wiring, defaults),
    }
    elastic = job.spec.elastic
    if elastic is not None and elastic.role == role.name:
        built |= {"count": elastic.max, "minCount": elastic.min}
    if role.topology is not None:
        built["topology"] = to_manifest(role.topology)
    if role.gpu is not None:
        built["gpu"] = to_manifest(role.gpu)
    return built


def _template(job: TrainingJob, role: Role, wiring: Wiring, defaults: Defaults) -> JSON:
    given = role.template
    meta = given.get("metadata") or {}
    spec: JSON = {**(given.get("spec") or {})}
    spec["restartPolicy"] = "Always" if role.restart_policy == "Always" else "Never"
    volumes, mounts, places = _storage(job, defaults)
    if wiring.files:
        files = {"name": files_name(job), "defaultMode": 0o755}
        volumes.append({"name": "athanor-wiring", "configMap": files})
        mounts.append({"name": "athanor-wiring", "mountPath": FILES})
    if wiring.commands == role.name:
        spec.setdefault("serviceAccountName", files_name(job))
    env = [{"name": name, "value": value} for name, value in {**wiring.env, **places}.items()]
    first: JSON = next(iter(spec.get("containers") or []), {})
    ahead: list[JSON] = []
    fetched = fetching(job.spec.code, defaults.image, first)
    if fetched is not None:
        volumes += fetched.volumes
        mounts.append(fetched.mount)
        ahead.append(fetched.container)
    annotations = {**(meta.get("annotations") or {})}
    laid = _laid(job, _container(job, first, env, mounts), first, defaults)
    if laid is not None:
        volumes += laid.volumes
        mounts.append(laid.mount)
        ahead.append(laid.container)
    elif job.spec.environment is not None and job.spec.environment.requirements:
        annotations[labels.REQUIREMENTS] = "\n".join(job.spec.environment.requirements)
    for field in ("initContainers", "containers"):
        if field in spec:
            spec[field] = [
                _held(job, wiring.container(role.name, _container(job, one, env, mounts)))
                if field == "containers"
                else _container(job, one, env, mounts)
                for one in spec[field]
            ]
            if laid is not None:
                spec[field] = [importing(one) for one in spec[field]]
    if ahead:
        spec["initContainers"] = [*ahead, *(spec.get("initContainers") or [])]
    if volumes:
        spec["volumes"] = [*(spec.get("volumes") or []), *volumes]
    if job.spec.progress_pattern:
        annotations[labels.PROGRESS_PATTERN] = job.spec.progress_pattern
    return {**given, "metadata": {**meta, "annotations": annotations}, "spec": spec}


def _laid(job: TrainingJob, first: JSON, own: JSON, defaults: Defaults) -> Fetching | None:
    """What installs the requirements in the pod; None when there are none, or the node does it."""
    asked = job.spec.environment
    if asked is None or not asked.requirements:
        return None
    if defaults.checkpoint_root and not asked.wheels:
        return None
    place = _workplace(job)
    wheels = f"{place}/{asked.wheels}" if place and asked.wheels else asked.wheels
    return installing(asked.requirements, wheels, first, own)


def _workplace(job: TrainingJob) -> str:
    """Where the job's code lies, "" when the image has it."""
    code = job.spec.code
    if code is None:
        return ""
    return MOUNT if code.bundle or code.git else code.directory


def _container(job: TrainingJob, given: JSON, env: list[JSON], mounts: list[JSON]) -> JSON:
    """A container with the wiring's variables first, so that its own win and may refer to them."""
    built: JSON = {**given, "env": [*env, *(given.get("env") or [])]}
    environment = job.spec.environment
    if environment is not None and environment.interpreter and not given.get("image"):
        path = environment.interpreter.startswith("/")
        built["image"] = f"venv://{environment.interpreter}" if path else environment.interpreter
    if (place := _workplace(job)) and not given.get("workingDir"):
        built["workingDir"] = place
    if mounts:
        built["volumeMounts"] = [*(given.get("volumeMounts") or []), *mounts]
    return built


HOLD = (
    'go="${TMPDIR:-/tmp}/athanor-run-$ATHANOR_JOB-$ATHANOR_ROLE-$ATHANOR_RANK-$ATHANOR_ATTEMPT"; '
    'echo "waiting for: athanor debug $ATHANOR_JOB --run" >&2; trap "exit 143" TERM; '
    'until [ -e "$go" ]; do sleep 0.3 & wait $!; done; trap - TERM; exec "$@"'
)
"""What a rank of a job in debug mode does first."""


def _held(job: TrainingJob, container: JSON) -> JSON:
    """In debug mode: the container waits for a word before its command begins."""
    own = words(container)
    if not job.spec.debug or not own:
        return container
    return started(container, in_shell(HOLD, own))


def _storage(job: TrainingJob, defaults: Defaults) -> tuple[list[JSON], list[JSON], dict[str, str]]:
    """Volumes, mounts and variables for checkpoints and outputs.

    A machine's own directory is mounted at its own path: the name is the same in and out.
    """
    volumes, mounts, env = [], [], {}
    directory = _directory(job, defaults)
    if directory:
        volumes.append(_host_path("athanor-checkpoints", directory))
        mounts.append({"name": "athanor-checkpoints", "mountPath": directory})
        env["ATHANOR_CHECKPOINT_DIR"] = directory
    elif _wants_claim(job, defaults):
        volumes.append({"name": "athanor-checkpoints", **_claimed(job)})
        mounts.append({"name": "athanor-checkpoints", "mountPath": CHECKPOINTS_MOUNT})
        env["ATHANOR_CHECKPOINT_DIR"] = CHECKPOINTS_MOUNT
    if job.spec.outputs:
        place: JSON = {"name": "athanor-outputs", "mountPath": job.spec.outputs}
        if defaults.checkpoint_root:
            volumes.append(_host_path("athanor-outputs", job.spec.outputs))
        else:  # a node's own folder is nowhere when the pod is gone
            volumes.append({"name": "athanor-outputs", **_claimed(job)})
            place["subPath"] = OUTPUTS
        mounts.append(place)
        env["ATHANOR_OUTPUT_DIR"] = job.spec.outputs
    return volumes, mounts, env


def checkpoints(job: TrainingJob, defaults: Defaults) -> str:
    """Where the ranks see their checkpoints, "" when they have no place for them."""
    return _directory(job, defaults) or (CHECKPOINTS_MOUNT if _wants_claim(job, defaults) else "")


def claimed(job: TrainingJob, place: str, defaults: Defaults) -> str:
    """The claim that holds a folder of the ranks, as a Workspace mounts it; "" when none does."""
    if claim(job, defaults) is None:
        return ""
    if place == job.spec.outputs:
        return f"{claim_of(job.metadata.name)}/{OUTPUTS}:{place}"
    return f"{claim_of(job.metadata.name)}:{place}" if place == CHECKPOINTS_MOUNT else ""


def _directory(job: TrainingJob, defaults: Defaults) -> str:
    asked = job.spec.checkpoints
    if asked is not None and asked.directory:
        return asked.directory
    if not defaults.checkpoint_root:
        return ""
    own = f"{job.metadata.name}-{job.metadata.uid[:8]}"  # a namesake starts from nothing
    return f"{defaults.checkpoint_root}/{job.metadata.namespace}/{own}"


def _wants_claim(job: TrainingJob, defaults: Defaults) -> bool:
    """A job whose outputs are in a claim has its checkpoints there, too, unless it wants none."""
    asked = job.spec.checkpoints
    wanted = bool(job.spec.outputs) if asked is None else asked.enabled
    return wanted and not _directory(job, defaults)


def _claimed(job: TrainingJob) -> JSON:
    return {"persistentVolumeClaim": {"claimName": claim_of(job.metadata.name)}}


def _host_path(name: str, path: str) -> JSON:
    return {"name": name, "hostPath": {"path": path, "type": "DirectoryOrCreate"}}


def files_name(job: TrainingJob) -> str:
    """The name of what stands around the Gang (see `around`)."""
    return f"{job.metadata.name}-wiring"
