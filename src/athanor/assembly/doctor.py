"""What this machine can do for the platform, and what earlier runs left behind. Changes nothing."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal, NamedTuple

from athanor.assembly import processes, supervisor
from athanor.assembly.layout import DEFAULT_PORT, DataDir
from athanor.local.agent.launch import tag
from athanor.local.agent.supervisor import linux, nat, walls
from athanor.local.agent.supervisor.cgroups import Cgroups

Verdict = Literal["ok", "weak", "bad"]

LIBRARIES = ("msgspec", "aiohttp", "apsw", "numpy", "uvloop", "cryptography")
LOW_DISK = 2 << 30


class Finding(NamedTuple):
    """One thing that was looked at; `hint` is the way out of a verdict that is not ok."""

    area: str
    verdict: Verdict
    said: str
    hint: str = ""


def examine(data: DataDir) -> list[Finding]:
    """All findings, in the order in which a person wants them."""
    return [
        _python(), *_isolation(), *_egress(), *_cgroups(), _disk(data), *_running(data),
        *_port(data), *_leftovers(data),
    ]  # fmt: skip


def _python() -> Finding:
    found = []
    for name in LIBRARIES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"no {name}")
    said = f"{platform.python_version()} at {sys.prefix}; {', '.join(found)}"
    return Finding("python", "ok", said)


def _isolation() -> list[Finding]:
    """Which namespaces a child may make; tried in a child, so this process stays as it is."""
    if not linux.LINUX:
        said = f"{platform.system()}: plain processes, no namespaces"
        return [Finding("isolation", "weak", said, "Linux keeps pods apart")]
    root = os.geteuid() == 0
    flags = linux.NEWNS | linux.NEWNET | linux.NEWIPC | linux.NEWUTS
    ways = {"user namespaces": flags | linux.NEWUSER}
    if root:
        ways = {"namespaces as root": flags}
    for name, wanted in ways.items():
        if not _try(wanted):
            return [
                Finding(
                    "isolation", "weak", f"{name}: refused by this machine",
                    "pods run as plain processes; sysctl kernel.unprivileged_userns_clone=1, "
                    "or run as root",
                )
            ]  # fmt: skip
    landlock = walls.landlock_version()
    said = f"{', '.join(ways)}; seccomp; Landlock {landlock or 'not there'}"
    return [Finding("isolation", "ok", said)]


def _egress() -> list[Finding]:
    """Whether pods with networks of their own can have a way out of them."""
    flags = linux.NEWNET if os.geteuid() == 0 else linux.NEWNET | linux.NEWUSER
    if not linux.LINUX or not _try(flags):
        return []  # such pods use this machine's network
    if _try(flags, lambda: nat.divert("10.88.0.1", "10.88.0.0/16", 1)):
        return [Finding("egress", "ok", "pods reach other machines (athanor up --no-egress: none)")]
    said = "this kernel has no nf_tables: pods reach no other machine"
    return [Finding("egress", "weak", said, "modprobe nft_chain_nat, or --isolation process")]


def _try(flags: int, then: Callable[[], None] = lambda: None) -> bool:
    child = os.fork()
    if child == 0:
        try:
            linux.unshare(flags)
            then()
            os._exit(0)
        except OSError:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _cgroups() -> list[Finding]:
    groups = Cgroups(f"doctor-{os.getpid()}")
    able = sorted(groups.able)
    groups.close()
    missing = sorted({"cpu", "memory", "pids"} - set(able))
    if not missing:
        return [Finding("limits", "ok", f"control groups for {', '.join(able)}")]
    said = f"no control groups for {', '.join(missing)}"
    return [Finding("limits", "weak", said, "run as root, or in a delegated control group")]


def _disk(data: DataDir) -> Finding:
    at = data.root
    while not at.exists():
        at = at.parent
    free = shutil.disk_usage(at).free
    said = f"{free / (1 << 30):.1f} GiB free for {data.root}"
    if free < LOW_DISK:
        return Finding("disk", "bad", said, "make room, or use --data DIR; athanor gc helps")
    if not os.access(at, os.W_OK):
        return Finding("disk", "bad", f"{at} cannot be written", "use --data DIR")
    return Finding("disk", "ok", said)


def _running(data: DataDir) -> list[Finding]:
    if not processes.held(data.lock):
        return [Finding("platform", "ok", "down")]
    hello = supervisor.ask(data.run, "hello")
    if hello is None:
        return [Finding("platform", "weak", "up, but no supervisor answers", "athanor status")]
    missing = "; ".join(hello.get("missing", [])) or "nothing missing"
    return [Finding("platform", "ok", f"up; pods in class {hello['isolation']}: {missing}")]


def _port(data: DataDir) -> list[Finding]:
    if processes.held(data.lock):
        return []
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", DEFAULT_PORT))
        except OSError:
            holder = _holder(DEFAULT_PORT)
            said = f"{DEFAULT_PORT} is taken by {holder or 'another program'}"
            return [Finding("port", "weak", said, "athanor up --port 0 takes a free one")]
    return [Finding("port", "ok", f"{DEFAULT_PORT} is free")]


def _holder(port: int) -> str:
    """Who listens on a TCP port, by /proc; "" when that cannot be seen."""
    sockets = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = Path(table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            words = row.split()
            if words[3] == "0A" and int(words[1].rpartition(":")[2], 16) == port:
                sockets.add(f"socket:[{words[9]}]")
    for folder in Path("/proc").glob("[0-9]*/fd"):
        try:
            if any(os.readlink(link) in sockets for link in folder.iterdir()):
                name = (folder.parent / "comm").read_text(encoding="utf-8").strip()
                return f"process {folder.parent.name} ({name})"
        except OSError:
            continue  # not ours to see, or gone
    return ""


def _leftovers(data: DataDir) -> list[Finding]:
    if processes.held(data.lock):
        return []
    left = [
        f"{file.stem} (process {found.pid})"
        for file in sorted(data.run.glob("*.pid"))
        if (found := processes.read(file)).alive()
    ]
    if supervisor.ask(data.run, "hello") is not None:
        left.append("supervisor")
    else:
        groups = Path("/sys/fs/cgroup").glob(f"**/athanor-{tag(data.root)}")
        left += [f"control group {path}" for path in groups]
    if left:
        return [Finding("leftovers", "bad", ", ".join(left), "athanor down ends them")]
    return [Finding("leftovers", "ok", "none")]
