"""`visibility.athanor.dev` as a function: Request → Response, from what was last seen and decided.

The API server has authenticated the caller and checked by RBAC that they may read the path; so the
path is all that an answer may depend on. What it tells of others are amounts a queue, which
everybody may read in the queues anyway: never names, users, times or shapes of their work. Paths
have one spelling only; any other is not found, so that nobody is asked about a place RBAC did not
see.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec

from athanor.api.meta import JSON, Base, ObjectMeta, to_manifest
from athanor.api.scheduling import Gang, Reason
from athanor.api.visibility import (
    API_VERSION,
    GROUP,
    RESOURCES,
    VERSION,
    Change,
    GangChanges,
    GangStart,
    GangVisibility,
    GangVisibilityList,
    Holder,
    Position,
    Span,
)
from athanor.features.scheduling.core import position, whatif
from athanor.features.scheduling.core.explain import CAUSES
from athanor.features.scheduling.core.forecast import LEAST, Waits, features, start_interval
from athanor.features.scheduling.core.snapshot import (
    UNSET,
    Cause,
    Decisions,
    GangState,
    Snapshot,
    Why,
)
from athanor.features.scheduling.core.table import Floats
from athanor.features.scheduling.core.why import NAMES, WAYS, Code
from athanor.features.scheduling.observe import Observed
from athanor.features.scheduling.plan import Planner
from athanor.features.scheduling.reasons import HINT, reason_of
from athanor.features.scheduling.report import amount
from athanor.kit.times import rfc3339
from athanor.wire.request import Request, Response
from athanor.wire.selector import from_object
from athanor.wire.status import ApiError

ROOT = f"/apis/{GROUP}/{VERSION}"
_NAME = r"[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?"
_GANG = re.compile(rf"{ROOT}/namespaces/({_NAME})/gangs/({_NAME})(/start|/changes)?")
_GANGS = re.compile(rf"{ROOT}/(?:namespaces/({_NAME})/)?gangs")
_LINE = re.compile(rf"{ROOT}/queues/({_NAME})")
_SNAPSHOT = f"{ROOT}/snapshots/latest"
MOST = 500
"""Gangs in one list."""
FOLLOWED = 100
"""With more in line than this, no new ones are followed: what is learned is a sample."""
NEVER = {
    NAMES[code]
    for code in (
        Code.INVALID_REQUEST, Code.QUEUE_NOT_FOUND, Code.QUEUE_INVALID, Code.NO_POOL,
        Code.NAMESPACE_NOT_ALLOWED, Code.QUEUE_CLOSED, Code.QUEUE_ON_HOLD, Code.NEVER_FITS,
        Code.NODES_EXCLUDED,
    )
}  # fmt: skip
"""Reasons that time alone does not take away."""
OTHERS = f"nodes {CAUSES[Cause.OTHER_PODS]}"
"""A number of NodesExcluded that says otherwise: those pods end."""


class _Latest(NamedTuple):
    """What was last seen and decided, and the row of each gang."""

    seen: Observed
    decisions: Decisions
    rows: Mapping[str, int]

    @property
    def snapshot(self) -> Snapshot:
        return self.seen.snapshot


class Visibility:
    """Answers from a planner's memory. One question at a time; never waits."""

    def __init__(self, planner: Planner) -> None:
        self.planner = planner
        planner.after = self.look
        self.asker = whatif.Asker(planner.policy)
        self.waits = Waits()
        self._followed: dict[str, tuple[Floats, Floats | None]] = {}
        self._known: _Latest | None = None

    def answer(self, request: Request) -> Response:
        """The answer to one request; errors are answers too."""
        try:
            if request.method not in ("GET", "HEAD"):
                raise ApiError("MethodNotAllowed", "visibility is only read")
            return _ok(self._answer(request.path.rstrip("/")))
        except ApiError as error:
            return error.response()

    def _answer(self, path: str) -> Base | JSON | bytes:
        if path == ROOT:
            return RESOURCES
        if (found := _GANG.fullmatch(path)) is not None:
            return self._of_gang(found[1], found[2], found[3] or "")
        if (found := _GANGS.fullmatch(path)) is not None:
            return self._gangs(found[1] or "")
        if (found := _LINE.fullmatch(path)) is not None:
            return self._line(found[1])
        if path == _SNAPSHOT:
            return self._snapshot()
        raise ApiError("NotFound", "the server could not find the requested resource")

    def _latest(self) -> _Latest:
        held = self.planner.latest
        if held is None:
            text = "the scheduler has not looked at the cluster yet"
            raise ApiError("ServiceUnavailable", text, retry_after=1)
        if self._known is None or self._known.decisions is not held[1]:
            rows = {name: g for g, name in enumerate(held[0].snapshot.gangs.names)}
            self._known = _Latest(*held, rows)
        return self._known

    def _of_gang(self, namespace: str, name: str, what: str) -> Base:
        latest = self._latest()
        gang = latest.seen.gangs.get(f"{namespace}/{name}")
        if gang is None:
            text = f'gangs.{GROUP} "{name}" not found: it is new, suspended, finished, or not there'
            raise ApiError("NotFound", text, name=name, group=GROUP, kind="gangs")
        makers: dict[str, Callable[[_Latest, Gang], Base]] = {
            "": self._visibility, "/start": self._start, "/changes": self._changes
        }  # fmt: skip
        return makers[what](latest, gang)

    def _visibility(self, latest: _Latest, gang: Gang) -> GangVisibility:
        key = f"{gang.metadata.namespace}/{gang.metadata.name}"
        told = GangVisibility(
            metadata=_meta(gang), as_of=rfc3339(latest.decisions.now), state="Waiting"
        )
        refused, row = latest.seen.refused.get(key), latest.rows.get(key)
        if refused is not None and gang.status.admission is None:
            code = NAMES[Code(refused.code)]
            return msgspec.structs.replace(
                told, reasons=[Reason(code=code, message=refused.message)], hints=[WAYS[code]]
            )
        if row is None:
            return told
        s, decisions = latest.snapshot, latest.decisions
        state = GangState(int(s.gangs.state[row]))
        if any(one.gang == row for one in decisions.admitted):
            return msgspec.structs.replace(told, state="Running")
        if state == GangState.WAITING:
            return self._waiting(latest, told, row)
        if state == GangState.LEAVING:
            evict = gang.status.admission.evict if gang.status.admission else None
            reasons = [Reason(code=evict.reason, message=evict.message)] if evict else []
            return msgspec.structs.replace(told, state="Leaving", reasons=reasons)
        facts = [reason_of(one, latest.seen.pools) for one in position.here(s, decisions, row)]
        return msgspec.structs.replace(told, state="Running", here=facts)

    def _waiting(self, latest: _Latest, told: GangVisibility, row: int) -> GangVisibility:
        s, decisions = latest.snapshot, latest.decisions
        reasons = [reason_of(one, latest.seen.pools) for one in decisions.why(row)]
        found = position.position(s, decisions, row)
        at = found and Position(
            queue=s.queues.names[found.queue], place=found.place, waiting=found.waiting
        )
        return msgspec.structs.replace(
            told,
            position=at,
            reasons=reasons,
            hints=_hints(reasons, at.queue if at else ""),
            holders=_holders(latest, row),
        )  # fmt: skip

    def _start(self, latest: _Latest, gang: Gang) -> GangStart:
        told = GangStart(metadata=_meta(gang), as_of=rfc3339(latest.decisions.now))
        row = latest.rows.get(f"{gang.metadata.namespace}/{gang.metadata.name}")
        s, decisions = latest.snapshot, latest.decisions
        if row is None or position.position(s, decisions, row) is None:
            return told
        message = _unknown(decisions.why(row))
        if message:
            return msgspec.structs.replace(told, message=message)
        found = start_interval(s, self.planner.policy, decisions.now, row, self.waits)
        known = len(self.waits.waited)
        basis = f"from {known} past waits" if known >= LEAST else "from expected ends alone"
        return msgspec.structs.replace(
            told, half=_span(found.p25, found.p75, decisions.now),
            most=_span(found.p5, found.p95, decisions.now), message=basis,
        )  # fmt: skip

    def look(self) -> None:
        """Learn from what was decided since the last look: how long gangs waited that looked so.

        Called after each cycle; with many in line only some of the new ones are followed.
        """
        held = self.planner.latest
        if held is None:
            return
        s, decisions = held[0].snapshot, held[1]
        for one in decisions.admitted:
            followed = self._followed.pop(s.gangs.names[one.gang], None)
            if followed is not None:
                waited = decisions.now - float(s.gangs.created[one.gang])
                self.waits.add(followed[0], max(waited, 0.0), followed[1])
        if len(decisions.line) > FOLLOWED:
            return
        started = {one.gang for one in decisions.admitted}
        fresh = {}
        for g in decisions.line.tolist():
            name = s.gangs.names[g]
            if g in started or s.gangs.queue[g] == UNSET:
                continue
            followed = self._followed.get(name)
            if followed is None:
                seen = features(s, self.planner.policy, decisions.now, g)
                followed = seen, self.waits.quantiles(seen)
            fresh[name] = followed
        self._followed = fresh

    def _changes(self, latest: _Latest, gang: Gang) -> GangChanges:
        told = GangChanges(metadata=_meta(gang), as_of=rfc3339(latest.decisions.now))
        row = latest.rows.get(f"{gang.metadata.namespace}/{gang.metadata.name}")
        if row is None or latest.snapshot.gangs.refused[row]:
            return msgspec.structs.replace(told, message="first its request has to be mended")
        before = self.asker.asked
        found = whatif.changes(
            latest.snapshot, latest.decisions, row, self.asker, _queues(latest, gang)
        )
        return msgspec.structs.replace(
            told,
            changes=[
                Change(
                    kind=c.kind,
                    value=c.value,
                    message=c.text,
                    starts="Now" if c.start <= latest.decisions.now else rfc3339(c.start),
                )
                for c in found
            ],  # fmt: skip
            planned=self.asker.asked - before,
            message="" if found else "no single change of its own lets it start sooner",
        )

    def _gangs(self, namespace: str) -> GangVisibilityList:
        """Waiting gangs of a namespace (of all) with their places."""
        latest = self._latest()
        s = latest.snapshot
        within = f"{namespace}/"
        rows = [g for g in latest.decisions.line.tolist() if s.gangs.names[g].startswith(within)] \
            if namespace else latest.decisions.line.tolist()  # fmt: skip
        return self._listed(latest, rows)

    def _line(self, queue: str) -> GangVisibilityList:
        latest = self._latest()
        if queue not in latest.snapshot.queues.names:
            raise ApiError("NotFound", f'queues "{queue}" not found', name=queue)
        number = latest.snapshot.queues.names.index(queue)
        rows = position.in_line(latest.snapshot, latest.decisions, number).tolist()
        return self._listed(latest, rows)

    def _listed(self, latest: _Latest, rows: list[int]) -> GangVisibilityList:
        s, decisions = latest.snapshot, latest.decisions
        started = {one.gang for one in decisions.admitted}
        places: dict[int, Position] = {}
        for q in {int(s.gangs.queue[g]) for g in rows} - {UNSET}:
            line = position.in_line(s, decisions, q).tolist()
            places |= {
                g: Position(queue=s.queues.names[q], place=i, waiting=len(line))
                for i, g in enumerate(line, 1)
            }
        items = [
            GangVisibility(
                metadata=_meta(latest.seen.gangs[s.gangs.names[g]]), as_of=rfc3339(decisions.now),
                state="Waiting",
                position=places.get(g),
                reasons=[reason_of(one, latest.seen.pools) for one in decisions.why(g)[:1]],
            )
            for g in rows
            if g not in started
        ]  # fmt: skip
        return GangVisibilityList(items=items[:MOST])

    def _snapshot(self) -> bytes:
        """The whole of it as the file that `athanor simulate` reads."""
        latest = self._latest()
        policy = msgspec.json.encode(dataclasses.asdict(self.planner.policy))
        now, text = latest.decisions.now, latest.snapshot.to_json().encode()
        head = f'{{"apiVersion":"{API_VERSION}","kind":"Snapshot","metadata":{{"name":"latest"}},'
        return head.encode() + b'"now":%r,"policy":%b,"snapshot":%b}' % (now, policy, text)


def _meta(gang: Gang) -> ObjectMeta:
    return ObjectMeta(
        name=gang.metadata.name, namespace=gang.metadata.namespace, uid=gang.metadata.uid,
        creation_timestamp=gang.metadata.creation_timestamp,
    )  # fmt: skip


def _span(earliest: float, latest: float, now: float) -> Span:
    """In whole minutes: what somebody else's work will take is told no closer."""
    begin = max(earliest, now) // 60 * 60
    return Span(earliest=rfc3339(max(begin, now)), latest=rfc3339(-(-max(latest, now) // 60) * 60))


def _unknown(whys: tuple[Why, ...]) -> str:
    """Why nobody can tell when a gang starts; "" if it starts when others end, as far as is known.

    Each pool that was tried has its own reason, and one that time takes away is enough.
    """
    if any(why.code == NAMES[Code.NAMESPACE_QUOTA] for why in whys):
        return "when its namespace has quota left"
    lasting = [why.code in NEVER and OTHERS not in dict(why.details) for why in whys]
    return "not before something is changed" if lasting and all(lasting) else ""


def _hints(reasons: list[Reason], queue: str) -> list[str]:
    """What helps against each sort of reason, once; some reasons say it themselves."""
    ways = dict.fromkeys(WAYS[r.code] for r in reasons if r.code in WAYS and HINT not in r.details)
    return [way.replace("QUEUE", queue) if queue else way for way in ways]


def _holders(latest: _Latest, row: int) -> list[Holder]:
    s = latest.snapshot
    lacking = position.scarce(s, latest.decisions, row)
    if lacking is None:
        return []
    pool, resource = lacking
    name, devices = s.resources[resource], latest.seen.devices
    return [
        Holder(
            queue=s.queues.names[one.queue], pool=s.pools.names[pool], resource=name,
            used=amount(name, one.used, devices), deserved=amount(name, one.deserved, devices),
        )
        for one in position.holders(s, latest.decisions, pool, resource)
    ]  # fmt: skip


def _queues(latest: _Latest, gang: Gang) -> list[int]:
    """The queues that would admit a gang of this namespace."""
    labels = latest.seen.namespaces.get(gang.metadata.namespace, {})
    found = []
    for number, name in enumerate(latest.snapshot.queues.names):
        queue = latest.seen.queues[name]
        selector = queue.spec.namespace_selector
        if name not in latest.seen.problems and (
            selector is None or from_object(selector).matches(labels)
        ):
            found.append(number)
    return found


def _ok(value: Base | JSON | bytes) -> Response:
    if isinstance(value, Base):
        value = {"kind": type(value).__name__, "apiVersion": API_VERSION, **to_manifest(value)}
    return Response(body=value if isinstance(value, bytes) else msgspec.json.encode(value))
