"""Devices as named resources with ids and health; who has which.

A plugin finds one sort of device. GPUs come from NVML, NVIDIA's management library, where the
driver brought it; `--simulate-gpus 8xA100` pretends, and says so wherever it shows.
"""

from __future__ import annotations

import ctypes
import glob
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from athanor.api import labels
from athanor.api.meta import JSON

GPU = "nvidia.com/gpu"
SIMULATED = "athanor.dev/simulated-gpus"
LABELS = ("nvidia.com/gpu.product", "nvidia.com/gpu.count", "nvidia.com/gpu.memory", SIMULATED)
"""Every label of a node that devices may say something in."""


class Device(Struct, frozen=True, kw_only=True):
    """One device. `files` are the device files a pod needs to use it."""

    resource: str
    id: str
    model: str
    healthy: bool = True
    simulated: bool = False
    uuid: str = ""
    memory: int = 0
    files: tuple[str, ...] = ()


def chosen_for(meta: JSON) -> list[str]:
    """The ids that the controllers chose for a pod, by its metadata; a pod without their label may
    say what it likes.
    """
    if labels.CHOSEN not in (meta.get("labels") or {}):
        return []
    notes = meta.get("annotations") or {}
    return [part for part in notes.get(labels.DEVICES, "").split(",") if part]


class Load(Struct, frozen=True):
    """What a device does, whoever makes it: `busy` in percent of its time, `memory` in bytes."""

    busy: int
    memory: int


class Plugin(Protocol):
    """Finds the devices of one sort."""

    def find(self) -> Sequence[Device]:
        """All there are now, with their health."""

    def load(self, device: Device) -> Load | None:
        """What a device does now; None when nobody knows."""

    def environment(self, devices: Sequence[Device]) -> Mapping[str, str]:
        """Variables by which programs find the devices given to them."""


class NotEnough(Exception):
    """A container asks for more devices than are free."""


class Simulated:
    """Devices that are not there, to try queueing. `wish` is like "8xA100"."""

    def __init__(self, wish: str) -> None:
        """Raises ValueError for what is no N x MODEL; whoever starts an agent tries it first."""
        found = re.fullmatch(r"(\d{1,4})[xX]([A-Za-z0-9._-]+)", wish)
        if found is None:
            raise ValueError(f"--simulate-gpus {wish!r}: write it like 8xA100")
        self._count, self._model = int(found[1]), found[2]

    def find(self) -> Sequence[Device]:
        """The same ones every time."""
        return [
            Device(resource=GPU, id=str(i), model=self._model, simulated=True)
            for i in range(self._count)
        ]

    def load(self, device: Device) -> Load | None:
        """They only pretend."""
        return None

    def environment(self, devices: Sequence[Device]) -> Mapping[str, str]:
        """As for real ones, and a word that they are not."""
        ids = ",".join(device.id for device in devices)
        return {"CUDA_VISIBLE_DEVICES": ids, "ATHANOR_SIMULATED_GPUS": ids}


class Nvidia:
    """GPUs by NVML; none where the library is not there."""

    def __init__(self, library: str = "libnvidia-ml.so.1") -> None:
        try:
            self._nvml: ctypes.CDLL | None = ctypes.CDLL(library)
            if self._nvml.nvmlInit_v2():
                self._nvml = None
        except OSError:
            self._nvml = None

    def find(self) -> Sequence[Device]:
        """Every GPU the driver knows; one that does not answer is unhealthy."""
        if self._nvml is None:
            return []
        count = ctypes.c_uint()
        if self._nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)):
            return []
        return [self._one(index) for index in range(count.value)]

    def load(self, device: Device) -> Load | None:
        """Over the last second or so, as NVML samples it."""
        if self._nvml is None:
            return None
        handle, rates, memory = ctypes.c_void_p(), (ctypes.c_uint * 2)(), (ctypes.c_ulonglong * 3)()
        if (
            self._nvml.nvmlDeviceGetHandleByIndex_v2(int(device.id), ctypes.byref(handle))
            or self._nvml.nvmlDeviceGetUtilizationRates(handle, ctypes.byref(rates))
            or self._nvml.nvmlDeviceGetMemoryInfo(handle, ctypes.byref(memory))
        ):
            return None
        return Load(busy=rates[0], memory=memory[2])

    def environment(self, devices: Sequence[Device]) -> Mapping[str, str]:
        """CUDA's own variable; indexes in the order of the PCI bus, as NVML counts."""
        ids = ",".join(device.id for device in devices)
        return {
            "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
            "CUDA_VISIBLE_DEVICES": ids,
            "NVIDIA_VISIBLE_DEVICES": ids,
        }

    def _one(self, index: int) -> Device:
        assert self._nvml is not None
        handle = ctypes.c_void_p()
        failed = self._nvml.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(handle))
        name, uuid = ctypes.create_string_buffer(96), ctypes.create_string_buffer(96)
        memory = (ctypes.c_ulonglong * 3)()
        if not failed:
            failed |= self._nvml.nvmlDeviceGetName(handle, name, 96)
            failed |= self._nvml.nvmlDeviceGetUUID(handle, uuid, 96)
            failed |= self._nvml.nvmlDeviceGetMemoryInfo(handle, ctypes.byref(memory))
        shared = sorted(path for path in glob.glob("/dev/nvidia*") if not re.search(r"\d$", path))
        files = (f"/dev/nvidia{index}", *shared, "/dev/dxg")  # the last under WSL, alone
        return Device(
            resource=GPU, id=str(index), model=name.value.decode() or "unknown",
            healthy=not failed, uuid=uuid.value.decode(), memory=memory[0],
            files=tuple(path for path in files if os.path.exists(path)),
        )  # fmt: skip


class Devices:
    """All devices of the node, and which container holds which."""

    def __init__(self, plugins: Sequence[Plugin]) -> None:
        self._plugins = plugins
        self._found: dict[str, dict[str, Device]] = {}
        self._makers: dict[str, Plugin] = {}
        self._held: dict[tuple[str, str], dict[str, tuple[str, ...]]] = {}
        self.look()

    def look(self) -> None:
        """Ask the plugins again."""
        self._found = {}
        for plugin in self._plugins:
            for device in plugin.find():
                self._found.setdefault(device.resource, {})[device.id] = device
                self._makers[device.resource] = plugin

    def capacity(self) -> dict[str, str]:
        """Resource → how many there are."""
        return {name: str(len(all_)) for name, all_ in self._found.items()}

    def allocatable(self) -> dict[str, str]:
        """Resource → how many are healthy."""
        return {
            name: str(sum(device.healthy for device in all_.values()))
            for name, all_ in self._found.items()
        }

    def labels(self) -> dict[str, str]:
        """What the node's labels say of them."""
        gpus = list(self._found.get(GPU, {}).values())
        if not gpus:
            return {}
        model = re.sub(r"[^A-Za-z0-9._-]+", "-", gpus[0].model)[:63]
        said = {"nvidia.com/gpu.product": model, "nvidia.com/gpu.count": str(len(gpus))}
        if gpus[0].memory:
            said["nvidia.com/gpu.memory"] = str(gpus[0].memory >> 20)
        if gpus[0].simulated:
            said[SIMULATED] = "true"
        return said

    def names(self) -> Iterable[str]:
        """The resources there are."""
        return self._found

    def assign(
        self, pod: str, container: str, wishes: Mapping[str, int], chosen: Sequence[str]
    ) -> list[Device]:
        """Give a container its devices: those chosen for the pod, else the first free ones.

        The same question gets the same answer. Raises NotEnough.
        """
        held = self._held.setdefault((pod, container), {})
        given: list[Device] = []
        for resource, count in wishes.items():
            if resource not in held:
                held[resource] = self._pick(pod, resource, count, chosen)
            given += [self._found[resource][i] for i in held[resource]]
        return given

    def share(self, pod: str, container: str, chosen: Sequence[str]) -> list[Device]:
        """Show a container devices that its pod has a part of: that the parts of all suffice is
        the scheduler's business. Raises NotEnough.
        """
        held = self._held.setdefault((pod, container), {})
        for resource, devices in sorted(self._found.items()):
            there = all(i in devices and devices[i].healthy for i in chosen)
            if there or resource in held:
                mine = held.setdefault(resource, tuple(chosen))
                return [devices[i] for i in mine]
        raise NotEnough(f"there is no healthy device {', '.join(chosen)} to share ({pod})")

    def restore(self, pod: str, container: str, held: Mapping[str, Sequence[str]]) -> None:
        """What a running container holds already."""
        self._held[pod, container] = {name: tuple(ids) for name, ids in held.items()}

    def held(self, pod: str, container: str) -> dict[str, list[str]]:
        """Resource → ids that a container holds."""
        found = self._held.get((pod, container), {})
        return {name: list(ids) for name, ids in found.items() if ids}

    def loads(self, pod: str, container: str = "") -> list[Load]:
        """What each device does that a pod (or one container of it) holds; of the measured ones."""
        loads = [
            self._makers[resource].load(self._found[resource][number])
            for (holder, part), given in self._held.items()
            if holder == pod and container in ("", part)
            for resource, numbers in given.items()
            for number in numbers
            if number in self._found.get(resource, {})
        ]
        return [load for load in loads if load is not None]

    def release(self, pod: str) -> None:
        """Everything a pod holds is free again."""
        for key in [key for key in self._held if key[0] == pod]:
            del self._held[key]

    def environment(self, given: Sequence[Device]) -> dict[str, str]:
        """Variables for a container that was given these."""
        out: dict[str, str] = {}
        for resource in {device.resource for device in given}:
            mine = [device for device in given if device.resource == resource]
            out |= self._makers[resource].environment(mine)
        return out

    def _pick(self, pod: str, resource: str, count: int, chosen: Sequence[str]) -> tuple[str, ...]:
        taken = {i for held in self._held.values() for i in held.get(resource, ())}
        free = [
            device.id
            for device in self._found.get(resource, {}).values()
            if device.healthy and device.id not in taken
        ]
        wanted = [i for i in chosen if i in free] or free
        if len(wanted) < count:
            raise NotEnough(f"{resource}: {count} asked for, {len(wanted)} free ({pod})")
        return tuple(wanted[:count])
