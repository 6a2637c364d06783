"""Every worked example of docs/scheduling is what the scheduler really does."""

import re
from pathlib import Path

import pytest

from tests.golden.scheduling import run

PAGES = sorted((Path(__file__).parents[2] / "docs" / "scheduling").glob("*.md"))
EXAMPLES = [
    example
    for page in PAGES
    for example in re.findall(r"```athanor-world\n(.*?)```", page.read_text(), re.DOTALL)
]


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_example_is_true(example: str) -> None:
    assert run(example) == example


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 10
