"""The crons controller as data, for a manager to run."""

from __future__ import annotations

from functools import partial

from athanor.api.crons import Cron
from athanor.features.crons.observe import Observed, observe
from athanor.features.crons.plan import LOOK, plan
from athanor.runtime.children import watches
from athanor.runtime.controller import Controller, Watch


def controller(look: float = LOOK) -> Controller[Observed]:
    """Crons: schedule → objects → status. `look`: seconds between two looks at the clock."""
    return Controller(
        name="crons",
        watches=(Watch(Cron), *watches("Cron")),
        observe=observe,
        plan=partial(plan, look=look),
    )
