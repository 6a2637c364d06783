"""Probes: how often, how many, and what their results say of a container (KEP-950 for startup).

A startup probe holds the others back until it has succeeded. Readiness begins as "no", liveness
as "yes".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from athanor.api.meta import JSON
from athanor.local.agent.plan.observed import Health

Kind = Literal["startupProbe", "livenessProbe", "readinessProbe"]
KINDS: tuple[Kind, ...] = ("startupProbe", "livenessProbe", "readinessProbe")


class Probe(Struct, frozen=True, kw_only=True):
    """One probe with Kubernetes' defaults filled in; times in seconds."""

    kind: Kind
    handler: JSON
    initial_delay: float = 0.0
    period: float = 10.0
    timeout: float = 1.0
    successes: int = 1
    failures: int = 3


class Tally(Struct, frozen=True):
    """Results in a row, and the verdict that they gave (None: no threshold reached yet)."""

    good: int = 0
    bad: int = 0
    verdict: bool | None = None


def probe(container: JSON, kind: Kind) -> Probe | None:
    """A container's probe of a kind."""
    spec = container.get(kind)
    if spec is None:
        return None
    return Probe(
        kind=kind, handler=spec, initial_delay=float(spec.get("initialDelaySeconds") or 0),
        period=float(spec.get("periodSeconds") or 10),
        timeout=float(spec.get("timeoutSeconds") or 1),
        successes=int(spec.get("successThreshold") or 1),
        failures=int(spec.get("failureThreshold") or 3),
    )  # fmt: skip


def count(tally: Tally, probe: Probe, ok: bool) -> Tally:
    """The tally after one more result."""
    good, bad = (tally.good + 1, 0) if ok else (0, tally.bad + 1)
    verdict = tally.verdict
    if good >= probe.successes:
        verdict = True
    elif bad >= probe.failures:
        verdict = False
    return Tally(good, bad, verdict)


def health(container: JSON, tallies: Mapping[Kind, Tally]) -> Health:
    """What the verdicts say of the container's run."""
    nothing = Tally()
    startup = tallies.get("startupProbe", nothing).verdict
    started = "startupProbe" not in container or startup is True
    ready = "readinessProbe" not in container or (
        tallies.get("readinessProbe", nothing).verdict is True
    )
    alive = startup is not False and tallies.get("livenessProbe", nothing).verdict is not False
    return Health(started=started, ready=started and ready, alive=alive)


def port_of(container: JSON, port: int | str) -> int:
    """A port by number or by the container's name for it. Raises ValueError."""
    if isinstance(port, int):
        return port
    for known in container.get("ports") or []:
        if known.get("name") == port:
            return int(known["containerPort"])
    return int(port)
