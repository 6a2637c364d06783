"""Limits and accounting by control groups, version 1, 2 or both at once (hybrid).

Groups are made under the supervisor's own group, so that whatever bounds the platform bounds its
pods too. What a machine cannot do is told by `Cgroups.able`, never guessed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Mapping

WANTED = ("memory", "cpu", "pids")
_ROOT = "/sys/fs/cgroup"
_PERIOD = 100_000  # µs, the kernel's default CFS period


class Cgroups:
    """The hierarchy for one supervisor: a folder `athanor-TAG` per controller."""

    def __init__(self, tag: str) -> None:
        self._name = f"athanor-{tag}"
        self._v1: dict[str, str] = {}
        self._v2 = ""
        self._able: set[str] = set()
        with contextlib.suppress(OSError):
            self._find()
        self.sweep()

    @property
    def able(self) -> frozenset[str]:
        """Which of memory, cpu, pids can be limited, and "kill" if cgroup.kill exists."""
        return frozenset(self._able)

    def create(self, group: str, limits: Mapping[str, int], kill: bool) -> list[str]:
        """Make a container's groups; returns the `cgroup.procs` files it must enter.

        Limits: memory (bytes), cpu (millicores), shares (v1 cpu.shares), pids (count).
        """
        entries = []
        for controller, parent in self._v1.items():
            folder = os.path.join(parent, group)
            os.makedirs(folder, exist_ok=True)
            self._limit_v1(controller, folder, limits)
            entries.append(folder + "/cgroup.procs")
        if self._v2 and (kill or self._able_v2()):
            folder = os.path.join(self._v2, group)
            os.makedirs(folder, exist_ok=True)
            self._limit_v2(folder, limits)
            entries.append(folder + "/cgroup.procs")
        return entries

    def oom_killed(self, group: str) -> bool:
        """Whether the kernel killed anything in the group for want of memory."""
        for folder, file in (
            (self._v1.get("memory"), "memory.oom_control"),
            (self._v2, "memory.events"),
        ):
            if folder:
                for line in _read(os.path.join(folder, group, file)).splitlines():
                    key, _, value = line.partition(" ")
                    if key == "oom_kill" and int(value) > 0:
                        return True
        return False

    def usage(self, group: str) -> dict[str, int]:
        """Memory in bytes and CPU time in nanoseconds, where accounted."""
        used: dict[str, int] = {}
        if "memory" in self._v1:
            text = _read(os.path.join(self._v1["memory"], group, "memory.usage_in_bytes"))
            used["memory"] = int(text or 0)
        if "cpuacct" in self._v1:
            used["cpu"] = int(_read(os.path.join(self._v1["cpuacct"], group, "cpuacct.usage")) or 0)
        if self._v2:
            folder = os.path.join(self._v2, group)
            for line in _read(folder + "/cpu.stat").splitlines():
                if line.startswith("usage_usec "):
                    used.setdefault("cpu", int(line.split()[1]) * 1000)
            if current := _read(folder + "/memory.current"):
                used.setdefault("memory", int(current))
        return used

    def kill(self, group: str) -> bool:
        """Kill everything in the group at once; False where groups cannot do that."""
        try:
            with open(os.path.join(self._v2, group, "cgroup.kill"), "w") as file:
                file.write("1")
        except OSError:
            return False
        return True

    def remove(self, group: str) -> bool:
        """Remove the group's folders; False while something is still in them."""
        gone = True
        for parent in (*self._v1.values(), self._v2):
            if not parent:
                continue
            try:
                os.rmdir(os.path.join(parent, group))
            except FileNotFoundError:
                continue
            except OSError:
                gone = False
        return gone

    def sweep(self) -> None:
        """Kill and remove what an earlier supervisor of the same tag left behind."""
        for parent in {*self._v1.values(), self._v2} - {""}:
            with contextlib.suppress(OSError):
                for group in os.listdir(parent):
                    folder = os.path.join(parent, group)
                    if os.path.isdir(folder):
                        _empty(folder)

    def close(self) -> None:
        """Remove the hierarchy."""
        self.sweep()
        for parent in (*self._v1.values(), self._v2):
            with contextlib.suppress(OSError):
                os.rmdir(parent)

    def _able_v2(self) -> bool:
        return bool(self._able - {"kill"} - set(self._v1))

    def _find(self) -> None:
        for line in _read("/proc/self/cgroup").splitlines():
            number, names, path = line.split(":", 2)
            if number == "0":
                self._find_v2(path)
                continue
            for name in names.split(","):
                if name in (*WANTED, "cpuacct"):
                    folder = os.path.join(_ROOT, names, path.lstrip("/"), self._name)
                    if not os.path.isdir(os.path.dirname(folder)):
                        folder = os.path.join(_ROOT, name, path.lstrip("/"), self._name)
                    if _made(folder):
                        self._v1[name] = folder
                        self._able |= {name} & set(WANTED)
                        if name == "memory":
                            _write(folder + "/memory.use_hierarchy", "1")

    def _find_v2(self, path: str) -> None:
        top = _ROOT + "/unified" if os.path.isdir(_ROOT + "/unified") else _ROOT
        for base in (path.lstrip("/"), ""):
            parent = os.path.join(top, base).rstrip("/")
            if not os.path.exists(parent + "/cgroup.controllers"):
                continue
            has = set(_read(parent + "/cgroup.controllers").split()) & set(WANTED)
            folder = os.path.join(parent, self._name)
            ready = all(_write(parent + "/cgroup.subtree_control", f"+{c}") for c in has)
            if (has and not ready) or not _made(folder):
                continue
            if all(_write(folder + "/cgroup.subtree_control", f"+{c}") for c in has):
                self._v2 = folder
                self._able |= has
                if os.path.exists(folder + "/cgroup.kill"):
                    self._able.add("kill")
                return

    def _limit_v1(self, controller: str, folder: str, limits: Mapping[str, int]) -> None:
        if controller == "memory" and "memory" in limits:
            _write(folder + "/memory.limit_in_bytes", str(limits["memory"]))
            _write(folder + "/memory.memsw.limit_in_bytes", str(limits["memory"]))
        if controller == "cpu":
            if "shares" in limits:
                _write(folder + "/cpu.shares", str(limits["shares"]))
            if "cpu" in limits:
                _write(
                    folder + "/cpu.cfs_quota_us", str(max(1000, limits["cpu"] * _PERIOD // 1000))
                )
        if controller == "pids" and "pids" in limits:
            _write(folder + "/pids.max", str(limits["pids"]))

    def _limit_v2(self, folder: str, limits: Mapping[str, int]) -> None:
        if "memory" in self._able and "memory" not in self._v1 and "memory" in limits:
            _write(folder + "/memory.max", str(limits["memory"]))
            _write(folder + "/memory.swap.max", "0")
            _write(folder + "/memory.oom.group", "1")
        if "cpu" in self._able and "cpu" not in self._v1:
            if "cpu" in limits:
                quota = max(1000, limits["cpu"] * _PERIOD // 1000)
                _write(folder + "/cpu.max", f"{quota} {_PERIOD}")
            if "shares" in limits:
                weight = 1 + ((limits["shares"] - 2) * 9999) // 262142  # KEP-2254's formula
                _write(folder + "/cpu.weight", str(weight))
        if "pids" in self._able and "pids" not in self._v1 and "pids" in limits:
            _write(folder + "/pids.max", str(limits["pids"]))


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return ""


def _write(path: str, value: str) -> bool:
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(value)
    except OSError:
        return False
    return True


def _made(folder: str) -> bool:
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def _empty(folder: str) -> None:
    for _ in range(100):
        for pid in _read(folder + "/cgroup.procs").split():
            with contextlib.suppress(OSError):
                os.kill(int(pid), signal.SIGKILL)
        try:
            os.rmdir(folder)
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.01)
        else:
            return
