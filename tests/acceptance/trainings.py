"""What the logs of real trainings must show, wherever these ran; their programs are examples."""

from __future__ import annotations

import re
from pathlib import Path

EXAMPLES = Path(__file__).parent.parent.parent / "examples"


def jax_learned(log: str) -> None:
    """`train_jax.py`: the digits are told apart better and better."""
    accuracy = [float(value) for value in re.findall(r"accuracy ([01]\.\d+)", log)]
    assert accuracy and accuracy[-1] > 0.9, log
    assert accuracy[-1] > accuracy[0]


def trees_agree(log: str) -> None:
    """`train_xgboost.py` with two workers: both hold one good model."""
    models = re.findall(r"rank (\d) of 2: model (\w+) accuracy (0\.\d+|1\.0+)", log)
    assert {rank for rank, _, _ in models} == {"0", "1"}, log
    assert len({model for _, model, _ in models}) == 1
    assert float(models[0][2]) > 0.9


def regression_agrees(log: str, *hosts: str) -> None:
    """`train_mpi.py`: every rank ran on its host, and all hold one good model."""
    ends = re.findall(r"rank (\d) of \d on (\S+): accuracy (0\.\d+), all equal (\w+)", log)
    ran = {(rank, where) for rank, where, _, _ in ends}
    assert ran == {(str(rank), where) for rank, where in enumerate(hosts)}, log
    assert all(float(accuracy) > 0.85 and same == "True" for _, _, accuracy, same in ends)
