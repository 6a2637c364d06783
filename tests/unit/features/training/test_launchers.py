"""Frameworks with a leading role: what it runs, what the others run, and who may do what."""

from __future__ import annotations

import json

import pytest

from athanor.api.meta import JSON, ObjectMeta
from athanor.api.training import Elastic, Framework, Role, TrainingJob, TrainingJobSpec
from athanor.features.training import around
from athanor.features.training.build import Defaults, gang, wired
from athanor.features.training.frameworks import deepspeed
from athanor.features.training.frameworks.wiring import Refused

AGENT = Defaults(launch_agent="#!agent")


def job(framework: Framework, lead: str, *command: str, **spec: object) -> TrainingJob:
    main: JSON = {"name": "main", "image": "host"}
    roles = [Role(name="worker", replicas=2, template={"spec": {"containers": [main]}})]
    if lead:
        told = {"spec": {"containers": [{**main, "command": list(command)}]}}
        roles.insert(0, Role(name=lead, template=told))
    meta = ObjectMeta(name="t", namespace="n", uid="u")
    fields = {"framework": framework, "roles": roles, **spec}
    return TrainingJob(metadata=meta, spec=TrainingJobSpec(**fields))  # type: ignore[arg-type]


def containers(asked: TrainingJob) -> dict[str, JSON]:
    built = gang(asked, AGENT)
    return {
        one["name"]: one["template"]["spec"]["containers"][0] for one in built["spec"]["podSets"]
    }


def env(container: JSON) -> dict[str, str]:
    return {e["name"]: e.get("value", "") for e in container["env"]}


def test_mpi_starts_processes_through_an_agent_that_may_do_only_that() -> None:
    asked = job("mpi", "launcher", "python", "sum.py", processes_per_replica=2)
    found = containers(asked)
    assert found["launcher"]["command"][-5:] == ["mpiexec", "-n", "4", "python", "sum.py"]
    assert found["worker"]["command"][:2] == ["sh", "-c"]
    told = env(found["launcher"])
    assert told["HYDRA_LAUNCHER_EXEC"] == told["OMPI_MCA_plm_rsh_agent"] == "/athanor/wiring/ssh"
    made = {kind.kind: whole for kind, whole in around.objects(asked, wired(asked, AGENT))}
    files = made["ConfigMap"]["data"]
    assert files["ssh"] == "#!agent"
    assert files["hostfile"] == "t-worker-0.t slots=2\nt-worker-1.t slots=2\n"
    assert files["machinefile"] == "t-worker-0.t:2\nt-worker-1.t:2\n"
    pods, execution = made["Role"]["rules"]
    assert execution["resources"] == ["pods/exec"]
    assert pods["resourceNames"] == execution["resourceNames"] == ["t-worker-0", "t-worker-1"]
    assert made["RoleBinding"]["subjects"][0]["name"] == made["ServiceAccount"]["metadata"]["name"]
    sets = gang(asked, AGENT)["spec"]["podSets"]
    assert sets[0]["template"]["spec"]["serviceAccountName"] == "t-wiring"
    assert "serviceAccountName" not in sets[1]["template"]["spec"]
    assert wired(asked, AGENT).success[0].ranks == {"launcher": [0]}


@pytest.mark.parametrize("own", [["mpirun", "-n", "1", "x"], ["bash", "-c", "mpirun x"]])
def test_a_launcher_of_ones_own_is_left_alone(own: list[str]) -> None:
    assert containers(job("mpi", "launcher", *own))["launcher"]["command"][-len(own) :] == own
    assert "mpiexec" not in containers(job("mpi", "launcher", *own))["launcher"]["command"]


def test_horovodrun_gets_slots_and_hosts() -> None:
    run = containers(job("horovod", "launcher", "python", "t.py"))["launcher"]["command"]
    assert run[-7:] == [
        "horovodrun", "-np", "2", "--hostfile", "/athanor/wiring/hostfile", "python", "t.py"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("own", "tail"),
    [
        (["python", "t.py", "--x"], ["t.py", "--x"]),
        (["python", "-m", "pkg", "--x"], ["--module", "pkg", "--x"]),
        (["./run", "--x"], ["--no_python", "./run", "--x"]),
    ],
)
def test_deepspeed_runs_scripts_modules_and_programs(own: list[str], tail: list[str]) -> None:
    run = deepspeed.started_by(own, ["--no_ssh"])
    assert run == ["deepspeed", "--no_ssh", *tail]


def test_deepspeed_without_a_launcher_starts_in_every_rank() -> None:
    asked = job("deepspeed", "master", "deepspeed", "t.py")
    run = containers(asked)["master"]["command"]
    assert run[:4] == ["deepspeed", "--hostfile", "/athanor/wiring/hostfile", "--no_ssh"]
    assert run[run.index("--node_rank") + 1] == "$(ATHANOR_INDEX)"
    assert wired(asked, AGENT).files["hostfile"].startswith("t-master-0.t slots=1\n")
    assert wired(asked, AGENT).commands == ""


def test_tensorflow_ranks_know_the_cluster_and_their_place() -> None:
    asked = job("tensorflow", "chief", "python", "t.py")
    found = containers(asked)
    said = env(found["worker"])["TF_CONFIG"].replace("$(ATHANOR_RANK)", "1")
    config = json.loads(said)
    assert config["task"] == {"type": "worker", "index": 1}
    assert config["cluster"]["chief"] == ["t-chief-0.t:$(ATHANOR_PORT_0)"]
    assert config["cluster"]["worker"][1] == "t-worker-1.t:$(ATHANOR_PORT_2)"
    assert env(found["worker"])["ATHANOR_PORT_2"] == "29502"
    names = [e["name"] for e in found["worker"]["env"]]
    assert names.index("ATHANOR_PORT_2") < names.index("TF_CONFIG")
    assert wired(asked, AGENT).success[0].ranks == {"chief": [0]}
    assert wired(asked, AGENT).restart == "Gang"
    assert wired(job("tensorflow", "ps"), AGENT).restart == "Rank"
    assert wired(job("tensorflow", "ps"), AGENT).success[0].ranks == {"worker": []}


def test_an_evaluator_is_no_member_of_the_cluster() -> None:
    found = containers(job("tensorflow", "evaluator", "python", "e.py"))
    config = json.loads(env(found["evaluator"])["TF_CONFIG"].replace("$(ATHANOR_RANK)", "0"))
    assert config["task"]["type"] == "evaluator"
    assert set(config["cluster"]) == {"worker"}


def test_lightgbm_lists_its_machines() -> None:
    asked = job("lightgbm", "master", "lightgbm", "config=train.conf")
    found = containers(asked)["master"]
    assert env(found)["LIGHTGBM_MACHINES"].split(",")[1] == "t-worker-0.t:$(ATHANOR_PORT_1)"
    assert found["command"][:2] == ["sh", "-c"]
    assert found["command"][-2:] == ["lightgbm", "config=train.conf"]


@pytest.mark.parametrize(
    ("framework", "lead", "word"),
    [("ray", "head", "--head"), ("spark", "driver", "Master"), ("flink", "jobmanager", "rest")],
)
def test_a_cluster_runs_beside_the_command(framework: Framework, lead: str, word: str) -> None:
    asked = job(framework, lead, "python", "j.py", elastic=Elastic(min=1, max=4))
    found = containers(asked)
    assert found[lead]["command"][-2:] == ["python", "j.py"]
    assert word in found[lead]["command"][2]
    assert found["worker"]["command"][:2] == ["sh", "-c"]
    assert wired(asked, AGENT).restart == "Rank"
    assert wired(asked, AGENT).success[0].ranks == {lead: [0]}
    workers = gang(asked, AGENT)["spec"]["podSets"][1]
    assert (workers["minCount"], workers["count"]) == (1, 4)


def test_ray_waits_for_as_many_workers_as_it_needs() -> None:
    asked = job("ray", "head", "python", "j.py", elastic=Elastic(min=1, max=4))
    assert env(containers(asked)["head"])["ATHANOR_RAY_NODES"] == "2"


def test_flink_is_told_where_its_manager_is() -> None:
    found = containers(job("flink", "jobmanager", "flink", "run", "j.jar"))["jobmanager"]
    assert found["command"][-5:] == ["flink", "run", "-m", "t-jobmanager-0.t:$(ATHANOR_PORT_1)",
                                     "j.jar"]  # fmt: skip


def test_a_manager_of_flink_without_a_command_serves() -> None:
    found = containers(job("flink", "jobmanager"))["jobmanager"]
    assert found["command"][:2] == ["sh", "-c"]
    assert 'exec "$home/bin/jobmanager.sh" start-foreground' in found["command"][2]


def test_elastic_torchrun_meets_by_c10d_and_ranks_come_and_go() -> None:
    asked = job("pytorch", "", elastic=Elastic(min=1, max=3))
    told = env(containers(asked)["worker"])
    assert told["PET_NNODES"] == "1:3"
    assert told["PET_RDZV_BACKEND"] == "c10d"
    assert told["PET_RDZV_ENDPOINT"] == "t-worker-0.t:$(ATHANOR_PORT)"
    assert "PET_NODE_RANK" not in told
    spec = gang(asked, AGENT)["spec"]
    assert (spec["restart"], spec["resize"]) == ("Rank", "Live")
    static = gang(job("jax", "", elastic=Elastic(min=1, max=3)), AGENT)["spec"]
    assert (static["restart"], static["resize"]) == ("Gang", "Restart")


def test_in_debug_mode_commands_wait_for_a_word() -> None:
    found = containers(job("jax", "worker2", "python", "t.py", debug=True))
    assert "athanor debug" in found["worker2"]["command"][2]
    assert found["worker2"]["command"][-2:] == ["python", "t.py"]


@pytest.mark.parametrize("framework", ["mpi", "horovod", "ray", "spark", "flink"])
def test_without_its_leading_role_a_job_is_refused(framework: Framework) -> None:
    with pytest.raises(Refused, match="needs a role"):
        wired(job(framework, ""), AGENT)
