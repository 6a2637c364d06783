"""The memory of processes that last."""

from __future__ import annotations

import gc

COLLECT = (20_000, 20, 50)
"""A request or a look makes a few hundred containers and no cycles, so looking every 700 of them,
as Python does by default, costs up to a twelfth of the time and finds nothing."""


def settle() -> None:
    """What start-up made stays: later collections, which become rarer, need not look at it."""
    gc.freeze()
    gc.set_threshold(*COLLECT)


def unsettle() -> None:
    """What `settle` kept may have served: what nothing refers to any more is freed now."""
    gc.unfreeze()
    gc.collect()
