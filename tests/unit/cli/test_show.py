"""YAML that kubectl reads as we mean it."""

from __future__ import annotations

import pytest
import yaml

from athanor.cli.show import yaml_text


@pytest.mark.parametrize("text", ["y", "N", "12e4567", "1.5e3", "0o17", "1_000", "007"])
def test_what_go_would_take_for_something_else_is_quoted(text: str) -> None:
    assert yaml_text({"name": text}) == f"name: '{text}'\n"


def test_programs_are_blocks_of_lines() -> None:
    assert yaml_text({"run": "import os\nprint(os)"}) == "run: |-\n  import os\n  print(os)\n"


@pytest.mark.parametrize("text", ["plain", "a: b", "two\nlines\n", "true", "1.2.3", "", "yard"])
def test_texts_stay_texts(text: str) -> None:
    assert yaml.safe_load(yaml_text({"name": text})) == {"name": text}
