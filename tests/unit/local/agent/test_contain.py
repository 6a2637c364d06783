"""What a container is told and held to."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from athanor.api.meta import JSON
from athanor.local.agent import contain
from athanor.local.agent.images import Environment
from athanor.local.agent.place import Place

PLACE = cast("Place", SimpleNamespace(process_limit=9))


@pytest.mark.parametrize(
    ("resources", "held"),
    [
        ({}, {}),
        ({"limits": {"memory": "1Ki", "cpu": "500m"}}, {"memory": 1024, "cpu": 500, "shares": 512}),
        ({"limits": {"memory": "0", "cpu": "0"}}, {"shares": 2}),  # as a kubelet: no limit
        ({"requests": {"memory": "1Gi", "cpu": "2"}}, {"shares": 2048}),
    ],
)
def test_limits_are_the_kubelets(resources: JSON, held: dict[str, int]) -> None:
    assert contain.limits({"name": "c", "resources": resources}, PLACE) == {"pids": 9, **held}


def test_programs_find_what_wheels_bring_beside_python() -> None:
    place = cast("Place", SimpleNamespace(apart=True))
    pod: JSON = {"metadata": {"name": "p"}, "spec": {}}
    bare = Environment(path=("/v/bin",), python="/v/bin/python")
    laid = Environment(path=("/o/bin", "/v/bin"), python="/v/bin/python", libraries=("/o",))
    assert "LD_LIBRARY_PATH" not in contain.base_environment(pod, bare, place, {})
    told = contain.base_environment(pod, laid, place, {})
    assert told["PYTHONPATH"].endswith(":/o")
    assert told["LD_LIBRARY_PATH"] == "/o/lib"
