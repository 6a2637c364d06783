"""What is kept of a gang's pods is all that is read of them."""

from __future__ import annotations

from typing import Any

from hypothesis import given

from athanor.features.gangs.lean import lean
from athanor.features.gangs.plan import plan
from athanor.features.scheduling.foreign import use_of
from tests.properties import situations
from tests.properties.situations import NOW


@given(situations.gang_worlds())
def test_a_plan_is_the_same_by_lean_pods(given_world: Any) -> None:
    objects, silent, gone, refusal = given_world
    seen = situations.see_gang(objects, silent, gone, refusal)
    small = tuple(lean(pod) for pod in seen.pods)
    slim = type(seen)(**{**{f: getattr(seen, f) for f in seen.__struct_fields__}, "pods": small})
    assert plan(slim, NOW) == plan(seen, NOW)
    assert [use_of(pod) for pod in small] == [use_of(pod) for pod in seen.pods]
    assert [lean(pod) for pod in small] == list(small)
