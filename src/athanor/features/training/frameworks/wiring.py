"""What a framework's module is told about a job, and what it answers.

Values may use what every rank is told first (see `athanor.features.gangs.pods`): ATHANOR_PORT,
ATHANOR_RANK (within its role), ATHANOR_INDEX (within the job), as `$(NAME)`: Kubernetes expands it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from msgspec import Struct, field

from athanor.api.meta import JSON
from athanor.api.training import Role, TrainingJob

PORT = "$(ATHANOR_PORT)"
RANK = "$(ATHANOR_RANK)"
INDEX = "$(ATHANOR_INDEX)"


class JobWorld(Struct, frozen=True):
    """The ranks of a job by name and number."""

    job: TrainingJob

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

    def host(self, role: str, rank: int) -> str:
        """The name under which a rank is reached from the others."""
        name = self.job.metadata.name
        return f"{name}-{role}-{rank}.{name}"

    @property
    def first(self) -> str:
        """The host of rank 0 of the first role that has one."""
        role = next((role for role in self.roles if role.replicas), self.roles[0])
        return self.host(role.name, 0)


def unchanged(container: JSON) -> JSON:
    """A container as the user wrote it."""
    return container


class Wiring(Struct, frozen=True, kw_only=True):
    """A framework's answer: variables of every rank, and what one failed rank means.

    `restart`: Gang when one dead rank is the end of all, Rank when ranks do not need each other.
    `container` may change a role's containers (a launcher before the command).
    """

    env: Mapping[str, str] = field(default_factory=dict)
    restart: Literal["Gang", "Rank"] = "Gang"
    container: Callable[[JSON], JSON] = unchanged


Wire = Callable[[JobWorld], Wiring]
