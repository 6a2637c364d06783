"""Claims and the volumes that somebody made for them."""

from __future__ import annotations

from typing import Any

import pytest

from athanor.api.meta import JSON
from athanor.local.agent.plan.binding import Bind, Mark, plan


def claim(name: str = "c", phase: str = "Pending", **spec: Any) -> JSON:
    want = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    meta = {"name": name, "namespace": "n", "uid": f"u-{name}"}
    return {"metadata": meta, "spec": {**want, **spec}, "status": {"phase": phase}}


def volume(name: str, size: str = "1Gi", phase: str = "Available", **spec: Any) -> JSON:
    has = {"accessModes": ["ReadWriteOnce", "ReadOnlyMany"], "capacity": {"storage": size}}
    meta = {"name": name, "labels": {"disk": name}}
    return {"metadata": meta, "spec": {**has, **spec}, "status": {"phase": phase}}


def bound(claims: list[JSON], volumes: list[JSON]) -> dict[str, str]:
    steps = [step for step in plan(claims, volumes) if isinstance(step, Bind)]
    return {s.claim["metadata"]["name"]: s.volume["metadata"]["name"] for s in steps}


def test_a_claim_gets_the_smallest_volume_that_fits() -> None:
    found = [volume("big", "8Gi"), volume("small", "512Mi"), volume("fits", "2Gi")]
    assert bound([claim()], found) == {"c": "fits"}


@pytest.mark.parametrize(
    ("want", "has"),
    [
        ({"storageClassName": "fast"}, {}),
        ({}, {"storageClassName": "fast"}),
        ({"accessModes": ["ReadWriteMany"]}, {}),
        ({"volumeMode": "Block"}, {}),
        ({"selector": {"matchLabels": {"disk": "other"}}}, {}),
        ({"volumeName": "other"}, {}),
        ({}, {"claimRef": {"namespace": "n", "name": "other"}}),
    ],
)
def test_what_does_not_fit_is_not_bound(want: JSON, has: JSON) -> None:
    assert bound([claim(**want)], [volume("v", **has)]) == {}


def test_no_volume_goes_to_two_claims_and_a_kept_one_goes_to_its_claim() -> None:
    kept = volume("kept", "9Gi", claimRef={"namespace": "n", "name": "b"})
    assert bound([claim("a"), claim("b")], [volume("v"), kept]) == {"a": "v", "b": "kept"}
    assert bound([claim("a"), claim("b")], [volume("v")]) == {"a": "v"}


def test_a_volume_is_available_then_bound_then_released() -> None:
    assert plan([], [volume("v", phase="Pending")]) == [Mark("v", "Available")]
    ref = {"namespace": "n", "name": "c", "uid": "u-c"}
    half = volume("v", claimRef=ref)
    assert bound([claim()], [half]) == {"c": "v"}
    assert plan([claim(phase="Bound")], [volume("v", phase="Bound", claimRef=ref)]) == []
    assert plan([], [volume("v", phase="Bound", claimRef=ref)]) == [Mark("v", "Released")]
