"""What a framework's module is told about a job, and what it answers.

Values may use what every rank is told first (see `athanor.features.gangs.pods`): ATHANOR_PORT
(where there is a Service), ATHANOR_RANK (within its role), ATHANOR_INDEX and ATHANOR_SIZE (within
the job), as `$(NAME)`: Kubernetes expands it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from msgspec import Struct, field

from athanor.api.meta import JSON
from athanor.api.training import RanksRule, Role, TrainingJob

PORT = "$(ATHANOR_PORT)"
RANK = "$(ATHANOR_RANK)"
INDEX = "$(ATHANOR_INDEX)"
SIZE = "$(ATHANOR_SIZE)"
SELF = "$(ATHANOR_JOB)-$(ATHANOR_ROLE)-$(ATHANOR_RANK).$(ATHANOR_JOB)"
"""The host name of the rank itself, as the others know it."""

FILES = "/athanor/wiring"
"""Where ranks find the files of the wiring: hostfiles, the launch agent."""

FIRST_PORT = 29500
PORTS = 16
"""A gang whose ranks share one address has this many ports to itself."""


class Refused(Exception):
    """The job can never run as it is written; the message says why and what to do."""


class JobWorld(Struct, frozen=True):
    """The ranks of a job by name and number. `agent`: the text of the launch agent."""

    job: TrainingJob
    agent: str = ""

    @property
    def roles(self) -> list[Role]:
        """Roles in order; ranks are numbered through them in that order."""
        return self.job.spec.roles

    @property
    def size(self) -> int:
        """How many ranks there are, in all roles."""
        return sum(role.replicas for role in self.roles)

    @property
    def processes(self) -> int:
        """Processes that each rank starts."""
        return self.job.spec.processes_per_replica

    def role(self, *names: str) -> Role | None:
        """The first role of one of these names that has ranks."""
        return next(
            (r for name in names for r in self.roles if r.name == name and r.replicas), None
        )

    def host(self, role: str, rank: int) -> str:
        """The name under which a rank is reached from the others."""
        name = self.job.metadata.name
        return f"{name}-{role}-{rank}.{name}"

    def hosts(self, role: Role) -> list[str]:
        """The names of all ranks of a role."""
        return [self.host(role.name, rank) for rank in range(role.replicas)]

    @property
    def first(self) -> str:
        """The host of rank 0 of the first role that has one."""
        role = next((role for role in self.roles if role.replicas), self.roles[0])
        return self.host(role.name, 0)


def port(number: int) -> str:
    """The gang's port of that number; ranks that share an address need ports of their own."""
    return f"$(ATHANOR_PORT_{number % PORTS})"


def ports(count: int) -> dict[str, str]:
    """The variables that `port` refers to; an agent without pod networks replaces them."""
    return {f"ATHANOR_PORT_{n}": str(FIRST_PORT + n) for n in range(min(count, PORTS))}


def unchanged(role: str, container: JSON) -> JSON:
    """A container as the user wrote it."""
    return container


class Wiring(Struct, frozen=True, kw_only=True):
    """A framework's answer: variables and files of every rank, and what one failed rank means.

    `restart`: Gang when one dead rank is the end of all, Rank when ranks do not need each other.
    `container` may change a role's containers (a launcher before the command). `files` appear in
    FILES. Ranks of the role `commands` may execute commands in those of the others. `success`
    are the rules of a job that has none of its own. `live`: ranks may come and go.
    """

    env: Mapping[str, str] = field(default_factory=dict)
    restart: Literal["Gang", "Rank"] = "Gang"
    container: Callable[[str, JSON], JSON] = unchanged
    files: Mapping[str, str] = field(default_factory=dict)
    commands: str = ""
    success: Sequence[RanksRule] = ()
    live: bool = False


Wire = Callable[[JobWorld], Wiring]


def words(container: JSON) -> list[str]:
    """The command line of a container."""
    return [*(container.get("command") or []), *(container.get("args") or [])]


def program(word: str) -> str:
    """The last part of a path: which program it is."""
    return word.rsplit("/", 1)[-1]


def started(container: JSON, command: Sequence[str]) -> JSON:
    """A container with another command line."""
    return {**{k: v for k, v in container.items() if k != "args"}, "command": list(command)}


def in_shell(script: str, command: Sequence[str]) -> list[str]:
    """A shell that runs `script`, in which "$@" is the command."""
    return ["sh", "-c", script, "sh", *command]


WAIT = 'trap "exit 0" TERM; while :; do sleep 3600 & wait $!; done'
"""What a rank does that only waits for others to start processes in it."""


def idle(container: JSON) -> JSON:
    """A container without a command waits; one with a command keeps it."""
    return container if words(container) else started(container, ["sh", "-c", WAIT])
