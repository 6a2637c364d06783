"""athanor import: jobs of other platforms as ours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from athanor.cli import files, makers, show
from athanor.cli.failures import FAILED
from athanor.cli.verb import verb
from athanor.cli.world import World

if TYPE_CHECKING:
    from athanor.api.meta import JSON

EXAMPLES = """\
athanor import pytorchjob.yaml > job.yaml
athanor import pytorchjob.yaml --submit
athanor import - --strict < t9k.yaml
kubectl get cronjob nightly -o yaml | athanor import - --submit"""


@verb(namespace=True, output=True, examples=EXAMPLES)
@click.argument("file")
@click.option("--submit", is_flag=True, help="Create the jobs instead of printing them.")
@click.option("--strict", is_flag=True, help="Fail when anything would be lost.")
def command(world: World, file: str, submit: bool, strict: bool) -> int:
    """Turn jobs of Kubernetes, Kubeflow, Ray, Volcano, T9k into ours.

    Prints the objects; what could not be taken over is listed on standard error.
    """
    from athanor.sdk.foreign.convert import convert

    lost = False
    manifests = list(_read(file))
    if not manifests:
        raise click.UsageError(f"{file} holds no objects")
    for manifest in manifests:
        try:
            made = convert(manifest)
        except ValueError as wrong:
            raise click.UsageError(str(wrong)) from None
        name = made.manifest["metadata"].get("name", "a job")
        for field in made.lost:
            show.note(f"{name}: lost {field}")
        for said in made.notes:
            show.note(f"{name}: {said}")
        lost = lost or bool(made.lost or made.notes)
        if submit and not (strict and lost):
            _create(world, made.manifest)
        elif not submit:
            if world.output in ("table", "wide"):
                world.output = "yaml"
            if world.output == "yaml":
                show.line("---")
            show.document(world, made.manifest)
    return FAILED if strict and lost else 0


def _create(world: World, manifest: JSON) -> None:
    kind = makers.kind_of(manifest["kind"])
    made = world.client.create(kind, manifest)
    if not show.document(world, made):
        meta = made["metadata"]
        show.line(f"{kind.singular} {meta['name']} created in namespace {meta['namespace']}")


def _read(file: str) -> Iterator[dict[str, object]]:
    """The objects of a file with YAML or JSON; `-` is standard input."""
    for document in files.documents(file):
        if isinstance(document, dict) and str(document.get("kind", "")).endswith("List"):
            yield from document.get("items") or []
        elif isinstance(document, dict):
            yield document
