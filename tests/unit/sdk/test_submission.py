"""What is asked on a command line becomes exactly this TrainingJob."""

from __future__ import annotations

import msgspec
import pytest

from athanor.api.training import TrainingJob
from athanor.sdk.submission import Submission, manifest


def asked(**more: object) -> Submission:
    return Submission(**{"framework": "jax", "name": "a", "command": ["python", "t.py"], **more})


def test_a_manifest_reads_back_as_the_job_it_says() -> None:
    body = manifest(asked(workers=4, gpus="2", memory="8Gi", queue="q", max_runtime=60))
    job = msgspec.convert(body, TrainingJob)
    role = job.spec.roles[0]
    container = role.template["spec"]["containers"][0]
    assert (role.replicas, job.spec.processes_per_replica) == (4, 2)
    assert container["resources"] == {
        "requests": {"cpu": "1", "memory": "8Gi", "nvidia.com/gpu": "2"},
        "limits": {"memory": "8Gi", "nvidia.com/gpu": "2"},
    }
    assert job.spec.scheduling.queue == "q"
    assert job.spec.scheduling.max_runtime_seconds == 60


def test_a_share_of_a_gpu_is_no_resource_count() -> None:
    role = manifest(asked(gpus="0.5"))["spec"]["roles"][0]
    assert role["gpu"] == {"resource": "nvidia.com/gpu", "milli": 500}
    assert "nvidia.com/gpu" not in str(role["template"])


def test_the_environment_is_the_submitters() -> None:
    job = manifest(asked(venv="/v", directory="/p", env={"A": "b"}))
    container = job["spec"]["roles"][0]["template"]["spec"]["containers"][0]
    assert container["image"] == "venv:///v"
    assert container["workingDir"] == "/p"
    assert {"name": "A", "value": "b"} in container["env"]


def test_no_name_lets_the_server_make_one() -> None:
    meta = manifest(asked(name=""))["metadata"]
    assert meta["generateName"] == "jax-"
    assert "name" not in meta


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"command": []}, "no command"),
        ({"name": "Big"}, "lower-case"),
        ({"name": "x" * 45}, "44"),
        ({"workers": 0}, "workers"),
        ({"cpu": "many"}, "cpu"),
        ({"memory": "1 GB"}, "memory"),
        ({"shared_memory": "x"}, "shared_memory"),
        ({"processes": 0}, "processes"),
        ({"retry_on": [3]}, "ExitCode"),
        ({"gpus": "two"}, "gpus"),
        ({"gpus": "2.5"}, "gpus"),
        ({"gpus": "-1"}, "gpus"),
        ({"gpus": "nan"}, "gpus"),
        ({"image": "python:3.12", "venv": "/v"}, "one of them"),
        ({"wheels": "w", "requirements": ["numpy"]}, "wheels come along with the code"),
        ({"wheels": "w", "git": "https://git.example/a.git"}, "wheels come along with the code"),
    ],
)
def test_wrong_wishes_are_refused_by_name(wrong: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        manifest(asked(**wrong))


def test_amounts_may_be_numbers_and_commands_are_lists() -> None:
    made = asked(gpus=2, cpu=0.5)
    assert (made.gpus, made.cpu) == ("2", "0.5")
    with pytest.raises(ValueError, match="must be a list of words"):
        manifest(asked(command="python train.py"))


def test_an_empty_tensorboard_is_a_wish() -> None:
    made = manifest(Submission(framework="generic", command=["x"], tensorboard=True))
    assert made["spec"]["tensorboard"] == {}


def test_wheels_of_the_code_are_named_beside_the_requirements() -> None:
    wishes: dict[str, object] = {"requirements": ["numpy"], "wheels": "vendor"}
    environment = manifest(asked(git="https://git.example/a.git", **wishes))["spec"]["environment"]
    assert (environment["requirements"], environment["wheels"]) == (["numpy"], "vendor")
