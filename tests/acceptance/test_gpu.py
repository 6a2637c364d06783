"""What each rank uses of its GPUs: of a real one where there is one, and of NVML's own words.

The second takes a library with NVML's published functions in place of the driver's: all that is
ours runs, from the agent's calls to the table a person reads.
"""

from __future__ import annotations

import ctypes
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from athanor.api.meta import JSON
from tests.acceptance.console import Console

NVML = r"""
#include <stdio.h>
typedef struct { unsigned index; } *nvmlDevice_t;
typedef struct { unsigned long long total, free, used; } nvmlMemory_t;
typedef struct { unsigned gpu, memory; } nvmlUtilization_t;
static struct { unsigned index; } cards[2] = {{0}, {1}};
int nvmlInit_v2(void) { return 0; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = 2; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, nvmlDevice_t *device) {
    if (index > 1) return 2;
    *device = (nvmlDevice_t)&cards[index];
    return 0;
}
int nvmlDeviceGetName(nvmlDevice_t device, char *name, unsigned length) {
    return snprintf(name, length, "NVIDIA Testcard") < 0;
}
int nvmlDeviceGetUUID(nvmlDevice_t device, char *uuid, unsigned length) {
    return snprintf(uuid, length, "GPU-%u", device->index) < 0;
}
int nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *memory) {
    memory->total = 80ULL << 30; memory->used = (8ULL + device->index) << 30;
    memory->free = memory->total - memory->used;
    return 0;
}
int nvmlDeviceGetUtilizationRates(nvmlDevice_t device, nvmlUtilization_t *rates) {
    rates->gpu = 90 + device->index; rates->memory = 7;
    return 0;
}
"""
WORK = """
import ctypes
cuda = ctypes.CDLL("libcuda.so.1")
device, context, there = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_uint64()
def do(code):
    assert code == 0, code
do(cuda.cuInit(0))
do(cuda.cuDeviceGet(ctypes.byref(device), 0))
do(cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), device))
do(cuda.cuCtxSetCurrent(context))
do(cuda.cuMemAlloc_v2(ctypes.byref(there), ctypes.c_size_t(1 << 30)))
while True:
    for _ in range(100):
        do(cuda.cuMemsetD8_v2(there, ctypes.c_ubyte(1), ctypes.c_size_t(1 << 30)))
    do(cuda.cuCtxSynchronize())
"""
SLEEP = "import time; time.sleep(600)"


def _used(console: Console, ranks: int, code: str, enough: float) -> list[JSON]:
    """What `top job` says of ranks with a GPU each, once each is seen to use that much of it."""
    console.run(
        "submit", "generic", "--name", "hot", "--workers", str(ranks), "--gpus", "1",
        "--cpu", "100m", "--", "python", "-c", code,
    )  # fmt: skip
    console.run("wait", "hot", "--for", "running")

    def told() -> list[JSON] | None:
        found: list[JSON] = json.loads(console.run("top", "job", "hot", "-o", "json"))["ranks"]
        return found if all((rank["gpu"] or 0) >= enough for rank in found) else None

    return console.until(told)


def test_a_rank_at_work_on_a_real_gpu(tmp_path: Path) -> None:
    for name in ("libnvidia-ml.so.1", "libcuda.so.1"):
        try:
            ctypes.CDLL(name)
        except OSError:
            pytest.skip(f"no GPU here: no {name}")
    with Console(tmp_path) as console:
        (rank,) = _used(console, 1, WORK, 0.5)
        assert rank["gpuMemory"] > 1 << 30


def test_all_that_nvml_says_reaches_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("cc") is None:
        pytest.skip("no C compiler (cc)")
    source = tmp_path / "nvml.c"
    source.write_text(NVML)
    library = tmp_path / "libnvidia-ml.so.1"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    with Console(tmp_path) as console:
        ranks = _used(console, 2, SLEEP, 0.1)
        assert sorted((one["gpus"], one["gpu"], one["gpuMemory"] >> 30) for one in ranks) == [
            ("0", 0.90, 8), ("1", 0.91, 9),
        ]  # fmt: skip
        said = console.run("top", "job", "hot")
        assert "GPU MEMORY" in said and "0.91" in said and "9216 MiB" in said
        assert "NVIDIA-Testcard" in console.run("top", "gpu")
