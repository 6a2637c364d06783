"""athanor get: objects of any kind, as the server shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from athanor.cli import show
from athanor.cli.complete import kinds, names_of
from athanor.cli.verb import verb
from athanor.cli.world import World

if TYPE_CHECKING:
    from athanor.api.meta import JSON
    from athanor.api.registry import Resource
    from athanor.sdk.objects import Table


Wanted = Mapping["Resource", Sequence[str]]
"""Kind → names; none: all of that kind."""


@verb(
    namespace=True,
    output=True,
    examples="athanor get pods\nathanor get gang hello -o yaml\nathanor get nodes -o wide\n"
    "athanor get pods,gangs\nathanor get pod/hello-worker-0 gang/hello\n"
    "athanor get hello                      # a job needs no kind",
)
@click.argument("kind", metavar="KIND[,KIND...]", shell_complete=kinds)
@click.argument("names", nargs=-1, metavar="[NAME...]", shell_complete=names_of())
@click.option("-A", "--all-namespaces", "everywhere", is_flag=True, help="In all namespaces.")
@click.option("-l", "--selector", "labels", default="", help="Only objects with these labels.")
@click.option("--field-selector", "fields", default="", help="Only objects with these fields.")
def command(
    world: World, kind: str, names: tuple[str, ...], everywhere: bool, labels: str, fields: str
) -> None:
    """Show objects of any kind, or one job."""
    wanted = _wanted(world, kind, names)
    picked = {"everywhere": everywhere, "labels": labels, "fields": fields}
    if world.output not in ("table", "wide"):
        show.document(world, _found(world, wanted, picked))
        return
    tables = {kind: _table(world, kind, names, picked) for kind, names in wanted.items()}
    shown = {kind: table for kind, table in tables.items() if table.rows}
    if not shown:
        far = everywhere or not all(kind.namespaced for kind in wanted)
        show.nothing(world, " or ".join(kind.plural for kind in wanted), everywhere=far)
    for place, (one, table) in enumerate(shown.items()):
        if place:
            show.line()
        prefix = f"{one.singular}/" if len(wanted) > 1 else ""
        show.table(world, table, namespaces=everywhere and one.namespaced, prefix=prefix)


def _wanted(world: World, first: str, others: Sequence[str]) -> Wanted:
    """`KIND[,KIND] [NAME...]`, `KIND/NAME...`, or a job's name, as kinds and names."""
    wanted: dict[Resource, list[str]] = {}
    if "/" in first:
        for word in (first, *others):
            kind, slash, name = word.partition("/")
            if not (slash and name):
                raise click.UsageError(f"{word!r}: write KIND/NAME, as {first!r} does")
            wanted.setdefault(resource_of(kind), []).append(name)
        return wanted
    if not others and _is_job(world, first):
        return {resource_of("trainingjob"): [first]}
    if not others and "," not in first and _known(first) is None:
        raise click.UsageError(
            f"{first!r} is no kind, and no job of namespace {world.where}; {_near(first)}"
        )
    return {resource_of(kind): list(others) for kind in first.rstrip(",").split(",")}


def _found(world: World, wanted: Wanted, picked: JSON) -> JSON:
    """What was asked for as one object: it, the server's list of a kind, or a List of all."""
    answers = [
        (kind, answer)
        for kind, names in wanted.items()
        for answer in (
            [world.client.get(kind, name) for name in names] or [world.client.list(kind, **picked)]
        )
    ]
    if len(answers) == 1:
        return answers[0][1]
    items: list[JSON] = [
        {"apiVersion": kind.api_version, "kind": kind.kind, **item}
        for kind, answer in answers
        for item in answer.get("items", [answer])
    ]
    return {"apiVersion": "v1", "kind": "List", "items": items}


def _table(world: World, kind: Resource, names: Sequence[str], picked: JSON) -> Table:
    """Objects of a kind as one table."""
    from msgspec.structs import replace

    tables = [world.client.table(kind, name, **picked) for name in names or [""]]
    return replace(tables[0], rows=[row for table in tables for row in table.rows])


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
    resource = _known(kind)
    if resource is None:
        raise click.UsageError(f"no kind {kind!r}; {_near(kind)}")
    return resource


def _near(kind: str) -> str:
    """Kinds that may have been meant."""
    import difflib

    from athanor.api.registry import ALL

    near = difflib.get_close_matches(kind.lower(), [r.plural for r in ALL], n=2)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return "for instance pods, gangs, queues; athanor list shows the jobs"
