"""A container's file system: the machine's own, read-only, with the pod's volumes laid over it.

Runs in the forked child, in its own mount namespace, before the program starts. The root is an
overlay of "/" whose upper layer is a small tmpfs, so that mount points can be made anywhere.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from typing import Any

from athanor.local.agent.supervisor import linux

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_PSEUDO = frozenset(
    [
        "proc",
        "sysfs",
        "devtmpfs",
        "devpts",
        "tmpfs",
        "ramfs",
        "cgroup",
        "cgroup2",
        "securityfs",
        "debugfs",
        "tracefs",
        "mqueue",
        "bpf",
        "pstore",
        "configfs",
        "hugetlbfs",
        "autofs",
        "binfmt_misc",
        "efivarfs",
        "fusectl",
        "nsfs",
        "rpc_pipefs",
        "squashfs",
        "fuse.gvfsd-fuse",
        "fuse.portal",
        "fuse.lxcfs",
        "overlay",
        "selinuxfs",
    ]
)


def real_mounts() -> list[str]:
    """Where this machine has further file systems of its own mounted, outermost first."""
    found = []
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        for line in file:
            left, _, right = line.partition(" - ")
            target = left.split()[4].replace("\\040", " ")
            kind = right.split()[0]
            system = target == "/" or target.startswith(("/proc", "/sys", "/dev", "/run"))
            if kind not in _PSEUDO and not system:
                found.append(target)
    return sorted(set(found), key=lambda path: path.count("/"))


def enter_root(base: str, spec: dict[str, Any], extra: Sequence[str], userns: bool) -> None:
    """Build the root on the empty folder `base` and make it this process's own."""
    linux.mount("none", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
    linux.mount("tmpfs", base, "tmpfs", linux.MS_NOSUID, "mode=755,size=64m")
    root, upper, work = (f"{base}/{name}" for name in ("root", "upper", "work"))
    for folder in (root, upper, work):
        os.mkdir(folder, 0o755)
    if userns:
        linux.mount("tmpfs", root, "tmpfs", linux.MS_NOSUID, "mode=755,size=4m")
        _fold_out(root, "/", skip=("proc", "sys", "dev", "tmp", "run"))
    else:
        options = f"lowerdir=/,upperdir={_escape(upper)},workdir={_escape(work)}"
        linux.mount("overlay", root, "overlay", 0, options)
    for path in () if userns else extra:
        with contextlib.suppress(OSError):  # a share that hangs or forbids is not for pods
            _bind(root, {"source": path, "target": path, "readOnly": True})
    _system(root)
    locked = []
    for entry in spec["mounts"]:
        target = _place(root, entry)
        if entry.get("kind") == "tmpfs" and entry.get("readOnly"):
            locked.append(target)
    for target in locked:
        linux.set_attributes(target, linux.ATTR_RDONLY)
    attributes = linux.ATTR_NOSUID | (linux.ATTR_RDONLY if spec.get("readOnlyRoot", True) else 0)
    linux.set_attributes(root, attributes)
    linux.pivot_root(root)


def _system(root: str) -> None:
    linux.mount("proc", root + "/proc", "proc", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)
    _bind(root, {"source": "/sys", "target": "/sys", "readOnly": True})
    linux.mount("tmpfs", root + "/dev", "tmpfs", linux.MS_NOSUID, "mode=755,size=64k")
    for name in _DEVICES:
        _bind(root, {"source": f"/dev/{name}", "target": f"/dev/{name}"})
    for name, to in (
        ("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"), ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"), ("ptmx", "pts/ptmx"),
    ):  # fmt: skip
        os.symlink(to, f"{root}/dev/{name}")
    os.mkdir(root + "/dev/pts", 0o755)
    flags = linux.MS_NOSUID | linux.MS_NOEXEC
    linux.mount("devpts", root + "/dev/pts", "devpts", flags, "newinstance,ptmxmode=0666,mode=620")
    os.mkdir(root + "/dev/shm", 0o1777)
    linux.mount("tmpfs", root + "/dev/shm", "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, "mode=1777")
    if os.path.isdir(root + "/run"):
        linux.mount("tmpfs", root + "/run", "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, "mode=755")


def _place(root: str, entry: dict[str, Any]) -> str:
    if entry.get("kind") != "tmpfs":
        return _bind(root, entry)
    target = _resolve(root, entry["target"])
    _make_folder(root, target)
    size = f",size={entry['size']}" if entry.get("size") else ""
    options = f"mode={entry.get('mode', 0o755):o}{size}"
    linux.mount("tmpfs", target, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, options)
    return target


def _bind(root: str, entry: dict[str, Any]) -> str:
    source, target = entry["source"], _resolve(root, entry["target"])
    if os.path.isdir(source):
        _make_folder(root, target)
    elif not os.path.lexists(target):
        parent = os.path.dirname(target)
        _make_folder(root, parent)
        try:
            _make_file(target)
        except OSError:
            _fold_out(root, parent[len(root) :])
            _make_file(target)
    if entry.get("exact"):
        linux.bind_exactly(source, target)
    else:
        linux.mount(source, target, flags=linux.MS_BIND | linux.MS_REC)
    if entry.get("readOnly"):
        linux.set_attributes(target, linux.ATTR_RDONLY | linux.ATTR_NOSUID, recursive=True)
    return target


def _fold_out(root: str, path: str, skip: Sequence[str] = ()) -> None:
    """Put a small writable folder in place of one of the machine's, its entries bound into it.

    Where "/" cannot be overlaid (user namespaces), this is how mount points come into being.
    """
    target = root + path if path != "/" else root
    if path != "/":
        linux.mount("tmpfs", target, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, "mode=755,size=1m")
    for name in os.listdir(path):
        source, here = os.path.join(path, name), f"{target}/{name}"
        if os.path.islink(source):
            os.symlink(os.readlink(source), here)
        elif name in skip and os.path.isdir(source):
            os.mkdir(here, 0o755)
        else:
            with contextlib.suppress(PermissionError):  # what we may not see, pods may not either
                _bind(
                    root, {"source": source, "target": os.path.join(path, name), "readOnly": True}
                )


def _make_folder(root: str, target: str) -> None:
    """mkdir -p, folding out whichever of the machine's read-only folders is in the way."""
    missing = []
    while not os.path.isdir(target):
        missing.append(target)
        target = os.path.dirname(target)
    for path in reversed(missing):
        try:
            os.mkdir(path, 0o755)
        except OSError:
            parent = os.path.dirname(path)
            if not os.path.isdir(parent[len(root) :]):
                raise
            _fold_out(root, parent[len(root) :])
            os.mkdir(path, 0o755)


def _make_file(path: str) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))


def _resolve(root: str, path: str) -> str:
    """Where `path` lies under `root`, following symbolic links as if root were "/"."""
    todo = [part for part in path.split("/") if part][::-1]
    at: list[str] = []
    links = 0
    while todo:
        part = todo.pop()
        if part in (".", ".."):
            at = at[: len(at) - (part == "..")]
            continue
        here = "/".join([root, *at, part])
        if os.path.islink(here) and links < 40:
            links += 1
            to = os.readlink(here)
            at = [] if to.startswith("/") else at
            todo += [step for step in to.split("/") if step][::-1]
        else:
            at.append(part)
    return "/".join([root, *at])


def _escape(path: str) -> str:
    for character in "\\,:":
        path = path.replace(character, "\\" + character)
    return path
