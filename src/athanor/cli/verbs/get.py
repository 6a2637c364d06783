"""athanor get: objects of any kind, as the server shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from athanor.cli import show
from athanor.cli.complete import kinds, names_of
from athanor.cli.verb import verb
from athanor.cli.world import World

if TYPE_CHECKING:
    from athanor.api.registry import Resource


@verb(
    namespace=True,
    output=True,
    examples="athanor get pods\nathanor get gang hello -o yaml\nathanor get nodes -o wide\n"
    "athanor get hello                      # a job needs no kind",
)
@click.argument("kind", shell_complete=kinds)
@click.argument("name", required=False, default="", shell_complete=names_of())
@click.option("-A", "--all-namespaces", "everywhere", is_flag=True, help="In all namespaces.")
@click.option("-l", "--selector", "labels", default="", help="Only objects with these labels.")
@click.option("--field-selector", "fields", default="", help="Only objects with these fields.")
def command(world: World, kind: str, name: str, everywhere: bool, labels: str, fields: str) -> None:
    """Show objects of any kind, or one job."""
    kind, _, slashed = kind.partition("/")
    if not (name or slashed) and _is_job(world, kind):
        kind, name = "trainingjob", kind
    resource, name = resource_of(kind), name or slashed
    if world.output not in ("table", "wide"):
        found = (
            world.client.get(resource, name)
            if name
            else world.client.list(resource, everywhere=everywhere, labels=labels, fields=fields)
        )
        show.document(world, found)
        return
    table = world.client.table(resource, name, everywhere=everywhere, labels=labels, fields=fields)
    if not table.rows:
        spot = "" if everywhere or not resource.namespaced else f" in namespace {world.where}"
        show.note(f"no {resource.plural}{spot}")
        return
    show.table(world, table, namespaces=everywhere and resource.namespaced)


def _is_job(world: World, word: str) -> bool:
    """Whether a word that is no kind is the name of a job."""
    from athanor.wire.status import ApiError

    if _known(word) is not None:
        return False
    try:
        world.client.job(word)
    except ApiError as error:
        if error.reason not in ("NotFound", "Forbidden"):
            raise
        return False
    return True


def _known(kind: str) -> Resource | None:
    from athanor.api.registry import find

    return find({"job": "trainingjob", "jobs": "trainingjob"}.get(kind.lower(), kind))


def resource_of(kind: str) -> Resource:
    """The kind a person means; a usage error that names near ones when there is none."""
    from athanor.api.registry import ALL

    resource = _known(kind)
    if resource is None:
        import difflib

        near = difflib.get_close_matches(kind.lower(), [r.plural for r in ALL], n=2)
        hint = (
            f"did you mean {' or '.join(near)}?"
            if near
            else "for instance pods, gangs, queues; athanor list shows the jobs"
        )
        raise click.UsageError(f"no kind {kind!r}; {hint}")
    return resource
