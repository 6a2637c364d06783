"""Kubeflow's training jobs become ours."""

from __future__ import annotations

from tests.unit.sdk.foreign.manifests import KUBEFLOW, MPI, TF, TRAIN, command, read


def test_a_pytorch_job() -> None:
    made = read(KUBEFLOW)
    assert made.manifest["metadata"] == {"name": "a", "namespace": "n", "labels": {"team": "x"}}
    spec = made.manifest["spec"]
    assert spec["runPolicy"] == {
        "backoffLimit": 2, "activeDeadlineSeconds": 60, "ttlSecondsAfterFinished": 9,
        "cleanPods": "Unfinished", "startingDeadlineSeconds": 7,
    }  # fmt: skip
    assert spec["elastic"] == {"min": 1, "max": 4}
    assert spec["scheduling"] == {"queue": "q", "priorityClassName": "high"}
    assert (spec["processesPerReplica"], spec["suspend"]) == (2, True)
    (worker,) = spec["roles"]
    assert (worker["name"], worker["replicas"], worker["restartPolicy"]) == (
        "worker",
        4,
        "ExitCode",
    )
    assert "restartPolicy" not in worker["template"]["spec"]
    assert made.lost == ["spec.elasticPolicy.rdzvPort: 29400"]


def test_a_tensorflow_job() -> None:
    made = read(TF)
    assert [one["name"] for one in made.manifest["spec"]["roles"]] == ["ps", "worker"]
    assert made.manifest["spec"]["successRules"] == [{"ranks": {"worker": []}}]
    assert not made.lost


def test_an_mpi_job_needs_no_ssh_any_more() -> None:
    made = read(MPI)
    launcher, worker = made.manifest["spec"]["roles"]
    assert command(launcher) == ["python", "t.py"]
    assert command(worker) == []
    assert made.manifest["spec"]["processesPerReplica"] == 2
    assert made.lost == ["spec.runLauncherAsWorker: True"]


def test_a_train_job() -> None:
    made = read(TRAIN)
    spec = made.manifest["spec"]
    assert (spec["framework"], spec["processesPerReplica"]) == ("pytorch", 4)
    assert spec["roles"][0]["replicas"] == 3
    assert made.lost == ["spec.initializer.model.storageUri: hf://x"]
