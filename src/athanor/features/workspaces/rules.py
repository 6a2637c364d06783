"""Whether a workspace should run: what its owner said, the clock, and how long nobody used it."""

from __future__ import annotations

from msgspec import Struct

from athanor.api.workspaces import Workspace
from athanor.kit.schedule import BadSchedule, schedule
from athanor.kit.times import parse_rfc3339, rfc3339


class Wish(Struct, frozen=True, kw_only=True):
    """Whether it should run; why not; since when it is unused; when to look again (seconds)."""

    wanted: bool
    reason: str = ""
    message: str = ""
    idle: bool = False
    last: float = 0.0
    hours_until: str | None = None
    again: float | None = None


def last_activity(workspace: Workspace) -> float:
    """When it was used last: by anybody, or by being started."""
    status = workspace.status
    stamps = [status.running_since or ""]
    if status.activity is not None:
        said = status.activity
        stamps += [said.web, said.kernel, said.terminal, said.cpu, said.gpu]
    return max((parse_rfc3339(stamp) for stamp in stamps if stamp), default=0.0)


def wish(workspace: Workspace, now: float) -> Wish:
    """What should be, by all rules; the owner's word first, then the clock, then use."""
    spec, status = workspace.spec, workspace.status
    clock = _hours(workspace, now)
    if spec.stopped:
        return Wish(wanted=False, reason="StoppedByOwner", message="its owner has stopped it",
                    hours_until=clock.hours_until, again=clock.again)  # fmt: skip
    stopped = status.stopped
    if spec.starts > status.starts or clock.reason == "start":
        stopped = ""
    elif clock.reason == "stop":
        stopped = "Hours"
    if stopped:
        message = status.message if status.stopped == stopped else "its hours are over"
        return Wish(wanted=False, reason=stopped, message=message, hours_until=clock.hours_until,
                    again=clock.again)  # fmt: skip
    last = last_activity(workspace)
    up = status.phase in ("Running", "Idle") and last > 0
    unused = now - last if up else 0.0
    times = [t for t in (clock.again,) if t is not None]
    limits = (spec.idle.after_seconds, spec.idle.stop_after_seconds)
    times += [limit - unused for limit in limits if up and limit and unused < limit]
    idle = bool(up and spec.idle.after_seconds and unused >= spec.idle.after_seconds)
    again = min(times, default=None)
    limit = spec.idle.stop_after_seconds
    if up and limit and unused >= limit:
        said = f"nobody has used it since {rfc3339(last)}, longer than {limit} s"
        return Wish(wanted=False, reason="Idle", message=said, last=last,
                    hours_until=clock.hours_until, again=clock.again)  # fmt: skip
    return Wish(wanted=True, idle=idle, last=last, hours_until=clock.hours_until, again=again)


def wrong(workspace: Workspace) -> str:
    """What makes no sense, with its field; "" when all is well."""
    spec, hours = workspace.spec, workspace.spec.hours
    if spec.app == "command" and not spec.command:
        return "spec.command: app command needs the command that serves $(ATHANOR_WORKSPACE_PORT)"
    if hours is None:
        return ""
    for name, text in (("start", hours.start), ("stop", hours.stop)):
        try:
            schedule(text or "@daily", hours.time_zone)
        except BadSchedule as bad:
            return f"spec.hours.{name if bad.field == 'schedule' else 'timeZone'}: {bad}"
    return ""


def _hours(workspace: Workspace, now: float) -> Wish:
    """What the clock has said since it was looked at last: "start", "stop", or nothing."""
    hours, status = workspace.spec.hours, workspace.status
    if hours is None:
        return Wish(wanted=True)
    since = parse_rfc3339(status.hours_until) if status.hours_until else now
    said, latest, following = "", since, []
    for word, text in (("start", hours.start), ("stop", hours.stop)):
        if text is None:
            continue
        times = schedule(text, hours.time_zone)
        found = times.latest(since, now)
        if found is not None and found >= latest:
            said, latest = word, found
        ahead = times.next(now)
        if ahead is not None:
            following.append(ahead - now)
    until = rfc3339(latest if said else since)
    return Wish(wanted=True, reason=said, hours_until=until, again=min([*following, 60.0]))
