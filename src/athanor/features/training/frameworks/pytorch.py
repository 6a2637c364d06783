"""PyTorch: torchrun's own variables (PET_…), and those that `init_process_group` reads.

`torchrun train.py` needs no arguments: it takes each from PET_<ARGUMENT>. A plain command is one
process a rank and reads RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT ("env://"); with several
processes a rank, torchrun is put before it. The store is not shared between agents and workers: a
node that joins a running job would hang (FIELD: TORCH_DISABLE_SHARE_RDZV_TCP_STORE).
"""

from __future__ import annotations

from athanor.api.meta import JSON
from athanor.features.training.frameworks.wiring import INDEX, PORT, JobWorld, Wiring

LAUNCHERS = ("torchrun", "torch.distributed.run", "torch.distributed.launch", "accelerate")


def wire(world: JobWorld) -> Wiring:
    """Static rendezvous at rank 0: a dead rank ends the world for all."""
    processes = world.processes
    env = {
        "MASTER_ADDR": world.first,
        "MASTER_PORT": PORT,
        "WORLD_SIZE": str(world.size * processes),
        "PET_NNODES": str(world.size),
        "PET_NPROC_PER_NODE": str(processes),
        "PET_NODE_RANK": INDEX,
        "PET_MASTER_ADDR": world.first,
        "PET_MASTER_PORT": PORT,
        "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1",
    }
    if processes > 1:
        return Wiring(env=env, container=launched)
    return Wiring(env={**env, "RANK": INDEX, "LOCAL_RANK": "0"})


def launched(container: JSON) -> JSON:
    """A container whose Python program is started by torchrun, unless a launcher is there."""
    command = list(container.get("command") or [])
    words = [*command, *(container.get("args") or [])]
    if not command or any(word.rsplit("/", 1)[-1] in LAUNCHERS for word in words[:4]):
        return container
    if not command[0].rsplit("/", 1)[-1].startswith("python"):
        return container
    run = [command[0], "-m", "torch.distributed.run", *command[1:]]
    return {**container, "command": run}
