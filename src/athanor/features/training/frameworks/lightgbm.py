"""LightGBM: every rank knows the list of all machines and listens on a port of its own.

`LIGHTGBM_MACHINES` is the parameter `machines`, and rank i listens on `$ATHANOR_PORT_<i>`. The
`lightgbm` program gets both and `num_machines` put after its arguments; a Python program passes
them on: `int(os.environ["ATHANOR_PORT_" + os.environ["ATHANOR_INDEX"]])`. A dead machine ends the
world for all.
"""

from __future__ import annotations

from athanor.api.meta import JSON
from athanor.features.training.frameworks.wiring import (
    PORTS,
    SIZE,
    JobWorld,
    Wiring,
    in_shell,
    port,
    ports,
    program,
    started,
    words,
)

RUN = (
    f'eval mine=\\$ATHANOR_PORT_$((ATHANOR_INDEX % {PORTS})); exec "$@" tree_learner=data '
    'machines="$LIGHTGBM_MACHINES" num_machines="$ATHANOR_SIZE" local_listen_port="$mine"'
)


def wire(world: JobWorld) -> Wiring:
    """The list of machines."""
    hosts = [host for role in world.roles for host in world.hosts(role)]
    machines = ",".join(f"{host}:{port(number)}" for number, host in enumerate(hosts))
    return Wiring(
        env={
            **ports(len(hosts)),
            "LIGHTGBM_MACHINES": machines,
            "LIGHTGBM_NUM_MACHINES": SIZE,
        },
        container=launched,
    )


def launched(role: str, container: JSON) -> JSON:
    """The `lightgbm` program with its network; other programs read the environment."""
    command = words(container)
    if not command or program(command[0]) != "lightgbm":
        return container
    return started(container, in_shell(RUN, command))
