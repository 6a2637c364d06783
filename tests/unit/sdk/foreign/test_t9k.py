"""TensorStack's jobs become ours."""

from __future__ import annotations

from tests.unit.sdk.foreign.manifests import (
    T9K_BEAM,
    T9K_BOARD,
    T9K_COLOSSAL,
    T9K_DEEPSPEED,
    T9K_GENERIC,
    T9K_MPI,
    T9K_MPI_2025,
    T9K_TORCH,
    command,
    container,
    read,
)


def test_a_t9k_pytorch_job() -> None:
    made = read(T9K_TORCH)
    spec = made.manifest["spec"]
    assert command(spec["roles"][0]) == ["torchrun", "--tee", "3", "t.py"]
    assert spec["elastic"] == {"min": 1, "max": 5, "role": "node"}
    assert spec["runPolicy"] == {"backoffLimit": 9, "cleanPods": "Unfinished"}
    assert (spec["processesPerReplica"], spec["suspend"]) == (4, True)
    assert (spec["scheduling"], spec["tensorboard"]) == ({"queue": "q"}, {"image": "tb"})
    assert not made.lost
    assert [note.split(":")[0] for note in made.notes] == [
        "spec.scheduler.t9kScheduler.priority",
        "spec.replicaSpecs[0].template.spec.restartPolicy",
        "spec.torchrunConfig.maxRestarts",
        "spec.elastic.expectedReplicas",
        "spec.tensorboardSpec.trainingLogFilesets",
    ]


def test_a_t9k_generic_job() -> None:
    made = read(T9K_GENERIC)
    spec = made.manifest["spec"]
    assert spec["successRules"] == [{"ranks": {"worker": [0]}}]
    assert [rule["ranks"] for rule in spec["failureRules"]] == [{"worker": [0]}, {"worker": [1]}]
    assert spec["runPolicy"] == {"backoffLimit": 3, "cleanPods": "All"}


def test_a_t9k_deepspeed_job() -> None:
    made = read(T9K_DEEPSPEED)
    spec = made.manifest["spec"]
    assert command(spec["roles"][0]) == ["python", "-m", "pkg", "--x"]
    assert (spec["debug"], spec["processesPerReplica"]) == (True, 2)
    assert made.lost == ["spec.config.autotune.kind: run"]


def test_a_t9k_mpi_job() -> None:
    launcher, worker = read(T9K_MPI).manifest["spec"]["roles"]
    assert command(launcher) == [
        "/usr/local/bin/mpirun", "-n", "2", "--bind-to", "none", "./train"
    ]  # fmt: skip
    env = launcher["template"]["spec"]["containers"][0]["env"]
    assert env == [{"name": "OMPI_MCA_btl", "value": "tcp,self"}]
    assert command(worker) == []


def test_a_t9k_mpi_job_of_2025_names_its_launcher() -> None:
    made = read(T9K_MPI_2025)
    spec = made.manifest["spec"]
    launcher, worker = spec["roles"]
    assert command(launcher) == ["/opt/mpi/bin/mpirun", "-N", "3", "./train", "1"]
    assert launcher["template"]["spec"]["containers"][0]["env"][0]["name"] == "OMPI_MCA_btl"
    assert (worker["replicas"], command(worker)) == (5, [])
    assert spec["processesPerReplica"] == 3
    assert spec["runPolicy"] == {"cleanPods": "All", "backoffLimit": 3}
    assert not made.lost
    assert [note.split(":")[0] for note in made.notes] == [
        "spec.replicaSpecs[1].template.spec.restartPolicy",
        "spec.replicaSpecs[1].template.spec.containers[0].command",
        "spec.ssh.sshAuthMountPath",
    ]


def test_a_t9k_tensorboard_reads_where_a_rank_has_the_claim() -> None:
    made = read(T9K_BOARD)
    assert made.manifest["spec"]["tensorboard"] == {"logDir": "/r/log"}
    assert sorted(made.lost) == [
        "metadata.ownerReferences[0].kind: Workflow",
        "metadata.ownerReferences[0].name: w",
        "spec.tensorboardSpec.logDir.s3.uri: ['s3://x']",
        "spec.tensorboardSpec.resources.limits.cpu: 1",
        "spec.tensorboardSpec.suspend: True",
    ]
    assert made.notes == [
        "spec.tensorboardSpec.logDir.pvc: runs/b: not mounted by the first role, set "
        "tensorboard.logDir"
    ]


def test_a_colossalai_job_is_torchrun_in_every_worker() -> None:
    made = read(T9K_COLOSSAL)
    (worker,) = made.manifest["spec"]["roles"]
    assert command(worker) == ["torchrun", "--tee", "3", "t.py", "x"]
    assert made.manifest["spec"]["processesPerReplica"] == 4
    assert made.lost == ["spec.launcher.image: other", "spec.launcher.workingDir: /w"]


def test_a_beamjob_is_a_cluster_and_a_role_that_submits() -> None:
    made = read(T9K_BEAM)
    spec = made.manifest["spec"]
    manager, tasks, submit = spec["roles"]
    assert [manager["name"], tasks["name"], tasks["replicas"]] == ["jobmanager", "taskmanager", 2]
    assert container(tasks)["image"] == "flink"
    assert "command" not in container(manager)
    assert command(submit) == ["python3"]
    assert container(submit)["args"][0] == "job.py"
    assert container(submit)["args"][-1].startswith("--flink_master=")
    assert spec["successRules"] == [{"ranks": {"submit": [0]}}]
    assert spec["runPolicy"] == {"backoffLimit": 4, "cleanPods": "None"}
    assert spec["processesPerReplica"] == 2
    assert made.lost == []
    assert submit["restartPolicy"] == "OnFailure"


def test_a_beamjob_that_submits_in_a_new_pod_each_time_does_so_here() -> None:
    text = T9K_BEAM.replace("restartPolicy: OnFailure", "restartPolicy: Never")
    made = read(text.replace("backoffLimit: 4", "completions: 1"))
    assert made.manifest["spec"]["roles"][2]["restartPolicy"] == "OnFailure"
    assert made.manifest["spec"]["runPolicy"]["backoffLimit"] == 6
    assert not any("restartPolicy" in note for note in made.notes)
