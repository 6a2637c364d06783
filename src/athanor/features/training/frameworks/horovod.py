"""Horovod: as MPI, or with horovodrun, which starts its workers through ssh: our launch agent.

A program without a launcher before it gets `horovodrun -np` all slots with the hostfile. A dead
rank ends the world for all.
"""

from __future__ import annotations

from athanor.features.training.frameworks import launched
from athanor.features.training.frameworks.mpi import LAUNCHERS
from athanor.features.training.frameworks.wiring import JobWorld, Wiring


def wire(world: JobWorld) -> Wiring:
    """horovodrun over all slots."""
    slots = world.processes * len(launched.hosts(world))
    run = ["horovodrun", "-np", str(slots), "--hostfile", launched.HOSTFILE]
    return launched.wiring(world, run, (*LAUNCHERS, "horovodrun"))
