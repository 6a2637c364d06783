"""ASHA against Optuna's own successive halving, trial by trial."""

from __future__ import annotations

import optuna
from hypothesis import given, settings
from hypothesis import strategies as st

from athanor.api.sweeps import EarlyStop, Objective
from athanor.features.sweeps import asha

optuna.logging.set_verbosity(optuna.logging.ERROR)
DEPTH = 4


def ours(curves: list[list[float]], rule: EarlyStop, objective: Objective) -> list[int]:
    """How many steps each trial may do."""
    rungs: dict[int, list[float]] = {}
    found = []
    for curve in curves:
        step, alive, seen = 0, True, 0
        while alive and step < len(curve):
            step += 1
            while alive and seen < asha.reached(rule, step):
                there = rungs.setdefault(seen, [])
                alive = asha.goes_on(rule, objective, curve[step - 1], there)
                there.append(curve[step - 1])
                seen += 1
        found.append(step)
    return found


def theirs(curves: list[list[float]], rule: EarlyStop, objective: Objective) -> list[int]:
    pruner = optuna.pruners.SuccessiveHalvingPruner(
        min_resource=rule.min_steps, reduction_factor=rule.reduction, min_early_stopping_rate=0
    )
    direction = "minimize" if objective.goal == "Minimize" else "maximize"
    study = optuna.create_study(direction=direction, pruner=pruner)
    found = []
    for curve in curves:
        trial, step = study.ask(), 0
        while step < len(curve):
            step += 1
            trial.report(curve[step - 1], step)
            if trial.should_prune():
                break
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        found.append(step)
    return found


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    st.lists(st.lists(st.floats(0, 1), min_size=20, max_size=20), min_size=1, max_size=8),
    st.integers(1, 3),
    st.integers(2, 4),
    st.sampled_from(["Minimize", "Maximize"]),
)
def test_we_stop_whom_optuna_stops(
    curves: list[list[float]], first: int, reduction: int, goal: str
) -> None:
    rule = EarlyStop(min_steps=first, reduction=reduction)
    objective = Objective(metric="loss", goal="Minimize" if goal == "Minimize" else "Maximize")
    assert ours(curves, rule, objective) == theirs(curves, rule, objective)
