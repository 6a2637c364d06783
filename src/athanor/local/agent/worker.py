"""One pod's worker: looks, lets the plan decide, does it, reports; again when something changed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Awaitable, Callable, Container
from typing import Any

import msgspec

from athanor.api.core import Pod
from athanor.api.meta import JSON
from athanor.api.registry import of
from athanor.local.agent import archive, recall
from athanor.local.agent.checks import Target
from athanor.local.agent.node import Node, log_folder
from athanor.local.agent.plan import probes
from athanor.local.agent.plan.environ import Missing
from athanor.local.agent.plan.observed import (
    EVICTED,
    Action,
    Decision,
    Finish,
    Health,
    Hold,
    Observed,
    Remove,
    Run,
    Start,
    Stop,
)
from athanor.local.agent.plan.pod import again, grace_of, plan
from athanor.local.agent.prepare import Preparation
from athanor.local.agent.prober import Prober
from athanor.local.agent.supervised import Gone, Refused, Unborn
from athanor.wire import calls
from athanor.wire.status import ApiError

log = logging.getLogger(__name__)
_PODS = of(Pod)
_RETRY = 2.0
_HOOK_SECONDS = 600.0


class Worker:
    """Runs one pod. `say` records an event about it; `released` tells that it holds nothing."""

    def __init__(
        self, node: Node, pod: JSON, preparation: Preparation, runs: list[Run],
        say: Callable[[JSON, str, str, str], None], listed: list[str],
    ) -> None:  # fmt: skip
        self.node = node
        self.pod = pod
        self.preparation = preparation
        self.runs = {(run.name, run.attempt): run for run in runs}
        self.levels = {run.name: run.attempt for run in sorted(runs, key=lambda r: r.attempt)}
        self.holds: dict[str, Hold] = {}
        self._tried: dict[str, float] = {}
        self._said: dict[str, Hold] = {}
        self.health: dict[str, Health] = {}
        self.refused: Hold | None = None
        self.finished = False
        self.last_words: Callable[[], Awaitable[None]] = _nothing
        self._listed = set(listed)
        self._say = say
        self._poke = asyncio.Event()
        self._probers: dict[str, Prober] = {}
        self._hooks: set[asyncio.Task[None]] = set()
        self._stops: dict[tuple[str, int], asyncio.Task[None]] = {}
        self._reported: JSON = {}
        self._gone = False

    @property
    def uid(self) -> str:
        """The pod's uid."""
        return str(self.pod["metadata"]["uid"])

    def poke(self) -> None:
        """Something changed: look again."""
        self._poke.set()

    def retry(self) -> None:
        """What held containers up may be over: try them again now."""
        self._tried.clear()
        self.poke()

    def update(self, pod: JSON) -> None:
        """The pod as the API server has it now."""
        self.pod = pod
        self.preparation.refer(pod)
        self.poke()

    def evict(self, message: str) -> None:
        """The pod takes more than it may: it ends now, and for good."""
        if self.refused is None and not self.finished:
            self.refused = Hold(EVICTED, message)
            self._say(self.pod, "Warning", EVICTED, message)
            self.poke()

    def vanish(self) -> None:
        """The pod object is gone: whatever is left ends now."""
        self._gone = True
        self.poke()

    def ended(self, name: str, attempt: int, exit_: JSON) -> None:
        """The supervisor told of an exit; of one that is known already it changes nothing."""
        run = self.runs.get((name, attempt))
        if run is not None and not run.running:
            return
        started = exit_.get("startedAt", 0.0)
        run = recall.ended(run or Run(name=name, attempt=attempt, started_at=started), exit_)
        said = self.preparation.last_words(name, attempt, run.exit_code)
        if said and not run.message:
            run = msgspec.structs.replace(run, message=said)
        self.runs[name, attempt] = run
        self.health.pop(name, None)
        if prober := self._probers.pop(name, None):
            prober.end()
        self.poke()

    def lose(self, known: set[str], sandboxes: Container[str]) -> None:
        """A supervisor was met: runs it does not know died with the one before it."""
        for at, run in self.runs.items():
            if run.running and recall.key_of(self.uid, *at) not in known:
                self.runs[at] = recall.lost(run, self.node.clock.now())
        self.preparation.sandboxed = self.uid in sandboxes
        self.poke()

    async def run(self) -> None:
        """Work until the pod is gone."""
        for run in list(self.runs.values()):
            if run.running:
                self._started(run.name, run.attempt, fresh=False)
        while not self._gone:
            self._poke.clear()
            wake: float | None = None
            try:
                wake = await self._turn()
            except (ApiError, Refused, OSError) as error:
                log.warning("pod %s: %s", self.pod["metadata"]["name"], error)
                wake = self.node.clock.now() + _RETRY
            await self._sleep(wake)
        await self._clean()

    async def _sleep(self, wake: float | None) -> None:
        if wake is None:
            await self._poke.wait()
            return
        delay = max(0.01, wake - self.node.clock.now())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(delay):
                await self._poke.wait()

    async def _turn(self) -> float | None:
        now = self.node.clock.now()
        for name, hold in list(self.holds.items()):
            if self._tried.get(name, 0.0) + again(hold) <= now + 0.05:
                del self.holds[name]
        for _ in range(8):
            decision = self._decide()
            if not await self._apply(decision):
                break
        decision = self._decide()
        await self._report(decision.status)
        if any(isinstance(action, Remove) for action in decision.actions):
            await self._remove()
        return decision.wake

    def _decide(self) -> Decision:
        seen = Observed(
            pod=self.pod, runs=tuple(self.runs.values()), holds=dict(self.holds),
            health=dict(self.health), levels=dict(self.levels),
            sandboxed=self.preparation.sandboxed, address=self.preparation.address,
            host_ip=self.node.settings.address, refused=self.refused,
        )  # fmt: skip
        return plan(seen, self.node.clock.now())

    async def _apply(self, decision: Decision) -> bool:
        """Do the actions; True when the world is another one now."""
        changed = False
        for action in decision.actions:
            changed |= await self._do(action)
        return changed

    async def _do(self, action: Action) -> bool:
        match action:
            case Start():
                return await self._start(action)
            case Stop():
                return self._stop(action)
            case Finish() if not self.finished:
                await self._finish()
        return False

    async def _start(self, action: Start) -> bool:
        name = action.name
        try:
            await self.preparation.pod()
            spec = await self.preparation.container(name, action.attempt)
        except Missing as missing:
            return self._hold(name, missing.hold)
        except OSError as error:  # a full disk, a subPath that leads out, a folder that was closed
            return self._hold(name, Hold("CreateContainerError", str(error)))
        if not self.node.supervised.connected:
            raise Refused("the supervisor is not connected")
        self.holds.pop(name, None)
        key = recall.key_of(self.uid, name, action.attempt)
        self.levels[name] = action.level
        self._listed.add(key)
        now = self.node.clock.now()
        self.runs[name, action.attempt] = Run(name=name, attempt=action.attempt, started_at=now)
        self._forget_old(name, action.attempt)
        if self.node.settings.joined is None:  # elsewhere the gateway collects from all nodes
            archive.note(log_folder(self.node.settings, self.pod), self.pod)
        try:
            answer = await self.node.supervised.ask("start", key=key, spec=spec)
        except Unborn as unborn:
            del self.runs[name, action.attempt]
            return self._hold(name, Hold("CreateContainerError", str(unborn)))
        except Gone:
            return False  # the next supervisor says that the run is lost
        except Refused as refused:
            self._say(self.pod, "Warning", "Failed", f"Error: {refused}")
            return False  # its exit follows, as of any container
        run = self.runs[name, action.attempt]
        if run.running and "startedAt" in answer:
            began = msgspec.structs.replace(run, started_at=answer["startedAt"])
            self.runs[name, action.attempt] = began
        self._say(self.pod, "Normal", "Started", f"Started container {name}")
        self._started(name, action.attempt, fresh=True)
        return True

    def _started(self, name: str, attempt: int, *, fresh: bool) -> None:
        """A container runs: its hook and its probes follow."""
        container = self.preparation.container_of(name)
        target = self._target(name, attempt)
        said = next((s for s in self._statuses() if s["name"] == name), {})

        def changed(health: Health) -> None:
            if self.health.get(name) != health:
                self.health[name] = health
                self.poke()

        def say(text: str) -> None:
            self._say(self.pod, "Warning", "Unhealthy", text)

        if old := self._probers.pop(name, None):
            old.end()
        if any(kind in container for kind in probes.KINDS):
            ready = not fresh and bool(said.get("ready"))
            self._probers[name] = Prober(container, target, changed, say, ready)
            self._probers[name].begin()
        hook = (container.get("lifecycle") or {}).get("postStart")
        if fresh and hook:
            self._hooks.add(task := asyncio.ensure_future(self._post_start(name, attempt, hook)))
            task.add_done_callback(self._hooks.discard)

    def _statuses(self) -> list[JSON]:
        status = self.pod.get("status") or {}
        return [
            *(status.get("containerStatuses") or []), *(status.get("initContainerStatuses") or [])
        ]  # fmt: skip

    def _target(self, name: str, attempt: int) -> Target:
        key = recall.key_of(self.uid, name, attempt)
        container = self.preparation.container_of(name)
        return Target(self.node, self.uid, container, key, self.preparation.address)

    async def _post_start(self, name: str, attempt: int, hook: JSON) -> None:
        ok, said = await self._target(name, attempt).check(hook, _HOOK_SECONDS)
        if not ok:
            self._say(self.pod, "Warning", "FailedPostStartHook", f"PostStartHook failed: {said}")
            run = self.runs.get((name, attempt))
            if run is not None and run.running:
                grace = grace_of(self.pod)
                stop = Stop(name=name, attempt=attempt, grace=grace, reason="FailedPostStartHook")
                self._stop(stop)

    def _hold(self, name: str, hold: Hold) -> bool:
        self.holds[name] = hold
        self._tried[name] = self.node.clock.now()
        if self._said.get(name) != hold:
            self._said[name] = hold
            mount = hold.message.startswith("MountVolume")
            reason = "FailedMount" if mount else "Failed"
            self._say(self.pod, "Warning", reason, hold.message or hold.reason)
        return True

    def _forget_old(self, name: str, attempt: int) -> None:
        for at in [at for at in self.runs if at[0] == name and at[1] < attempt - 1]:
            del self.runs[at]

    def _stop(self, action: Stop) -> bool:
        at = (action.name, action.attempt)
        run = self.runs[at]
        task = self._stops.get(at)
        if task is not None and not task.done() and action.grace > 0:
            return False
        if run.stopping and action.grace > 0:
            return False
        if not run.stopping:
            text = action.message or f"Stopping container {action.name}"
            self._say(self.pod, "Normal", "Killing", text)
        self.runs[at] = msgspec.structs.replace(run, stopping=True)
        if task is not None:
            task.cancel()
        self._stops[at] = asyncio.ensure_future(self._end(action))
        return False

    async def _end(self, action: Stop) -> None:
        key = recall.key_of(self.uid, action.name, action.attempt)
        began = self.node.clock.monotonic()
        hooked = action.grace > 0 and await self._pre_stop(action)
        left = max(0.0, action.grace - (self.node.clock.monotonic() - began))
        if hooked:
            left = max(left, 2.0)  # a kubelet's minimum, for a hook that took all of the grace
        with contextlib.suppress(Refused):
            await self.node.supervised.ask(
                "stop", key=key, signal=int(self._signal(action.name)), grace=left
            )

    def _signal(self, name: str) -> signal.Signals:
        """What a container is told to end by (KEP-4960)."""
        wish = (self.preparation.container_of(name).get("lifecycle") or {}).get("stopSignal")
        return getattr(signal, wish or "SIGTERM", signal.SIGTERM)

    async def _pre_stop(self, action: Stop) -> bool:
        """Run the hook, if there is one; whether there was."""
        container = self.preparation.container_of(action.name)
        hook = (container.get("lifecycle") or {}).get("preStop")
        if hook:
            target = self._target(action.name, action.attempt)
            ok, said = await target.check(hook, action.grace)
            if not ok:
                self._say(self.pod, "Warning", "FailedPreStopHook", f"PreStopHook failed: {said}")
        return bool(hook)

    async def _report(self, status: JSON) -> None:
        said = {key: value for key, value in status.items() if value is not None}
        if said == self._reported:
            return
        meta = self.pod["metadata"]
        body: dict[str, Any] = {"metadata": {"uid": meta["uid"]}, "status": status}
        call = calls.patch(_PODS, meta["name"], meta["namespace"], body, subresource="status")
        try:
            fresh = await self.node.client(call)
        except ApiError as error:
            if error.code in (404, 409):
                return
            raise
        self._reported = said
        self.pod = {**self.pod, "status": fresh.get("status", {})}

    async def _finish(self) -> None:
        await self.last_words()  # its files go with the sandbox
        await self.node.supervised.ask("unsandbox", pod=self.uid)
        self.finished = True
        await self.preparation.release()
        # the last two runs of a container stay known: their exits are in the pod's status

    async def _remove(self) -> None:
        meta = self.pod["metadata"]
        call = calls.delete(
            _PODS, meta["name"], meta["namespace"], uid=meta["uid"], grace_seconds=0
        )
        try:
            await self.node.client(call)
        except ApiError as error:
            if error.code not in (404, 409):
                raise

    async def _clean(self) -> None:
        """Nothing of this pod stays on the machine."""
        for task in (*self._stops.values(), *self._hooks):
            task.cancel()
        for prober in self._probers.values():
            prober.end()
        while True:
            try:
                await self.node.supervised.ask("unsandbox", pod=self.uid)
                while any(run.running for run in self.runs.values()):
                    self._poke.clear()
                    await self._poke.wait()
                await self.node.supervised.ask("forget", keys=sorted(self._listed))
                break
            except Refused:
                await asyncio.sleep(_RETRY)
        await self.preparation.release()
        folder = log_folder(self.node.settings, self.pod)
        await asyncio.to_thread(archive.keep, folder, self.node.settings.archive)


async def _nothing() -> None:
    """Nobody waits for last words."""
