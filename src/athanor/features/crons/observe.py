"""Everything a plan about one Cron may know, as one frozen value."""

from __future__ import annotations

from msgspec import Struct

from athanor.api.crons import Cron
from athanor.kit.schedule import BadSchedule, schedule
from athanor.runtime.cache import Key, Refusal, World, refusal
from athanor.runtime.children import Child, children


class Invalid(Struct, frozen=True):
    """What is wrong with the schedule: which field, and a way out."""

    field: str
    message: str


class Observed(Struct, frozen=True, kw_only=True):
    """A Cron, what it has made, and whether its schedule can be read."""

    cron: Cron
    children: tuple[Child, ...] = ()
    invalid: Invalid | None = None
    refusal: Refusal | None = None


def observe(world: World, key: Key) -> Observed | None:
    """Read one Cron's situation out of the caches; None when it is gone or going."""
    cron = world.cache(Cron).get(key)
    if cron is None or cron.metadata.deletion_timestamp is not None:
        return None
    return Observed(
        cron=cron,
        children=children(world, cron.metadata.uid),
        invalid=check(cron),
        refusal=refusal(world, key),
    )


def check(cron: Cron) -> Invalid | None:
    """What is wrong with the schedule; reading it here also loads its time zone."""
    try:
        schedule(cron.spec.schedule, cron.spec.time_zone)
    except BadSchedule as wrong:
        return Invalid(wrong.field, str(wrong))
    return None
