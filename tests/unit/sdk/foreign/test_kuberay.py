"""KubeRay's RayJobs become ours."""

from __future__ import annotations

import pytest

from athanor.sdk.foreign.convert import convert
from tests.unit.sdk.foreign.manifests import RAY, command, container, read, variables


def test_a_rayjob_is_a_head_that_runs_the_entrypoint_and_its_groups() -> None:
    made = read(RAY)
    spec = made.manifest["spec"]
    head, small, big = spec["roles"]
    assert (spec["framework"], spec["environment"]) == ("ray", {"requirements": ["requests"]})
    assert command(head) == ["sh", "-c", "python t.py --lr 1 && echo done"]
    assert variables(head) == {
        "RAY_CPUS": "0", "RAY_OVERRIDE_RESOURCES": '{"tag": 1}', "LEVEL": "3",
    }  # fmt: skip
    assert command(small) == command(big) == []
    assert "args" not in container(small)
    assert variables(small) == {"LEVEL": "3"}
    assert variables(big)["RAY_OVERRIDE_RESOURCES"] == '{"GPU": 2, "memory": 1024}'
    assert [(one["name"], one.get("replicas", 1)) for one in spec["roles"]] == [
        ("head", 1), ("small", 8), ("big", 3),
    ]  # fmt: skip
    assert spec["elastic"] == {"min": 2, "max": 8, "role": "small"}
    assert made.lost == ["spec.runtimeEnvYAML.working_dir: https://x/y.zip"]
    groups = "spec.rayClusterSpec.workerGroupSpecs"
    assert [note.split(": ")[0] for note in made.notes] == [
        "spec.rayClusterSpec.headGroupSpec.rayStartParams.dashboard-host",
        "spec.rayClusterSpec.headGroupSpec.template.spec.containers[0].env",
        "spec.rayClusterSpec.enableInTreeAutoscaling",
        f"{groups}[0].numOfHosts",
        f"{groups}[0].replicas",
        f"{groups}[0].template.spec.containers[0].args",
        f"{groups}[1].maxReplicas",
        "spec.rayClusterSpec.rayVersion",
    ]


def test_a_rayjob_tries_its_entrypoint_once_unless_it_says_more() -> None:
    """There it is 0 unless said, and workers that fail are never counted."""
    once = read(RAY).manifest["spec"]
    assert once["runPolicy"] == {"activeDeadlineSeconds": 60, "startingDeadlineSeconds": 30}
    assert [one["restartPolicy"] for one in once["roles"]] == ["Never", "OnFailure", "OnFailure"]
    often = read(RAY.replace("ttlSecondsAfterFinished: 0", "backoffLimit: 2")).manifest["spec"]
    assert often["runPolicy"]["backoffLimit"] == 2
    assert often["roles"][0]["restartPolicy"] == "OnFailure"


@pytest.mark.parametrize("said", ["submissionMode: InteractiveMode", "entrypoint: ''"])
def test_a_head_that_is_given_nothing_to_run_waits(said: str) -> None:
    entrypoint = "entrypoint: python t.py --lr 1 && echo done"
    kept = said if said.startswith("entrypoint") else f"{entrypoint}\n  {said}"
    made = read(RAY.replace(entrypoint, kept))
    assert command(made.manifest["spec"]["roles"][0]) == ["sleep", "infinity"]
    assert any(note.startswith("spec.entrypoint: ") for note in made.notes)


@pytest.mark.parametrize("text", ["{", "[1]", "word"])
def test_a_runtime_environment_that_cannot_be_read_is_refused(text: str) -> None:
    spec = {"runtimeEnvYAML": text}
    with pytest.raises(ValueError, match="spec.runtimeEnvYAML"):
        convert({"apiVersion": "ray.io/v1", "kind": "RayJob", "spec": spec})
