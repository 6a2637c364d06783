"""PyTorch: torchrun's own variables (PET_…), and those that `init_process_group` reads.

`torchrun train.py` needs no arguments: it takes each from PET_<ARGUMENT>. A plain command is one
process a rank and reads RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT ("env://"); with several
processes a rank, or elastic, torchrun is put before it. Elastic ranks meet by c10d at rank 0's
host and come and go. The store is not shared between agents and workers: a node that joins a
running job would hang (FIELD: TORCH_DISABLE_SHARE_RDZV_TCP_STORE).
"""

from __future__ import annotations

from athanor.api.meta import JSON
from athanor.features.training.frameworks.wiring import (
    INDEX,
    PORT,
    SELF,
    SIZE,
    JobWorld,
    Wiring,
    program,
    words,
)

LAUNCHERS = ("torchrun", "torch.distributed.run", "torch.distributed.launch", "accelerate")


def wire(world: JobWorld) -> Wiring:
    """Static rendezvous at rank 0 (a dead rank ends the world for all), or elastic by c10d."""
    processes = world.processes
    shared = {
        "PET_NPROC_PER_NODE": str(processes),
        "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1",
    }
    elastic = world.job.spec.elastic
    if elastic is not None:
        env = {
            **shared,
            "PET_NNODES": f"{elastic.min}:{elastic.max}",
            "PET_RDZV_BACKEND": "c10d",
            "PET_RDZV_ENDPOINT": f"{world.host(elastic.role, 0)}:{PORT}",
            "PET_RDZV_ID": world.job.metadata.name,
            "PET_MAX_RESTARTS": str(max(world.job.spec.run_policy.backoff_limit, 1)),
            "PET_LOCAL_ADDR": SELF,
        }
        return Wiring(env=env, container=launched, restart="Rank", live=True)
    env = {
        **shared,
        "MASTER_ADDR": world.first,
        "MASTER_PORT": PORT,
        "PET_NNODES": SIZE,
        "PET_NODE_RANK": INDEX,
        "PET_MASTER_ADDR": world.first,
        "PET_MASTER_PORT": PORT,
    }
    if processes > 1:
        return Wiring(env=env, container=launched)
    return Wiring(env={**env, "WORLD_SIZE": SIZE, "RANK": INDEX, "LOCAL_RANK": "0"})


def launched(role: str, container: JSON) -> JSON:
    """A container whose Python program is started by torchrun, unless a launcher is there."""
    command = list(container.get("command") or [])
    if not command or any(program(word) in LAUNCHERS for word in words(container)[:4]):
        return container
    if not program(command[0]).startswith("python"):
        return container
    run = [command[0], "-m", "torch.distributed.run", *command[1:]]
    return {**container, "command": run}
