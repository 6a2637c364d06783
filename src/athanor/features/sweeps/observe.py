"""Everything a plan about one Sweep may know, as one frozen value."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from athanor.api.sweeps import Sweep
from athanor.runtime.cache import Key, Refusal, World, refusal
from athanor.runtime.children import Child, children


class Observed(Struct, frozen=True, kw_only=True):
    """A Sweep, its trials, and how the model stands: "ready", "loading", or why there is none."""

    sweep: Sweep
    trials: tuple[Child, ...] = ()
    refusal: Refusal | None = None
    model: str = "ready"


def observe(world: World, key: Key, model: Callable[[], str]) -> Observed | None:
    """Read one Sweep's situation out of the caches; None when it is gone or going.

    `model` says how the model stands and sees to it that it is loaded; asked only by sweeps that
    use one.
    """
    sweep = world.cache(Sweep).get(key)
    if sweep is None or sweep.metadata.deletion_timestamp is not None:
        return None
    going_on = sweep.status.phase not in ("Succeeded", "Failed")
    return Observed(
        sweep=sweep,
        trials=children(world, sweep.metadata.uid),
        refusal=refusal(world, key),
        model=model() if sweep.spec.algorithm.name == "TPE" and going_on else "ready",
    )
