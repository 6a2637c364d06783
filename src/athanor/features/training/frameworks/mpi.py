"""MPI: a launcher runs mpiexec, which starts processes in the workers through the launch agent.

MPICH, Open MPI (4 and 5) and Intel MPI read agent and hosts from the environment: plain
`mpiexec -n 4 ./program` does. A program without a launcher before it gets `mpiexec -n` all slots;
`processesPerReplica` is the number of slots of a worker. A dead rank ends the world for all.
"""

from __future__ import annotations

from athanor.features.training.frameworks import launched
from athanor.features.training.frameworks.wiring import JobWorld, Wiring

LAUNCHERS = (
    "mpirun", "mpiexec", "mpiexec.hydra", "mpirun.mpich", "mpiexec.mpich", "mpirun.openmpi",
    "mpiexec.openmpi", "orterun", "prterun", "sh", "bash",
)  # fmt: skip


def wire(world: JobWorld) -> Wiring:
    """mpiexec over all slots."""
    slots = world.processes * len(launched.hosts(world))
    return launched.wiring(world, ["mpiexec", "-n", str(slots)], LAUNCHERS)
