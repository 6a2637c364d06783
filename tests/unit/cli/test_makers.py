"""What makers are refused by the command line already, before any server hears of them."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from athanor.cli import makers
from athanor.cli.world import World

LOOP = """
kind: Workflow
metadata: {name: f}
spec:
  steps:
  - {name: a, template: {spec: {command: ["${steps.b.metrics.loss}"]}}}
  - {name: b, dependsOn: [a], template: {}}
"""


def test_a_workflow_whose_steps_wait_for_each_other_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "flow.yaml"
    file.write_text(LOOP)
    with pytest.raises(click.UsageError, match=r"spec.steps\[0\].dependsOn: .* a → b → a"):
        makers.template(World(), str(file), [])
    whole = makers.document(str(file))
    with pytest.raises(click.UsageError, match="a → b → a"):
        makers.created(World(), makers.kind_of("workflows"), whole, dry_run=True)


def test_what_is_no_workflow_at_all_is_refused_by_its_place(tmp_path: Path) -> None:
    file = tmp_path / "flow.yaml"
    file.write_text("kind: Workflow\nmetadata: {name: f}\nspec: {steps: [{name: a}]}\n")
    with pytest.raises(click.UsageError, match=r"template.*\$.spec.steps\[0\]"):
        makers.template(World(), str(file), [])
