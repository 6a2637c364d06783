"""The values a pod's plan is made from, and those it is made of."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from athanor.api.meta import JSON

EVICTED = "Evicted"
"""Why a pod ends that fills more of the machine than it may."""


class Run(Struct, frozen=True, kw_only=True):
    """One run of a container as the supervisor knows it. Times are seconds since the epoch."""

    name: str
    attempt: int
    started_at: float
    finished_at: float | None = None
    exit_code: int = 0
    signal: int = 0
    reason: str = ""
    message: str = ""
    stopping: bool = False

    @property
    def running(self) -> bool:
        """Not ended yet."""
        return self.finished_at is None


class Hold(Struct, frozen=True):
    """Why a container cannot start (yet): a kubelet's reason, and words for its user."""

    reason: str
    message: str = ""


class Health(Struct, frozen=True):
    """What the probes say of a container's newest run; without probes everything is fine."""

    started: bool = True
    ready: bool = True
    alive: bool = True


class Observed(Struct, frozen=True, kw_only=True):
    """All that a plan may look at. `levels` is how often each container was restarted in a row."""

    pod: JSON
    runs: tuple[Run, ...] = ()
    holds: Mapping[str, Hold] = field(default_factory=dict)
    health: Mapping[str, Health] = field(default_factory=dict)
    levels: Mapping[str, int] = field(default_factory=dict)
    sandboxed: bool = False
    address: str = ""
    host_ip: str = "127.0.0.1"
    refused: Hold | None = None


class Start(Struct, frozen=True):
    """Start run `attempt` of a container; `level` is its place in the back-off sequence."""

    name: str
    attempt: int
    level: int


class Stop(Struct, frozen=True, kw_only=True):
    """preStop, SIGTERM, and SIGKILL of the whole tree when `grace` seconds are over."""

    name: str
    attempt: int
    grace: float
    reason: str
    message: str = ""


class Finish(Struct, frozen=True):
    """Nothing runs and nothing will: give namespaces, volumes and files back."""


class Remove(Struct, frozen=True):
    """The pod was to be deleted and is over: delete the object for good."""


Action = Start | Stop | Finish | Remove


class Decision(Struct, frozen=True, kw_only=True):
    """Actions in order, the status to report, and when to look again (seconds since the epoch)."""

    actions: tuple[Action, ...]
    status: JSON
    wake: float | None = None
