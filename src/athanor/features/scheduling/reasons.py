"""Why gangs wait, as they are told it: written when it is news, and in a crowd not all at once."""

from __future__ import annotations

from collections.abc import Mapping

from athanor.api.meta import JSON, to_manifest
from athanor.api.registry import of
from athanor.api.scheduling import Gang, Pool, Reason
from athanor.features.scheduling.allowance import Allowance
from athanor.features.scheduling.core.account import awaiting_first, untold, waiting
from athanor.features.scheduling.core.snapshot import Decisions, Why
from athanor.features.scheduling.core.why import NAMES, Code
from athanor.features.scheduling.gangs import Refused, unready
from athanor.features.scheduling.observe import Observed
from athanor.runtime.plan import Patch

GANGS = of(Gang)
HINT = "hint"
"""The detail of a reason that says what would help."""
MOST_SENTENCES = 200
"""So many waiting gangs have the numbers in their reasons kept current; beyond, only the codes."""
MOST_REASONS = 100
"""So many reasons are written at once."""
BUSY, CALM = 10.0, 200.0
"""So many a second while gangs are being admitted, and when none is: in a flood of arrivals the
admissions come first, and most of those that came are admitted before anybody could read why they
wait."""
FLOOD = 2.0
"""So many seconds after an admission gangs still count as being admitted."""


class Telling:
    """Says what is new; what it remembers is how much it has written lately."""

    def __init__(self) -> None:
        self.allowance = Allowance(MOST_REASONS)
        self._admitted = -float("inf")

    def __call__(self, seen: Observed, decisions: Decisions) -> tuple[list[Patch], list[float]]:
        """The writes, and seconds until more may be written (none when all was)."""
        said = [[reason_of(one, seen.pools) for one in why] for why in decisions.whys]
        rows = awaiting_first(decisions, _news(seen, decisions, said))
        unread = [
            (name, [_refusal(why)]) for name, why in seen.unread.items()
            if seen.gangs[name].status.admission is None
            and seen.gangs[name].status.reasons != [_refusal(why)]
        ]  # fmt: skip
        wanted = len(unread) + len(rows)
        if decisions.admitted:
            self._admitted = decisions.now
        rate = BUSY if decisions.now - self._admitted < FLOOD else CALM
        granted = self.allowance.grant(wanted, decisions.now, rate)
        news = [*unread, *(_row(seen, decisions, g, said) for g in rows[:granted])][:granted]
        made = [_told(seen.gangs[name], why) for name, why in news]
        return made, [self.allowance.pause] if granted < wanted else []


def _told(gang: Gang, reasons: list[Reason]) -> Patch:
    """Why a gang waits; the first word about it says as well that it was looked at."""
    status: JSON = {"reasons": [to_manifest(reason) for reason in reasons] or None}
    if gang.status.observed_generation == 0:
        status |= {"observedGeneration": gang.metadata.generation, "ready": unready(gang)}
    return Patch(
        resource=GANGS, name=gang.metadata.name, namespace=gang.metadata.namespace,
        body={"status": status}, subresource="status",
    )  # fmt: skip


def _news(seen: Observed, decisions: Decisions, said: list[list[Reason]]) -> list[int]:
    """Rows of waiting gangs whose reasons are not what they were told."""
    exact = len(decisions.line) <= MOST_SENTENCES
    if not exact:
        numbers = [seen.tellings.get(tuple(r.code for r in why), -1) for why in said]
        return untold(seen.snapshot, decisions, numbers, seen.told)
    rows = [(g, _row(seen, decisions, g, said)) for g in waiting(seen.snapshot, decisions)]
    return [g for g, (name, why) in rows if seen.gangs[name].status.reasons != why]


def _row(
    seen: Observed, decisions: Decisions, g: int, said: list[list[Reason]]
) -> tuple[str, list[Reason]]:
    """A gang's name, and why it waits."""
    name, index = seen.snapshot.gangs.names[g], int(decisions.reasons[g])
    refusal = seen.refused.get(name)
    if refusal is not None:
        return name, [_refusal(refusal)]
    return name, said[index] if index >= 0 else []


def _refusal(refused: Refused) -> Reason:
    return Reason(code=NAMES[Code(refused.code)], message=refused.message)


def reason_of(why: Why, pools: Mapping[str, Pool]) -> Reason:
    """A reason of the core in the API's words, with a hint where the objects know a better one."""
    details: JSON = dict(why.details)
    pool = pools.get(str(details.get("pool", "")))
    if pool is not None and why.code == NAMES[Code.NEVER_FITS] and details.get("nodes") == 0:
        details[HINT] = _way_to_nodes(pool)
    return Reason(code=why.code, message=why.message, details=details)


def _way_to_nodes(pool: Pool) -> str:
    """How a pool gets nodes: by their labels."""
    wanted = " ".join(f"{key}={value}" for key, value in pool.spec.node_selector.items())
    if not wanted:
        return "kubectl get nodes: it takes every node that no other pool takes, and there is none"
    return f"kubectl label node NAME {wanted}"
