"""From a pod's container to what the supervisor starts: program, environment, mounts, limits."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from athanor.api.meta import JSON
from athanor.kit import quantity
from athanor.local.agent.images import Environment
from athanor.local.agent.permits import closed_parent
from athanor.local.agent.place import HOME, LIBRARY, TOKEN_PATH, Place
from athanor.local.agent.plan.environ import expand
from athanor.local.agent.plan.shared import Translation
from athanor.local.agent.volumes import Source

SYSTEM_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def base_environment(pod: JSON, env: Environment, place: Place, api: Mapping[str, str]) -> JSON:
    """The variables every container starts with, before its own."""
    library = LIBRARY if place.apart else str(place.library)
    out = {
        "PATH": ":".join((*env.path, *SYSTEM_PATH)),
        "HOSTNAME": pod["spec"].get("hostname") or pod["metadata"]["name"],
        "HOME": HOME,
        "USER": "athanor",
        "LOGNAME": "athanor",
        "LANG": "C.UTF-8",
        "PYTHONPATH": ":".join((library, *env.libraries)),
        "PYTHONUNBUFFERED": "1",
        **api,
    }
    if env.libraries:  # wheels such as MPI's bring shared libraries for others to find
        out["LD_LIBRARY_PATH"] = ":".join(f"{path}/lib" for path in env.libraries)
    if env.virtual_env:
        out["VIRTUAL_ENV"] = env.virtual_env
    return out


def command(container: JSON, env: Environment, variables: Mapping[str, str]) -> list[str]:
    """The program and its arguments; a container that names none gets its Python."""
    whole = [*(container.get("command") or []), *(container.get("args") or [])]
    return [expand(part, variables) for part in whole] or [env.python]


def limits(container: JSON, place: Place) -> dict[str, int]:
    """Control-group limits: bytes, millicores, shares, processes. A kubelet takes 0 for none."""
    resources = container.get("resources") or {}
    most, wish = resources.get("limits") or {}, resources.get("requests") or {}
    out = {"pids": place.process_limit}
    if memory := quantity.whole(most.get("memory", "0")):
        out["memory"] = memory
    if cores := quantity.milli(most.get("cpu", "0")):
        out["cpu"] = cores
    if cpu := wish.get("cpu", most.get("cpu")):
        out["shares"] = max(2, quantity.milli(cpu) * 1024 // 1000)
    return out


def mounts(
    pod: JSON, container: JSON, env: Environment, place: Place, sources: Mapping[str, Source],
    variables: Mapping[str, str],
) -> list[JSON]:  # fmt: skip
    """What is laid over the machine's own files, in order."""
    own = place.folder / "containers" / container["name"]
    out: list[JSON] = [
        {"source": str(own / "tmp"), "target": "/tmp"},
        {"source": str(own / "home"), "target": HOME},
        {"source": str(place.library), "target": LIBRARY, "readOnly": True},
        {"source": str(place.folder / "hosts"), "target": "/etc/hosts"},
        {"source": str(place.folder / "resolv.conf"), "target": "/etc/resolv.conf"},
        {"source": str(place.folder / "passwd"), "target": "/etc/passwd"},
    ]
    needs = list(env.needs)
    if work := _work(container, place):
        needs.append(work)
    reachable = _reachable(needs, place)
    hiding = ["/tmp", *(entry["target"] for entry in reachable if "kind" in entry)]
    if not any(str(place.data).startswith(folder + "/") for folder in hiding):
        out.append(_nothing(str(place.data)))
    for entry in reachable:
        out += _without_data(entry, place)
    for mount in container.get("volumeMounts") or []:
        out += _without_data(_volume(mount, sources[mount["name"]], variables), place)
    if "..token" in sources:
        source = sources["..token"].path
        out.append({"source": source, "target": TOKEN_PATH, "readOnly": True})
    message = container.get("terminationMessagePath") or "/dev/termination-log"
    out.append({"source": str(own / "message"), "target": message})
    return out


def share(
    spec: JSON, pod: JSON, container: JSON, place: Place, sources: Mapping[str, Source]
) -> JSON:
    """The same container where it has no namespaces: paths and names as they really are."""
    own = place.folder / "containers" / container["name"]
    message = container.get("terminationMessagePath") or "/dev/termination-log"
    paths = {HOME: str(own / "home"), message: str(own / "message")}
    writable = [str(own), "/tmp", "/var/tmp", "/dev"]
    for mount in container.get("volumeMounts") or []:
        found = _volume(mount, sources[mount["name"]], spec["env"])
        paths[mount["mountPath"]] = found["source"]
        if not found["readOnly"]:
            writable.append(found["source"])
    if (work := _work(container, place)) and os.stat(work).st_uid == place.uid:
        writable.append(work)
    if "..token" in sources:
        paths[TOKEN_PATH] = sources["..token"].path
    said = Translation(paths, pod["spec"].get("subdomain") or "")
    env = {**said.values(spec["env"]), "TMPDIR": str(own / "tmp")}
    return {
        **spec, "argv": said.words(spec["argv"]), "env": env, "cwd": said.text(spec["cwd"]),
        "writable": writable,
    }  # fmt: skip


def own_files(place: Place, container: str) -> None:
    """Make the folders and files that are one container's own."""
    own = place.folder / "containers" / container
    for name in ("tmp", "home"):
        folder = own / name
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o1777 if name == "tmp" else 0o700)
        if os.geteuid() == 0:
            os.chown(folder, place.uid, place.gid)
    message = own / "message"
    message.touch()
    message.chmod(0o666)


def sub_path(source: str, path: str) -> str:
    """A path under a volume, made as open as the volume and for its owner where it is missing.

    Raises PermissionError when a link leads out of the volume.
    """
    whole = os.path.realpath(os.path.join(source, path))
    root = os.path.realpath(source)
    if whole != root and not whole.startswith(root + "/"):
        raise PermissionError(f"subPath {path!r} leads out of its volume")
    seen = os.stat(root)
    opened = [os.open(root, _FOLDER)]
    try:
        for part in Path(os.path.relpath(whole, root)).parts:
            fresh = _make(part, opened[-1])
            if not fresh and not stat.S_ISDIR(_mode(part, opened[-1])):
                break  # a file, or what whoever comes last finds no way through
            opened.append(os.open(part, _FOLDER, dir_fd=opened[-1]))
            if fresh:
                os.fchmod(opened[-1], seen.st_mode & 0o7777)
                if os.geteuid() == 0:
                    os.fchown(opened[-1], seen.st_uid, seen.st_gid)
    finally:
        for one in opened:
            os.close(one)
    return whole


def _make(name: str, folder: int) -> bool:
    """Make a folder in another; False when something is there. Its owner may change it meanwhile,
    so links are followed nowhere.
    """
    try:
        os.mkdir(name, dir_fd=folder)
    except FileExistsError:
        return False
    return True


def _mode(name: str, folder: int) -> int:
    return os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode


def _work(container: JSON, place: Place) -> str:
    """The working directory, when it is one of this machine's. Raises Missing for a closed one."""
    work: str = container.get("workingDir") or ""
    mounted = [mount["mountPath"].rstrip("/") for mount in container.get("volumeMounts") or []]
    if not os.path.isdir(work) or any(f"{work}/".startswith(f"{path}/") for path in mounted):
        return ""
    real = os.path.realpath(work)
    place.permit.check_data(real)
    place.permit.check_passage(real)
    return work


def _nothing(target: str) -> JSON:
    return {"kind": "tmpfs", "target": target, "readOnly": True, "size": "1m"}


def _without_data(entry: JSON, place: Place) -> list[JSON]:
    """A mount, and nothing in place of the platform's data where it would show them."""
    whole = os.path.realpath(entry.get("source") or "/dev/null")
    if not str(place.data).startswith(whole.rstrip("/") + "/"):
        return [entry]
    inside = os.path.relpath(place.data, whole)
    return [entry, _nothing(os.path.join(entry["target"], inside))]


def _volume(mount: JSON, source: Source, variables: Mapping[str, str]) -> JSON:
    target = mount["mountPath"]
    path = source.path
    inner = mount.get("subPath") or expand(mount.get("subPathExpr") or "", variables)
    if inner:
        path = sub_path(path, inner)
    read_only = bool(mount.get("readOnly")) or source.read_only
    return {"source": path, "target": target, "readOnly": read_only, "exact": True}


def _reachable(needs: list[str], place: Place) -> list[JSON]:
    """Mounts that let the pod reach folders behind a closed home or under what is laid over."""
    home = place.permit.home
    shadows: dict[str, None] = {home: None} if home not in ("", "/") else {}
    tops = ["/tmp/", "/run/", f"{place.data}/", *(f"{path}/" for path in shadows)]
    binds: dict[str, bool] = {}
    for need in needs:
        closed = closed_parent(need, place.uid)
        owned = os.stat(need).st_uid == place.uid and not place.permit.only_reads(need)
        if closed:
            shadows[closed] = None
        hidden = any(need.startswith(top) for top in tops)
        if closed or owned or hidden:
            binds[need] = owned
    out: list[JSON] = [_nothing(path) for path in shadows]
    return out + [
        {
            "source": os.path.realpath(path),
            "target": path,
            "readOnly": not binds[path],
            "exact": True,
        }
        for path in sorted(binds)
    ]
