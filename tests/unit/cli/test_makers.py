"""What makers are refused by the command line already, before any server hears of them."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from athanor.cli import files, makers
from athanor.cli.world import World

LOOP = """
kind: Workflow
metadata: {name: f}
spec:
  steps:
  - {name: a, template: {spec: {outputs: "${steps.b.metrics.loss}"}}}
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


TYPOS = (
    ("dependOn", r"spec.steps\[1\].dependOn: there is no such field; did you mean dependsOn\?"),
    ("rank", r"spec.steps\[1\].rank: there is no such field; there are continueOnFailure, "),
)


@pytest.mark.parametrize(("field", "said"), TYPOS)
def test_a_mistyped_field_is_refused_with_the_one_that_is_meant(
    field: str, said: str, tmp_path: Path
) -> None:
    file = tmp_path / "flow.yaml"
    file.write_text(LOOP.replace("dependsOn", field))
    with pytest.raises(click.UsageError, match=said):
        makers.document(str(file))


def test_a_mistyped_field_is_found_in_the_object_that_is_made(tmp_path: Path) -> None:
    file = tmp_path / "cron.yaml"
    job = "{framework: jax, roles: [{template: {odd: 1}}], runPolicy: {backofLimit: 1}}"
    file.write_text(f"kind: Workflow\nspec: {{steps: [{{name: a, template: {{spec: {job}}}}}]}}\n")
    where = r"spec.steps\[0\].template.spec.runPolicy.backofLimit: .* mean backoffLimit"
    with pytest.raises(click.UsageError, match=where):
        makers.document(str(file))


def test_a_file_that_is_no_text_or_not_there_is_refused_by_its_name(tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_bytes(b"kind: \xff\xfe")
    with pytest.raises(click.UsageError, match="job.yaml is no text: byte 6"):
        makers.document(str(file))
    file.write_text("a: [")
    with pytest.raises(click.UsageError, match="job.yaml is no YAML: .* line 1"):
        makers.document(str(file))
    with pytest.raises(click.UsageError, match="nothing.yaml: No such file"):
        makers.document(str(tmp_path / "nothing.yaml"))
    with pytest.raises(click.UsageError, match="--requirements .*nothing: No such file"):
        files.text(str(tmp_path / "nothing"), "--requirements")


def test_what_is_no_workflow_at_all_is_refused_by_its_place(tmp_path: Path) -> None:
    file = tmp_path / "flow.yaml"
    file.write_text("kind: Workflow\nmetadata: {name: f}\nspec: {steps: [{name: a}]}\n")
    with pytest.raises(click.UsageError, match=r"template.*\$.spec.steps\[0\]"):
        makers.template(World(), str(file), [])
