"""Laws of the plans that make other objects; what is made is made once."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings

from athanor.features.crons import plan as crons
from athanor.runtime.plan import Create
from athanor.testing import world
from tests.properties import makers
from tests.properties.situations import NOW
from tests.properties.test_plans import SAME, keeps_the_laws


@settings(derandomize=SAME)
@given(makers.cron_worlds())
def test_crons(given_world: Any) -> None:
    objects, refusal = given_world
    observed = makers.see_cron(objects, refusal)
    planned = keeps_the_laws(crons.plan, observed)
    made = [a.manifest["metadata"]["name"] for a in planned.actions if isinstance(a, Create)]
    assert len(made) == len(set(made))
    after = world.apply(objects, planned)
    again = crons.plan(makers.see_cron(after, None), NOW)
    assert not any(isinstance(action, Create) for action in again.actions)
    if observed.cron.spec.concurrency_policy != "Replace":
        assert again.actions == ()
    settled = world.apply(after, again)
    assert crons.plan(makers.see_cron(settled, None), NOW).actions == ()
