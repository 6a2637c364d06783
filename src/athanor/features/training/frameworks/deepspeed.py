"""DeepSpeed: its launcher in every rank (no ssh), or a launcher role that starts the others.

Without a role named launcher each rank runs `deepspeed --no_ssh --node_rank …` with one hostfile
for all: `python train.py` becomes a script, `python -m package` a module (--module), any other
command is executed as it is (--no_python). With a launcher role DeepSpeed's own multi-node
launchers (pdsh, openmpi, mpich, impi) find the launch agent as their ssh. Slots of a rank are
`processesPerReplica`. A dead rank ends the world for all.
"""

from __future__ import annotations

from athanor.api.meta import JSON
from athanor.features.training.frameworks import launched
from athanor.features.training.frameworks.wiring import (
    INDEX,
    PORT,
    JobWorld,
    Wiring,
    program,
    started,
    words,
)


def wire(world: JobWorld) -> Wiring:
    """One launcher a rank, or one for all."""
    if world.role(launched.LAUNCHER) is not None:
        run = ["deepspeed", "--hostfile", launched.HOSTFILE]
        return launched.wiring(world, run, ("deepspeed", "ds", "sh", "bash"))
    flags = [
        "--hostfile", launched.HOSTFILE, "--no_ssh", "--node_rank", INDEX,
        "--master_addr", world.first, "--master_port", PORT,
    ]  # fmt: skip

    def container(role: str, given: JSON) -> JSON:
        own = words(given)
        return started(given, started_by(own, flags)) if own else given

    env = {"MASTER_ADDR": world.first, "MASTER_PORT": PORT, "ATHANOR_HOSTFILE": launched.HOSTFILE}
    hostfile = launched.files(world)["hostfile"]
    return Wiring(env=env, container=container, files={"hostfile": hostfile})


def started_by(own: list[str], flags: list[str]) -> list[str]:
    """The command line under DeepSpeed's launcher; one that names it keeps its own flags."""
    head = program(own[0])
    if head in ("deepspeed", "ds"):
        return [own[0], *flags, *own[1:]]
    if head in ("sh", "bash"):
        return own
    if head.startswith("python"):
        rest = own[1:]
        if rest[:1] == ["-m"]:
            return ["deepspeed", *flags, "--module", *rest[1:]]
        if rest and not rest[0].startswith("-"):
            return ["deepspeed", *flags, *rest]
    return ["deepspeed", *flags, "--no_python", *own]
