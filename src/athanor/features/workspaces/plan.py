"""What a workspace needs next: its claim and Gang, to be stopped or started, its status.

Stopping suspends the Gang: its pod goes, its hardware is free, its home stays.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from athanor.api.core import PersistentVolumeClaim
from athanor.api.meta import Condition, set_condition
from athanor.api.registry import of
from athanor.api.scheduling import Gang
from athanor.api.workspaces import Workspace, WorkspacePhase, WorkspaceStatus
from athanor.features.workspaces import build, rules
from athanor.features.workspaces.build import Gateway
from athanor.features.workspaces.observe import Observed
from athanor.features.workspaces.rules import Wish
from athanor.features.workspaces.states import event, move
from athanor.kit import quantity
from athanor.kit.times import parse_rfc3339, rfc3339
from athanor.runtime.phases import status_write
from athanor.runtime.plan import Action, Create, Delete, Patch, Plan

WORKSPACES, GANGS, CLAIMS = of(Workspace), of(Gang), of(PersistentVolumeClaim)
UP = ("Running", "Idle")


def plan(observed: Observed, now: float, gateway: Gateway) -> Plan:
    """The next actions for one Workspace. Pure; `now` in seconds since the epoch."""
    workspace, refusal = observed.workspace, observed.refusal
    bad = observed.wrong
    if refusal is not None and refusal.final:
        bad = refusal.message
    if bad:
        status = msgspec.structs.replace(
            workspace.status, phase="Failed", reason="InvalidSpec", message=bad,
            observed_generation=workspace.metadata.generation,
        )  # fmt: skip
        return Plan(tuple(_write(workspace, status, now)))
    wish = rules.wish(workspace, now)
    gang = observed.own
    actions: list[Action] = []
    if not observed.has_claim:
        actions.append(Create(CLAIMS, build.claim(workspace, gateway)))
    if gang is None:
        if observed.gang is None and wish.wanted:
            actions.append(Create(GANGS, build.gang(workspace, gateway, suspend=False)))
    elif _over(gang):
        actions += _again(workspace, gang)
    elif gang.spec.suspend == wish.wanted:
        actions.append(_suspend(gang, not wish.wanted))
    status = _status(workspace, gang, wish, gateway, now)
    return Plan(
        (*actions, *_write(workspace, status, now)),
        None if wish.again is None else max(wish.again, 0.05),
    )


def _over(gang: Gang) -> bool:
    return gang.status.phase in ("Succeeded", "Failed")


def _again(workspace: Workspace, gang: Gang) -> Iterator[Action]:
    """A Gang that has ended is made anew when the workspace is started again."""
    if workspace.spec.starts > workspace.status.starts:
        yield Delete(
            resource=GANGS, name=gang.metadata.name, namespace=gang.metadata.namespace,
            uid=gang.metadata.uid, propagation="Background",
        )  # fmt: skip


def _suspend(gang: Gang, to: bool) -> Patch:
    return Patch(
        resource=GANGS, name=gang.metadata.name, namespace=gang.metadata.namespace,
        body={"spec": {"suspend": to}}, resource_version=gang.metadata.resource_version,
    )  # fmt: skip


def _status(
    workspace: Workspace, gang: Gang | None, wish: Wish, gateway: Gateway, now: float
) -> WorkspaceStatus:
    old = workspace.status
    phase: WorkspacePhase = move(old.phase, event(gang, wish.wanted, wish.idle))
    reason, message = wish.reason, wish.message
    if wish.wanted and gang is not None:
        reason, message = gang.status.reason, gang.status.message
        if phase == "Queued" and gang.status.reasons:
            reason, message = gang.status.reasons[0].code, gang.status.reasons[0].message
    if wish.wanted and wish.idle:
        reason, message = "Unused", f"nobody has used it since {rfc3339(wish.last)}"
    up = phase in UP
    since = (old.running_since or rfc3339(now)) if up else None
    claimed = old.claimed_seconds
    if old.running_since and not up:
        claimed += max(now - parse_rfc3339(old.running_since), 0.0)
    held = claimed + (max(now - parse_rfc3339(since), 0.0) if since else 0.0)
    return msgspec.structs.replace(
        old,
        observed_generation=workspace.metadata.generation,
        phase=phase,
        reason=reason,
        message=message,
        url=f"{gateway.url}{gateway.path(workspace)}" if up and gateway.url else "",
        last_activity=rfc3339(wish.last) if wish.last else old.last_activity,
        running_since=since,
        stopped="" if wish.wanted or workspace.spec.stopped else wish.reason,
        stopped_at=(old.stopped_at or rfc3339(now)) if phase == "Stopped" else None,
        starts=max(workspace.spec.starts, old.starts),
        hours_until=wish.hours_until,
        gpus=_gpus(workspace),
        claimed_seconds=claimed,
        use=_use(workspace, held),
    )


def _gpus(workspace: Workspace) -> str:
    """What it claims of GPUs, as text for people."""
    spec = workspace.spec
    if spec.gpu is not None and spec.gpu.milli is not None:
        return f"{spec.gpu.milli / 1000:g}"
    for name, amount in spec.requests.items():
        if "gpu" in name:
            try:
                return f"{quantity.parse(str(amount)).nano / quantity.NANO:g}"
            except quantity.QuantityError:
                return ""
    return ""


def _use(workspace: Workspace, held: float) -> str:
    """How much of the time that it held its hardware it was really used: "12% of 3.5 h".

    With GPUs that somebody measures, how much of it these worked: "12%, GPU 3% of 3.5 h".
    """
    said = workspace.status.activity
    if said is None or held <= 0:
        return ""
    shares = [_share(said.busy_seconds, held)]
    if _gpus(workspace) and said.gpu_busy_seconds is not None:
        shares.append(f"GPU {_share(said.gpu_busy_seconds, held)}")
    span = f"{held / 3600:.1f} h" if held >= 3600 else f"{held / 60:.0f} min"
    return f"{', '.join(shares)} of {span}"


def _share(seconds: float, held: float) -> str:
    return f"{min(100 * seconds / held, 100):.0f}%"


def _write(workspace: Workspace, status: WorkspaceStatus, now: float) -> Iterator[Action]:
    status = msgspec.structs.replace(status, conditions=_conditions(workspace, status, now))
    return status_write(
        WORKSPACES, workspace.metadata, workspace.status, status, word="workspace",
        others=("activity",),  # the gateway's
    )  # fmt: skip


def _conditions(workspace: Workspace, status: WorkspaceStatus, now: float) -> list[Condition]:
    """Ready: whether it can be opened."""
    known = workspace.status.conditions
    ready = str(status.phase in UP)
    held = next((c for c in known if c.type == "Ready"), None)
    if held is not None and held.status == ready:
        return known
    news = Condition(
        type="Ready", status=ready, reason=status.reason or status.phase, message=status.message
    )
    return set_condition(known, news, rfc3339(now))
