"""JAX: every rank is a process of one world; rank 0 runs the coordinator.

`jax.distributed.initialize` reads JAX_COORDINATOR_ADDRESS itself; number and index of processes are
its arguments: `int(os.environ["JAX_NUM_PROCESSES"])`, `int(os.environ["JAX_PROCESS_ID"])`. On CPUs
collectives go through gloo. One dead process ends the world for all.
"""

from __future__ import annotations

from athanor.features.training.frameworks.wiring import INDEX, PORT, SIZE, JobWorld, Wiring

QUIET = "ignore:Kubernetes environment detected"
"""JAX advises all pods to install the `kubernetes` package, which nothing here needs."""


def wire(world: JobWorld) -> Wiring:
    """The coordinator's address, and who we are."""
    return Wiring(
        env={
            "JAX_COORDINATOR_ADDRESS": f"{world.first}:{PORT}",
            "JAX_NUM_PROCESSES": SIZE,
            "JAX_PROCESS_ID": INDEX,
            "JAX_CPU_COLLECTIVES_IMPLEMENTATION": "gloo",
            "PYTHONWARNINGS": QUIET,
        }
    )
