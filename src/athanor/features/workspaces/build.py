"""The Gang of a workspace, and the claim that its home lies in."""

from __future__ import annotations

from msgspec import Struct

from athanor.api import labels, reach
from athanor.api.meta import JSON, to_manifest
from athanor.api.registry import of
from athanor.api.scheduling import DEFAULT_QUEUE, Gang
from athanor.api.workspaces import Workspace

WORKSPACES, GANGS = of(Workspace), of(Gang)
HOME = "/home/workspace"
PORT = "$(ATHANOR_WORKSPACE_PORT)"
TOKEN = "ATHANOR_WORKSPACE_TOKEN"


class Gateway(Struct, frozen=True, kw_only=True):
    """Where people reach workspaces, and what only the gateway and its workspaces know."""

    url: str = ""
    secret: str = ""
    storage_class: str = ""

    def path(self, workspace: Workspace) -> str:
        """Where a workspace begins, on the gateway and in its own program."""
        return reach.path(workspace.metadata.namespace, workspace.metadata.name)

    def token(self, uid: str) -> str:
        """What a workspace's program asks for, so that nobody else talks to it."""
        return reach.token(self.secret, uid)


def gang(workspace: Workspace, gateway: Gateway, *, suspend: bool) -> JSON:
    """The Gang's manifest."""
    meta, spec = workspace.metadata, workspace.spec
    given = spec.template
    pod: JSON = {**(given.get("spec") or {})}
    pod["containers"] = [_container(workspace, gateway), *(pod.get("containers") or [])]
    pod["restartPolicy"] = "Always"
    pod.setdefault("terminationGracePeriodSeconds", 5)
    claimed = {"persistentVolumeClaim": {"claimName": claim_name(workspace)}}
    pod["volumes"] = [*(pod.get("volumes") or []), {"name": "home", **claimed}]
    pod["volumes"] += [
        {"name": f"mount-{i}", **_source(text)[0]} for i, text in enumerate(spec.mounts)
    ]
    about = given.get("metadata") or {}
    marks = {**(about.get("labels") or {}), labels.WORKSPACE: meta.name}
    template = {**given, "metadata": {**about, "labels": marks}, "spec": pod}
    pod_set: JSON = {"name": "main", "count": 1, "template": template}
    if spec.gpu is not None:
        pod_set["gpu"] = to_manifest(spec.gpu)
    scheduling = to_manifest(spec.scheduling)
    if scheduling.get("queue") in ("", DEFAULT_QUEUE):
        del scheduling["queue"]
    user = meta.annotations.get(labels.USER)
    return {
        "apiVersion": GANGS.api_version, "kind": GANGS.kind,
        "metadata": {
            "name": gang_name(workspace), "namespace": meta.namespace,
            "labels": {**meta.labels, labels.WORKSPACE: meta.name},
            "annotations": {labels.USER: user} if user else {},
            "ownerReferences": [{**_owner(workspace), "controller": True}],
        },
        "spec": {"podSets": [pod_set], **scheduling, "suspend": suspend},
    }  # fmt: skip


def gang_name(workspace: Workspace) -> str:
    """The Gang's name; jobs have their own."""
    return reach.workspace_gang(workspace.metadata.name)


def claim(workspace: Workspace, gateway: Gateway) -> JSON:
    """The claim of the home; it goes with the workspace."""
    spec: JSON = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": str(workspace.spec.storage)}},
    }
    if gateway.storage_class:
        spec["storageClassName"] = gateway.storage_class
    meta = workspace.metadata
    return {
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": claim_name(workspace), "namespace": meta.namespace,
                     "ownerReferences": [_owner(workspace)]},
        "spec": spec,
    }  # fmt: skip


def claim_name(workspace: Workspace) -> str:
    """The home's claim."""
    return f"ws-{workspace.metadata.name}-home"


def _owner(workspace: Workspace) -> JSON:
    meta = workspace.metadata
    return {
        "apiVersion": WORKSPACES.api_version, "kind": WORKSPACES.kind, "name": meta.name,
        "uid": meta.uid,
    }  # fmt: skip


def _container(workspace: Workspace, gateway: Gateway) -> JSON:
    spec = workspace.spec
    base = gateway.path(workspace)
    env = {"HOME": HOME, "ATHANOR_BASE_URL": base, TOKEN: gateway.token(workspace.metadata.uid)}
    if spec.app == "jupyter":  # in its environment: the arguments of processes are for all eyes
        env["JUPYTER_TOKEN"] = env[TOKEN]
    env["ATHANOR_WORKSPACE_PORT"] = str(reach.port(workspace.metadata.uid))
    variables = [{"name": name, "value": value} for name, value in {**env, **spec.env}.items()]
    mounts = [{"name": "home", "mountPath": HOME}]
    mounts += [{"name": f"mount-{i}", **_source(text)[1]} for i, text in enumerate(spec.mounts)]
    made: JSON = {
        "name": "main", "image": spec.image or "host", "env": variables, "volumeMounts": mounts,
        "workingDir": HOME, "command": list(spec.command) or _command(spec.app, base),
    }  # fmt: skip
    if spec.requests:
        amounts = {name: str(amount) for name, amount in spec.requests.items()}
        extended = {name: amount for name, amount in amounts.items() if "/" in name}
        made["resources"] = {"requests": amounts, **({"limits": extended} if extended else {})}
    return made


def _source(text: str) -> tuple[JSON, JSON]:
    """Volume and mount of `/a/directory` of the machine, or of `CLAIM[/FOLDER]:/path`."""
    source, colon, path = text.rpartition(":")
    if not colon:
        return {"hostPath": {"path": text, "type": "Directory"}}, {"mountPath": text}
    claim, _, folder = source.partition("/")
    mount = {"mountPath": path, **({"subPath": folder} if folder else {})}
    return {"persistentVolumeClaim": {"claimName": claim}}, mount


def _command(app: str, base: str) -> list[str]:
    if app == "code-server":
        return ["code-server", "--auth", "none", "--bind-addr", f"127.0.0.1:{PORT}", HOME]
    return [
        "python", "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={PORT}", "--ServerApp.port_retries=0", f"--ServerApp.base_url={base}",
        "--ServerApp.allow_origin=*", "--ServerApp.allow_remote_access=True",
        f"--ServerApp.root_dir={HOME}", "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class="
        "jupyterlab.handlers.announcements.NeverCheckForUpdate",
    ]  # fmt: skip
