"""How a job's code gets to its ranks: a container that fetches it before the others start.

Uploaded code comes through the API server, as the pod's own account, whether or not the job's own
containers have one; git is asked directly.
"""

from __future__ import annotations

from msgspec import Struct

from athanor.api.meta import JSON
from athanor.api.training import Code

MOUNT = "/athanor/code"
"""Where ranks find fetched code; their working directory, unless they say another."""
ACCOUNT = "/athanor/account"
_VOLUME, _TOKEN = "athanor-code", "athanor-account"
_MESSAGE = "/dev/termination-log"


class Fetching(Struct, frozen=True, kw_only=True):
    """What a pod needs for it: volumes, the first container, the mount of the others."""

    volumes: list[JSON]
    container: JSON
    mount: JSON


def fetching(code: Code | None, image: str, first: JSON) -> Fetching | None:
    """None when nothing is to be fetched. `image` has Python, our helpers, and git.

    It is confined as the job's `first` container is; git gets what that has of secrets and mounts.
    """
    if code is None or not (code.bundle or code.git):
        return None
    env = {"ATHANOR_CODE_TO": MOUNT, "ATHANOR_CODE_MESSAGE": _MESSAGE, "HOME": "/tmp"}
    mount: JSON = {"name": _VOLUME, "mountPath": MOUNT}
    volumes: list[JSON] = [{"name": _VOLUME, "emptyDir": {}}]
    container: JSON = {
        "name": "athanor-code", "image": image, "volumeMounts": [mount],
        "command": ["python", "-m", "athanor_progress.fetch"],
    }  # fmt: skip
    if code.bundle:
        env |= {"ATHANOR_CODE_BUNDLE": code.bundle, "ATHANOR_ACCOUNT": ACCOUNT}
        volumes.append({"name": _TOKEN, "projected": {"sources": _account()}})
        container["volumeMounts"] = [mount, {"name": _TOKEN, "mountPath": ACCOUNT}]
    else:
        env |= {"ATHANOR_CODE_GIT": code.git, "ATHANOR_CODE_REF": code.ref}
        container["volumeMounts"] = [mount, *(first.get("volumeMounts") or [])]
        container |= {"envFrom": first["envFrom"]} if first.get("envFrom") else {}
    if first.get("securityContext"):
        container["securityContext"] = first["securityContext"]
    container["env"] = [{"name": name, "value": value} for name, value in env.items()]
    return Fetching(volumes=volumes, container=container, mount=mount)


def _account() -> list[JSON]:
    """The pod's account, as Kubernetes mounts it: token, authority, namespace."""
    namespace = {"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}
    return [
        {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
        {
            "configMap": {
                "name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]
            }
        },
        {"downwardAPI": {"items": [namespace]}},
    ]  # fmt: skip
