"""Spaces: draws within bounds and the same for a seed, grids whole, conditions, mistakes named."""

from __future__ import annotations

import pytest

from athanor.api.sweeps import SweepParameter, When
from athanor.features.sweeps import space

LR = SweepParameter(name="lr", type="Float", min=1e-5, max=1e-1, log=True)
LAYERS = SweepParameter(name="layers", type="Int", min=1, max=3)
OPTIMIZER = SweepParameter(name="opt", type="Choice", choices=["adam", "sgd"])
MOMENTUM = SweepParameter(
    name="momentum", type="Float", min=0, max=0.9, step=0.3,
    when=When(parameter="opt", values=["sgd"]),
)  # fmt: skip
ALL = (LR, LAYERS, OPTIMIZER, MOMENTUM)


def test_draws_are_within_bounds_and_the_same_for_a_seed() -> None:
    for number in range(200):
        values = space.draw(ALL, 7, number)
        assert values == space.draw(ALL, 7, number)
        assert 1e-5 <= float(values["lr"]) <= 1e-1
        assert values["layers"] in (1, 2, 3)
        assert ("momentum" in values) == (values["opt"] == "sgd")
        if "momentum" in values:
            assert round(float(values["momentum"]), 9) in (0, 0.3, 0.6, 0.9)
    assert space.draw(ALL, 7, 0) != space.draw(ALL, 8, 0)
    small = [float(space.draw(ALL, 1, n)["lr"]) < 1e-3 for n in range(400)]
    assert 150 < sum(small) < 250, "orders of magnitude are equally likely"


def test_a_grid_has_every_point_once() -> None:
    points = list(space.grid((LAYERS, OPTIMIZER, MOMENTUM)))
    assert len(points) == space.grid_size((LAYERS, OPTIMIZER, MOMENTUM)) == 3 * (1 + 4)
    assert len({str(sorted(p.items())) for p in points}) == len(points)
    assert points[0] == {"layers": 1, "opt": "adam"}
    assert [round(float(v), 6) for v in space.steps(LR)] == [1e-5, 1e-4, 1e-3, 1e-2, 1e-1]


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ([LR, LR], r"spec.parameters\[1\].name: lr is there twice"),
        ([SweepParameter(name="a", type="Choice")], r"\[0\].choices"),
        ([SweepParameter(name="a", type="Int", min=3, max=1)], "min not above max"),
        ([SweepParameter(name="a", min=0, max=1, log=True)], r"\.min: must be above 0"),
        ([SweepParameter(name="a", min=0, max=1, step=0)], r"\.step"),
        (
            [
                OPTIMIZER,
                SweepParameter(name="a", min=0, max=1, when=When(parameter="opt", values=["rms"])),
            ],
            r"\[1\].when.values: none is a choice of opt; there are adam, sgd",
        ),
        ([MOMENTUM, OPTIMIZER], r"\[0\].when.parameter: no parameter 'opt'"),
    ],
)
def test_mistakes_are_named(parameters: list[SweepParameter], said: str) -> None:
    assert pytest.raises(AssertionError, _right, parameters).match(said)
    assert space.wrong(ALL) == ""


def _right(parameters: list[SweepParameter]) -> None:
    said = space.wrong(parameters)
    assert not said, said
