"""The model: the same answer to the same question, within the space, and better than chance."""

from __future__ import annotations

import math

from athanor.api.sweeps import SweepParameter, Trial, When
from athanor.features.sweeps import space, tpe
from athanor.features.sweeps.question import Question

SPACE = (
    SweepParameter(name="lr", type="Float", min=1e-5, max=1e-1, log=True),
    SweepParameter(name="n", type="Int", min=1, max=8),
    SweepParameter(name="opt", type="Choice", choices=["adam", "sgd", 3]),
    SweepParameter(
        name="m", type="Float", min=0, max=1, when=When(parameter="opt", values=["sgd"])
    ),
)


def loss(values: space.Values) -> float:
    return abs(math.log10(float(values["lr"])) + 3) + abs(float(values["n"]) - 4) / 4


def history(count: int) -> tuple[Trial, ...]:
    rows = []
    for number in range(count):
        drawn = space.draw(SPACE, 1, number)
        state = "Running" if number % 7 == 6 else "Pruned" if number % 7 == 5 else "Succeeded"
        rows.append(Trial(number=number, parameters=drawn, value=loss(drawn), state=state))
    return tuple(rows)


def ask(number: int, seen: tuple[Trial, ...]) -> dict[str, space.Value]:
    return tpe.suggest(
        Question(parameters=SPACE, goal="Minimize", seed=5, number=number, history=seen)
    )


def test_the_same_question_has_the_same_answer() -> None:
    seen = history(20)
    assert ask(20, seen) == ask(20, seen)
    values = ask(20, seen)
    assert values["opt"] in ("adam", "sgd", 3)
    assert ("m" in values) == (values["opt"] == "sgd")
    assert ask(21, seen) != values


def test_it_is_better_than_chance() -> None:
    seen = history(40)
    model = sum(loss(ask(n, seen)) for n in range(40, 60)) / 20
    chance = sum(loss(space.draw(SPACE, 1, n)) for n in range(40, 240)) / 200
    assert model < 0.75 * chance
