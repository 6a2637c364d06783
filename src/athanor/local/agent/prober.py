"""Runs the probes of one pod's containers, each in its own rhythm, and keeps their verdicts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from athanor.api.meta import JSON
from athanor.local.agent.checks import Target
from athanor.local.agent.plan import probes
from athanor.local.agent.plan.observed import Health
from athanor.local.agent.plan.probes import Kind, Probe, Tally

_WORDS: dict[Kind, str] = {
    "startupProbe": "Startup", "livenessProbe": "Liveness", "readinessProbe": "Readiness",
}  # fmt: skip


class Prober:
    """One container run's. `changed` hears each new Health; `say` gets failures for events."""

    def __init__(
        self, container: JSON, target: Target, changed: Callable[[Health], None],
        say: Callable[[str], None], ready: bool,
    ) -> None:  # fmt: skip
        self._container = container
        self._target = target
        self._changed = changed
        self._say = say
        self._tallies: dict[Kind, Tally] = {}
        if ready:  # adopted from an agent before: it was ready and stays so until a probe fails
            self._tallies = {kind: Tally(verdict=True) for kind in probes.KINDS}
        self._started = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def begin(self) -> None:
        """Start probing; tells the first Health at once."""
        self._tell()
        for kind in probes.KINDS:
            probe = probes.probe(self._container, kind)
            if probe is not None:
                self._tasks.append(asyncio.ensure_future(self._run(probe)))

    def end(self) -> None:
        """Stop probing."""
        for task in self._tasks:
            task.cancel()

    async def _run(self, probe: Probe) -> None:
        if probe.kind != "startupProbe":
            await self._started.wait()
        await asyncio.sleep(probe.initial_delay)
        while True:
            ok, said = await self._target.check(probe.handler, probe.timeout)
            tally = probes.count(self._tallies.get(probe.kind, Tally()), probe, ok)
            self._tallies[probe.kind] = tally
            if not ok:
                self._say(f"{_WORDS[probe.kind]} probe failed: {said}"[:1024])
            self._tell()
            if probe.kind == "startupProbe" and tally.verdict is not None:
                return
            await asyncio.sleep(probe.period)

    def _tell(self) -> None:
        health = probes.health(self._container, self._tallies)
        if health.started:
            self._started.set()
        self._changed(health)
