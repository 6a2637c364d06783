"""The guide to training names every variable that a rank is told, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from athanor.api.meta import JSON, ObjectMeta
from athanor.api.scheduling import Gang
from athanor.api.training import Checkpoints, Role, TrainingJob, TrainingJobSpec
from athanor.features.gangs import pods
from athanor.features.gangs.ranks import Place
from athanor.features.training import build

GUIDE = Path(__file__).parents[4] / "docs/training.md"
TEMPLATE: JSON = {"spec": {"containers": [{"name": "main", "command": ["python", "train.py"]}]}}


def told() -> list[str]:
    """Our variables of a rank whose job has places for all that it may leave."""
    spec = TrainingJobSpec(
        roles=[Role(template=TEMPLATE)], outputs="/out", checkpoints=Checkpoints(directory="/kept")
    )
    job = TrainingJob(metadata=ObjectMeta(name="a", namespace="default", uid="u"), spec=spec)
    gang = msgspec.convert(build.gang(job, build.Defaults()), Gang)
    pod = pods.pod(gang, Place("worker", 0, 0, "node", ""), 1)
    return [one["name"] for one in pod["spec"]["containers"][0]["env"]]


def test_the_guide_names_every_variable_that_a_rank_is_told() -> None:
    guide = GUIDE.read_text()
    table = guide.partition("| variable | meaning |")[2].partition("\n\n")[0]
    named = re.findall(r"^\| `(\w+)` \|", table, re.M)
    assert sorted(named) == sorted(told())
