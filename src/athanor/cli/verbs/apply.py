"""athanor apply: objects that are kept as files; for machines that have no kubectl."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from athanor.cli import files, show
from athanor.cli.failures import each
from athanor.cli.verb import verb
from athanor.cli.world import World

if TYPE_CHECKING:
    from athanor.api.meta import JSON
    from athanor.api.registry import Resource

EXAMPLES = """\
athanor submit jax --name digits --dry-run -o yaml -- python train.py > digits.yaml
athanor apply digits.yaml
athanor apply queues.yaml pools.yaml --dry-run
athanor import pytorchjob.yaml | athanor apply -"""


@verb(namespace=True, output=True, examples=EXAMPLES)
@click.argument("paths", nargs=-1, metavar="FILE...")
@click.option("-f", "--filename", "named", multiple=True, metavar="FILE",
              help="A file, named as for kubectl; repeatable.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Ask the server what would be; change nothing.")
def command(
    world: World, paths: tuple[str, ...], named: tuple[str, ...], dry_run: bool
) -> int:  # fmt: skip
    """Create the objects of files, or change them into these.

    What a file says holds, whoever said otherwise; the rest stays.
    """
    if not (paths or named):
        raise click.UsageError("Missing argument 'FILE...': - is standard input")
    wanted = [pair for path in (*paths, *named) for pair in _objects(world, path)]

    def apply(pair: tuple[Resource, JSON]) -> None:
        kind, manifest = pair
        made = world.client.apply(kind, manifest, force=True, dry_run=dry_run)
        if not show.document(world, made):
            said = "would be applied" if dry_run else "applied"
            show.line(f"{kind.singular} {made['metadata']['name']} {said}")

    return each(wanted, apply)


def _objects(world: World, path: str) -> Iterator[tuple[Resource, JSON]]:
    """The objects of a file, each with its kind; all of them are right before one is applied."""
    from athanor.api import registry, strict

    found = 0
    for document in files.documents(path):
        whole: JSON = document if isinstance(document, dict) else {}
        for manifest in whole.get("items") or ([whole] if whole else []):
            found += 1
            if not isinstance(manifest, dict) or not manifest.get("kind"):
                raise click.UsageError(f"{path}: something in it is no object with a kind")
            named = str(manifest.get("apiVersion", "")), str(manifest["kind"])
            kind = registry.by_kind(*named)
            if kind is None:
                said = f"{named[1]} of {named[0] or 'no apiVersion'}"
                raise click.UsageError(
                    f"{path}: {said} is no kind that is known here; "
                    "athanor import turns jobs of others into ours"
                )
            meta = manifest.get("metadata") or {}
            if not meta.get("name"):
                raise click.UsageError(f"{path}: metadata.name: a {kind.kind} without a name")
            if world.namespace and meta.get("namespace", world.namespace) != world.namespace:
                said = f"metadata.namespace: {meta['namespace']}, but --namespace {world.namespace}"
                raise click.UsageError(f"{path}: {said}")
            for wrong in strict.unknown(manifest):
                raise click.UsageError(f"{path}: {wrong}")
            yield kind, manifest
    if not found:
        raise click.UsageError(f"{path} holds no objects")
