"""What readers of foreign jobs make: metadata, roles, command lines, and the whole TrainingJob."""

from __future__ import annotations

import shlex
from collections.abc import Callable

from athanor.api.meta import API_VERSION, JSON
from athanor.sdk.foreign import queueing
from athanor.sdk.foreign.given import Given

CLEAN = {"None": "None", "All": "All", "Running": "Unfinished", "Unfinished": "Unfinished"}
SERVERS = (
    "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp",
    "deletionGracePeriodSeconds", "managedFields", "selfLink",
)  # fmt: skip
"""Metadata that a server wrote about the old object."""
APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def head(given: Given) -> JSON:
    """Our object's metadata; what the server keeps there belongs to the old object."""
    meta = given.part("metadata")
    for field in SERVERS:
        meta.take(field)
    annotations: JSON = meta.take("annotations", {})
    annotations.pop(APPLIED, None)
    kept = {key: meta.take(key) for key in ("name", "generateName", "namespace", "labels")}
    kept["annotations"] = annotations
    return {key: value for key, value in kept.items() if value}


def role(part: Given, name: str, policy: str) -> JSON:
    """One of our roles. The pods' own restart policy is the role's to say, there as here."""
    template = part.take("template", {})
    spec = template.get("spec") or {}
    containers = spec.get("containers") or [] if isinstance(spec, dict) else None
    if not _are_objects(containers):
        raise ValueError(f"{part.at('template')}: spec.containers is not a list of containers")
    spec = dict(spec)
    own = spec.pop("restartPolicy", None)
    if own not in (None, policy):
        part.note("template.spec.restartPolicy", f"{own}: the role's own holds, {policy}")
    made: JSON = {"name": name.lower()}
    replicas = part.take("replicas", 1)
    if replicas != 1:
        made["replicas"] = replicas
    return {**made, "restartPolicy": policy, "template": {**template, "spec": spec}}


def _are_objects(found: object) -> bool:
    return isinstance(found, list) and all(isinstance(one, dict) for one in found)


def job(given: Given, framework: str, spec: JSON, *, suspends: str = "") -> JSON:
    """The TrainingJob, without what says nothing. An empty `tensorboard` asks for one.

    `suspends`: the field by which Kueue holds such a job until its turn, where it does.
    """
    given.take("apiVersion")
    given.take("kind")
    given.take("status")
    meta, spec = queueing.read(given, head(given), spec, suspends)
    said = {
        key: value for key, value in spec.items()
        if value not in (None, [], False, "") and (value != {} or key == "tensorboard")
    }  # fmt: skip
    return {
        "apiVersion": API_VERSION, "kind": "TrainingJob", "metadata": meta,
        "spec": {"framework": framework, **said},
    }  # fmt: skip


def clean(part: Given, path: str, word: object) -> JSON:
    """The pods that go with a job, from a word that was taken at `path`."""
    if not word:
        return {}
    if str(word) not in CLEAN:
        part.note(path, f"{word} is not known, the pods that still run are deleted")
    return {"cleanPods": CLEAN.get(str(word), "Unfinished")}


def retries(part: Given, path: str, value: object, policy: JSON) -> JSON:
    """A run policy that has a backoffLimit; a second number of retries is only noted."""
    if value is None:
        return policy
    if "backoffLimit" in policy:
        part.note(path, f"{value}: retries are counted once, by runPolicy.backoffLimit")
        return policy
    return {**policy, "backoffLimit": value}


def processes(part: Given, path: str, each: object, template: JSON) -> int:
    """A number of processes; `auto` and `gpu` mean one for each device that is asked for."""
    if str(each).isdecimal():
        return int(str(each))
    resources = container(template).get("resources")
    limits = resources.get("limits") if isinstance(resources, dict) else None
    asked = limits.items() if isinstance(limits, dict) else ()
    devices = [int(str(v)) for k, v in asked if "/" in k and str(v).isdecimal()]
    count = max(devices, default=1)
    known = "one for each device of a rank" if each in ("auto", "gpu") else "not known here"
    part.note(path, f"{each}: {known}, processesPerReplica is {count}")
    return count


def container(template: JSON, name: str = "") -> JSON:
    """The container of a template that does the work: the one of that name, or the first."""
    all_: list[JSON] = (template.get("spec") or {}).get("containers") or [{}]
    return next((one for one in all_ if one.get("name") == name), all_[0])


def words(template: JSON) -> list[str]:
    """The command line of the container that does the work."""
    main = container(template)
    found = [main.get(field) for field in ("command", "args")]
    return [str(word) for part in found if isinstance(part, list) for word in part]


def with_command(template: JSON, command: list[str] | None, name: str = "") -> JSON:
    """A template whose working container, first of all, has another command; None for none."""
    spec = template.get("spec") or {}
    all_: list[JSON] = spec.get("containers") or [{}]
    main = container(template, name)
    bare = {key: value for key, value in main.items() if key not in ("command", "args")}
    changed = bare if command is None else {**bare, "command": command}
    others = [one for one in all_ if one is not main]
    return {**template, "spec": {**spec, "containers": [changed, *others]}}


def instead(part: Given, one: JSON, command: list[str] | None, name: str = "") -> JSON:
    """A role whose working container has another command; what its template said is noted."""
    template = one["template"]
    main = container(template, name)
    all_ = (template.get("spec") or {}).get("containers") or [main]
    for field in ("command", "args"):
        if said := main.get(field):
            now = "the platform's own runs" if command is None else f"{shlex.join(command)} runs"
            said = said if isinstance(said, list) else [said]
            where = f"template.spec.containers[{all_.index(main)}].{field}"
            part.note(where, f"{shlex.join(map(str, said))}: {now}, there as here")
    return {**one, "template": with_command(template, command, name)}


def each_container(template: JSON, change: Callable[[JSON], JSON]) -> JSON:
    """A template whose containers, and those before them, are changed.

    What is malformed is left to the server, which names it.
    """
    pod = template["spec"]
    changed = {
        field: [change(one) if isinstance(one, dict) else one for one in pod[field]]
        for field in ("initContainers", "containers") if isinstance(pod.get(field), list)
    }  # fmt: skip
    return {**template, "spec": {**pod, **changed}}


def with_env(container: JSON, env: list[JSON]) -> JSON:
    """A container that is told variables before its own."""
    own = container.get("env") or []
    if not env or not isinstance(own, list):
        return container
    return {**container, "env": [*map(dict, env), *own]}
