"""The wiring of each framework, as its own launcher reads it."""

from __future__ import annotations

from typing import get_args

import pytest

from athanor.api import labels
from athanor.api.meta import JSON, ObjectMeta
from athanor.api.training import (
    Checkpoints,
    Code,
    Environment,
    Framework,
    Role,
    TrainingJob,
    TrainingJobSpec,
)
from athanor.features.training.build import Defaults, claim, gang
from athanor.features.training.frameworks.registry import WIRES
from athanor.features.training.frameworks.wiring import Refused

TEMPLATE: JSON = {"spec": {"containers": [
    {"name": "main", "command": ["python", "train.py"], "env": [{"name": "OWN", "value": "1"}]}
]}}  # fmt: skip


def job(framework: Framework, template: JSON = TEMPLATE, **spec: object) -> TrainingJob:
    roles = [Role(name="master", template=template), Role(replicas=2, template=template)]
    meta = ObjectMeta(name="t", namespace="default", uid="12345678-9")
    fields = {"framework": framework, "roles": roles, **spec}
    return TrainingJob(metadata=meta, spec=TrainingJobSpec(**fields))  # type: ignore[arg-type]


def container(built: JSON) -> JSON:
    found: JSON = built["spec"]["podSets"][1]["template"]["spec"]["containers"][0]
    return found


def env(built: JSON) -> dict[str, str]:
    return {e["name"]: e["value"] for e in container(built)["env"]}


def test_jax_knows_its_coordinator_and_itself() -> None:
    built = gang(job("jax"), Defaults())
    told = env(built)
    assert told["JAX_COORDINATOR_ADDRESS"] == "t-master-0.t:$(ATHANOR_PORT)"
    assert told["JAX_NUM_PROCESSES"] == "$(ATHANOR_SIZE)"
    assert told["JAX_PROCESS_ID"] == "$(ATHANOR_INDEX)"
    assert built["spec"]["restart"] == "Gang"


def test_torchrun_takes_its_arguments_from_the_environment() -> None:
    told = env(gang(job("pytorch"), Defaults()))
    assert told["PET_NNODES"] == "$(ATHANOR_SIZE)"
    assert told["PET_NODE_RANK"] == "$(ATHANOR_INDEX)"
    assert told["MASTER_ADDR"] == told["PET_MASTER_ADDR"] == "t-master-0.t"
    assert told["MASTER_PORT"] == told["PET_MASTER_PORT"] == "$(ATHANOR_PORT)"
    assert (told["RANK"], told["WORLD_SIZE"]) == ("$(ATHANOR_INDEX)", "$(ATHANOR_SIZE)")
    assert told["TORCH_DISABLE_SHARE_RDZV_TCP_STORE"] == "1"


def test_several_processes_a_rank_are_started_by_torchrun() -> None:
    built = gang(job("pytorch", processes_per_replica=2), Defaults())
    assert container(built)["command"] == ["python", "-m", "torch.distributed.run", "train.py"]
    told = env(built)
    assert told["PET_NPROC_PER_NODE"] == "2"
    assert not {"RANK", "WORLD_SIZE"} & told.keys()  # torchrun's to say


@pytest.mark.parametrize(
    "command", [["torchrun", "t.py"], ["/v/bin/torchrun", "t.py"], ["bash", "-c", "x"]]
)
def test_a_launcher_of_ones_own_is_left_alone(command: list[str]) -> None:
    template: JSON = {"spec": {"containers": [{"name": "main", "command": command}]}}
    built = gang(job("pytorch", template, processes_per_replica=2), Defaults())
    assert container(built)["command"] == command


def test_xgboost_finds_its_tracker() -> None:
    told = env(gang(job("xgboost"), Defaults()))
    assert told["DMLC_TRACKER_URI"] == "t-master-0.t"
    assert told["DMLC_NUM_WORKER"] == "$(ATHANOR_SIZE)"
    assert told["DMLC_TASK_ID"] == "$(ATHANOR_INDEX)"


def test_generic_words_are_replaced_and_others_stay() -> None:
    words = "$(rank) $(index) $(size) $(role) $(replicas.worker) $(service.worker[1].host):"
    words += "$(service.master[0].port) $(HOME) $(service.nobody[0].host) $(service.worker[9].host)"
    template: JSON = {"spec": {"containers": [
        {"name": "main", "command": ["run", words], "args": ["$(rank)"],
         "env": [{"name": "A", "value": "$(rank)"}, {"name": "B", "valueFrom": {}}]}
    ]}}  # fmt: skip
    built = gang(job("generic", template), Defaults())
    found = container(built)
    assert found["command"][1] == (
        "$(ATHANOR_RANK) $(ATHANOR_INDEX) $(ATHANOR_SIZE) $(ATHANOR_ROLE) 2 "
        "t-worker-1.t:$(ATHANOR_PORT) $(HOME) $(service.nobody[0].host) $(service.worker[9].host)"
    )
    assert found["args"] == ["$(ATHANOR_RANK)"]
    assert found["env"][0]["value"] == "$(ATHANOR_RANK)"
    assert built["spec"]["restart"] == "Rank"


def test_ranks_that_never_meet_need_no_names() -> None:
    assert "service" not in gang(job("generic"), Defaults())["spec"]
    assert gang(job("generic", service=False), Defaults())["spec"]["service"] is False
    asks: JSON = {"spec": {"containers": [{"name": "main", "args": ["$(service.worker[0].host)"]}]}}
    with pytest.raises(Refused, match="leave service out"):
        gang(job("generic", asks, service=False), Defaults())


def test_ones_own_variables_come_last_so_that_they_win() -> None:
    names = [e["name"] for e in container(gang(job("jax"), Defaults()))["env"]]
    assert names[-1] == "OWN"


def test_checkpoints_go_to_a_directory_that_survives() -> None:
    named = gang(job("jax", checkpoints=Checkpoints(enabled=True, directory="/data/c")), Defaults())
    assert env(named)["ATHANOR_CHECKPOINT_DIR"] == "/data/c"
    assert named["spec"]["checkpoint"] == {"enabled": True}
    below = gang(job("jax"), Defaults(checkpoint_root="/root/c"))
    assert env(below)["ATHANOR_CHECKPOINT_DIR"] == "/root/c/default/t-12345678"
    asked = job("jax", checkpoints=Checkpoints(enabled=True))
    assert env(gang(asked, Defaults()))["ATHANOR_CHECKPOINT_DIR"] == "/athanor/checkpoints"
    made = claim(asked, Defaults(storage_class="local"))
    assert made is not None
    assert made["spec"]["storageClassName"] == "local"
    assert claim(job("jax"), Defaults()) is None


def test_environment_and_code_fill_what_the_template_leaves_open() -> None:
    spec = {
        "environment": Environment(interpreter="/v", requirements=["numpy", "scipy"]),
        "code": Code(directory="/src"), "outputs": "/out",
    }  # fmt: skip
    built = gang(job("jax", **spec), Defaults(checkpoint_root="/root/c"))
    found = container(built)
    assert (found["image"], found["workingDir"]) == ("venv:///v", "/src")
    annotations = built["spec"]["podSets"][1]["template"]["metadata"]["annotations"]
    assert annotations[labels.REQUIREMENTS] == "numpy\nscipy"
    assert env(built)["ATHANOR_OUTPUT_DIR"] == "/out"


def test_what_can_never_run_is_refused_with_the_way_out() -> None:
    with pytest.raises(Refused, match="needs a role jobmanager"):
        gang(job("flink"), Defaults())
    long = TrainingJob(
        metadata=ObjectMeta(name="x" * 60), spec=TrainingJobSpec(framework="jax", roles=[Role()])
    )
    with pytest.raises(Refused, match="shorter name"):
        gang(long, Defaults())


def test_every_wired_framework_is_one_of_the_api() -> None:
    assert set(WIRES) == set(get_args(Framework))
