"""Which claims get which volumes that somebody made by hand: the rules of Kubernetes' binder.

Volumes of our own class are made for their claims elsewhere (`claims`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from athanor.api.meta import JSON
from athanor.wire.storage import fits, key, size

Phase = Literal["Available", "Released"]


class Bind(Struct, frozen=True):
    """A claim and the volume it is to have."""

    claim: JSON
    volume: JSON


class Mark(Struct, frozen=True):
    """A volume's new phase."""

    volume: str
    phase: Phase


def plan(claims: Iterable[JSON], volumes: Iterable[JSON]) -> list[Bind | Mark]:
    """What is to be done, smallest fitting volume first; nothing where all is bound or waits."""
    known = {key(claim): claim for claim in claims}
    free, out = list[JSON](), list[Bind | Mark]()
    for volume in sorted(volumes, key=size):
        ref = volume["spec"].get("claimRef")
        phase = (volume.get("status") or {}).get("phase", "Pending")
        if ref and ref.get("uid"):
            claim = known.get(f"{ref['namespace']}/{ref['name']}")
            if claim is None or claim["metadata"]["uid"] != ref["uid"]:
                out += [] if phase == "Released" else [Mark(volume["metadata"]["name"], "Released")]
            elif _waits(claim):
                out.append(Bind(claim, volume))  # half done before
            continue
        if not volume["metadata"].get("deletionTimestamp"):
            free.append(volume)
    taken = {id(one.claim) for one in out if isinstance(one, Bind)}
    waiting = [claim for claim in known.values() if _waits(claim) and id(claim) not in taken]
    for claim in sorted(waiting, key=_age):
        fitting = [volume for volume in free if fits(claim, volume)]
        # one that names this claim comes before one that anybody may have
        fitting.sort(key=lambda volume: not volume["spec"].get("claimRef"))
        if fitting:
            free.remove(fitting[0])
            out.append(Bind(claim, fitting[0]))
    return out + [
        Mark(volume["metadata"]["name"], "Available")
        for volume in free
        if (volume.get("status") or {}).get("phase") != "Available"
    ]


def _waits(claim: JSON) -> bool:
    phase = (claim.get("status") or {}).get("phase", "Pending")
    return phase == "Pending" and not claim["metadata"].get("deletionTimestamp")


def _age(claim: JSON) -> tuple[str, str]:
    return claim["metadata"].get("creationTimestamp") or "", key(claim)
