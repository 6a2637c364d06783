"""Launchers that start processes in other ranks: an agent in the place of ssh, and hostfiles.

A launcher believes it calls ssh; the agent (`athanor_progress.remote`, in the wiring's files as
`ssh`) executes the command in the named pod through the Kubernetes API instead. No daemon, no keys.
"""

from __future__ import annotations

from collections.abc import Sequence

from athanor.api.meta import JSON
from athanor.api.training import RanksRule
from athanor.features.training.frameworks.wiring import (
    FILES,
    JobWorld,
    Refused,
    Wiring,
    idle,
    in_shell,
    started,
    words,
)

LAUNCHER = "launcher"
AGENT = f"{FILES}/ssh"
HOSTFILE, MACHINEFILE = f"{FILES}/hostfile", f"{FILES}/machinefile"

SETUP = f'PATH={FILES}:$PATH; export PATH; exec "$@"'
"""The agent is found as `ssh` by launchers that take no other name for it."""

ENV = {
    # MPICH and others with Hydra
    "HYDRA_LAUNCHER": "ssh",
    "HYDRA_LAUNCHER_EXEC": AGENT,
    "HYDRA_HOST_FILE": MACHINEFILE,
    # Intel MPI
    "I_MPI_HYDRA_BOOTSTRAP": "ssh",
    "I_MPI_HYDRA_BOOTSTRAP_EXEC": AGENT,
    "I_MPI_HYDRA_HOST_FILE": MACHINEFILE,
    # Open MPI 4, and 5 (PRRTE)
    "OMPI_MCA_plm_rsh_agent": AGENT,
    "OMPI_MCA_orte_default_hostfile": HOSTFILE,
    "OMPI_MCA_orte_keep_fqdn_hostnames": "true",
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_plm_ssh_agent": AGENT,
    "PRTE_MCA_prte_default_hostfile": HOSTFILE,
    "PRTE_MCA_prte_keep_fqdn_hostnames": "true",
    "PRTE_ALLOW_RUN_AS_ROOT": "1",
    "PRTE_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "ATHANOR_HOSTFILE": HOSTFILE,
}


def hosts(world: JobWorld) -> list[str]:
    """The ranks that processes are started in: all but the launcher."""
    found = [h for role in world.roles if role.name != LAUNCHER for h in world.hosts(role)]
    if not found:
        raise Refused("there is no role but the launcher: add a role worker with replicas")
    return found


def files(world: JobWorld) -> dict[str, str]:
    """The agent, and the list of hosts in both common formats."""
    slots, where = world.processes, hosts(world)
    return {
        "ssh": world.agent,
        "hostfile": "".join(f"{host} slots={slots}\n" for host in where),
        "machinefile": "".join(f"{host}:{slots}\n" for host in where),
    }


def wiring(world: JobWorld, command: Sequence[str], launchers: Sequence[str]) -> Wiring:
    """A launcher role that starts processes in the others, which wait for that.

    `command` is put before a program that none of the `launchers` starts. Without a role named
    launcher, raises Refused.
    """
    if world.role(LAUNCHER) is None:
        raise Refused(
            f"framework {world.job.spec.framework} needs a role {LAUNCHER} with one replica, "
            "which runs the command"
        )

    def container(role: str, given: JSON) -> JSON:
        if role != LAUNCHER:
            return idle(given)
        own = words(given)
        if not own:
            return given
        known = any(word.rsplit("/", 1)[-1] in launchers for word in own[:3])
        return started(given, in_shell(SETUP, own if known else [*command, *own]))

    return Wiring(
        env=ENV, container=container, files=files(world), commands=LAUNCHER,
        success=[RanksRule(ranks={LAUNCHER: [0]})],
    )  # fmt: skip
