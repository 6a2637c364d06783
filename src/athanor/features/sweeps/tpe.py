"""Tree-structured Parzen estimation: the one door to Optuna, imported only when a sweep needs it.

Bergstra et al., Algorithms for Hyper-Parameter Optimization (NeurIPS 2011). A study is built anew
for each suggestion, from the trials so far and a seed of its own: the same question has the same
answer. Trials that still run count as bad ones (constant liar), so that parallel ones differ.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import TPESampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from athanor.api.sweeps import SweepParameter, Trial
from athanor.features.sweeps.question import Question
from athanor.features.sweeps.space import Value, exists

optuna.logging.set_verbosity(optuna.logging.ERROR)

_GOALS = {"Minimize": StudyDirection.MINIMIZE, "Maximize": StudyDirection.MAXIMIZE}
_STATES = {
    "Running": TrialState.RUNNING, "Succeeded": TrialState.COMPLETE, "Pruned": TrialState.PRUNED,
}  # fmt: skip


def suggest(question: Question) -> dict[str, Value]:
    """The parameters of one trial."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what Optuna calls experimental: its groups
        sampler = TPESampler(
            seed=question.seed * 1_000_003 + question.number, multivariate=True, group=True,
            constant_liar=True, n_startup_trials=1,
        )  # fmt: skip
    study = optuna.create_study(sampler=sampler, direction=_GOALS[question.goal])
    study.add_trials(_history(question))
    asked, values = study.ask(), dict[str, Value]()
    for one in question.parameters:
        if exists(one, values):
            values[one.name] = _ask(asked, one)
    return values


def _ask(asked: optuna.Trial, one: SweepParameter) -> Value:
    if one.type == "Choice":
        return one.choices[asked.suggest_categorical(one.name, tuple(range(len(one.choices))))]
    low, high = one.min or 0.0, one.max or 0.0
    if one.type == "Int":
        step = round(one.step or 1)
        return asked.suggest_int(one.name, int(low), int(high), step=step, log=one.log)
    return asked.suggest_float(one.name, low, high, step=one.step, log=one.log)


def _history(question: Question) -> list[FrozenTrial]:
    spaces = {one.name: _distribution(one) for one in question.parameters}
    found = []
    for trial in question.history:
        state = _STATES.get(trial.state)
        if state is None or (state is not TrialState.RUNNING and trial.value is None):
            continue
        told = _told(question.parameters, trial)
        found.append(
            create_trial(
                state=state,
                params=told,
                distributions={name: spaces[name] for name in told},
                value=trial.value if state is not TrialState.RUNNING else None,
                intermediate_values=(
                    {trial.step or 0: trial.value} if trial.value is not None else None
                ),
            )
        )
    return found


def _told(parameters: Sequence[SweepParameter], trial: Trial) -> dict[str, int | float]:
    """A trial's parameters as Optuna keeps them: choices by number, so that types do not matter."""
    told: dict[str, int | float] = {}
    for one in parameters:
        if one.name in trial.parameters:
            value = trial.parameters[one.name]
            told[one.name] = one.choices.index(value) if one.type == "Choice" else value
    return told


def _distribution(one: SweepParameter) -> BaseDistribution:
    if one.type == "Choice":
        return CategoricalDistribution(tuple(range(len(one.choices))))
    low, high = one.min or 0.0, one.max or 0.0
    if one.type == "Int":
        return IntDistribution(int(low), int(high), log=one.log, step=round(one.step or 1))
    return FloatDistribution(low, high, log=one.log, step=one.step)
