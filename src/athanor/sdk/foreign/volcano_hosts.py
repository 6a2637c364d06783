"""Volcano's files of hosts (`/etc/volcano/TASK.host`, a name a line), where a task reads them.

Its plugin svc mounts them from a ConfigMap; here a first container of each pod writes them from
the variables that say the same, so that a clone of the job has its own names in them.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from athanor.api.meta import JSON
from athanor.sdk.foreign import shape
from athanor.sdk.foreign.given import Given

FILES = "/etc/volcano"
NAME = "volcano-hosts"
KEPT = ("image", "imagePullPolicy", "resources", "securityContext")
"""What the first container has of the task's own: its image, and as much room at most."""


def written(part: Given, one: JSON, tasks: Sequence[tuple[str, str]], *, svc: bool) -> JSON:
    """A role with those files, if its template names them; `tasks` are names with their hosts."""
    template = one["template"]
    if FILES not in str(template):
        return one
    if not svc:
        part.note("template", f"there is no {FILES}: plugin svc is missing, there as here")
        return one
    mount = {"name": NAME, "mountPath": FILES}
    env = [{"name": f"HOSTS_{number}", "value": hosts} for number, (_, hosts) in enumerate(tasks)]
    lines = [
        f'for h in $HOSTS_{number}; do echo "$h"; done > {shlex.quote(f"{FILES}/{name}.host")}'
        for number, (name, _) in enumerate(tasks)
    ]
    main = shape.container(template)
    first = {
        "name": NAME, **{key: main[key] for key in KEPT if key in main},
        "command": ["sh", "-ec", "\n".join(["IFS=,", *lines])], "env": env,
        "volumeMounts": [mount],
    }  # fmt: skip
    template = shape.each_container(template, lambda container: _mounted(container, mount))
    pod = template["spec"]
    own, before = pod.get("volumes") or [], pod.get("initContainers") or []
    if not isinstance(own, list) or not isinstance(before, list):
        return one  # the server says what is wrong with them
    pod = {
        **pod, "volumes": [*own, {"name": NAME, "emptyDir": {}}],
        "initContainers": [first, *before],
    }  # fmt: skip
    part.note("template", f"{FILES}/TASK.host: written by a first container, by sh of its image")
    return {**one, "template": {**template, "spec": pod}}


def _mounted(container: JSON, mount: JSON) -> JSON:
    own = container.get("volumeMounts") or []
    return (
        {**container, "volumeMounts": [*own, dict(mount)]} if isinstance(own, list) else container
    )
