"""The crons controller as data, for a manager to run."""

from __future__ import annotations

from athanor.api.crons import Cron
from athanor.features.crons.observe import Observed, observe
from athanor.features.crons.plan import plan
from athanor.runtime.children import watches
from athanor.runtime.controller import Controller, Watch


def controller() -> Controller[Observed]:
    """Crons: schedule → objects → status."""
    return Controller(
        name="crons", watches=(Watch(Cron), *watches("Cron")), observe=observe, plan=plan
    )
