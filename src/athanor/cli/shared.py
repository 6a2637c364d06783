"""What the verbs of queues, pools and reservations share: amounts, cluster-wide objects; and what
suspend and resume look at first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from athanor.cli import makers, show
from athanor.cli.world import World

if TYPE_CHECKING:
    from athanor.api.meta import JSON
    from athanor.api.registry import Resource
    from athanor.api.training import TrainingJob

GPU = "nvidia.com/gpu"


def living(world: World, name: str) -> TrainingJob:
    """A job that has not finished. Raises ApiError: NotFound, BadRequest with the way out."""
    from athanor.sdk.jobs import alive

    found = world.client.job(name)
    alive(name, found.status.phase)
    return found


def amounts(_: click.Context, option: click.Parameter, said: tuple[str, ...]) -> dict[str, str]:
    """`gpu=8,cpu=64` as resource → quantity ("none": none), for options that take amounts."""
    from athanor.kit.quantity import QuantityError, parse

    found: dict[str, str] = {}
    for word in (part for words in said for part in words.split(",") if part):
        name, equals, amount = word.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{word!r}: write RESOURCE=AMOUNT, as gpu=8,cpu=64",
                                     param=option)  # fmt: skip
        if amount == "none":
            found[GPU if name == "gpu" else name] = amount
            continue
        try:
            below = parse(amount).nano < 0
        except QuantityError as wrong:
            raise click.BadParameter(f"{word}: {wrong}", param=option) from None
        if below:
            raise click.BadParameter(f"{word}: an amount is 0 or more, or none", param=option)
        found[GPU if name == "gpu" else name] = amount
    return found


def created(world: World, kind: Resource, name: str, spec: JSON, *, dry_run: bool) -> None:
    """Create a cluster-wide object, or print what would be created."""
    head = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": name}}
    if dry_run:
        _whole(world, {**head, "spec": spec})
        return
    made = world.client.create(kind, {**head, "spec": spec})
    _said(world, made, f"{kind.singular} {name} created")


def changed(world: World, kind: Resource, name: str, spec: JSON, *, dry_run: bool = False) -> None:
    """Change some fields of a cluster-wide object's spec, or print what it would be."""
    now = world.client.patch(kind, name, {"spec": spec}, dry_run=dry_run)
    if dry_run:
        _whole(world, now)
        return
    _said(world, now, f"{kind.singular} {name} changed")


VERBS = {"reservation": "reserve"}
"""Kinds whose verb is called otherwise."""


def listed(world: World, kind: Resource, name: str = "") -> None:
    """Print all objects of a cluster-wide kind (or one)."""
    if world.output not in ("table", "wide"):
        found = world.client.get(kind, name) if name else world.client.list(kind)
        show.document(world, found)
        return
    table = world.client.table(kind, name)
    if not table.rows:
        word = VERBS.get(kind.singular, kind.singular)
        show.note(f"no {kind.plural}; athanor {word} --help shows how to make one")
        return
    show.table(world, table)


def _said(world: World, made: JSON, line: str) -> None:
    if world.output in ("table", "wide"):
        show.line(line)
    else:
        show.document(world, made)


def _whole(world: World, value: JSON) -> None:
    if world.output in ("table", "wide"):
        world.output = "yaml"
    show.document(world, value)


epilog = makers.epilog
removed = makers.removed
kind_of = makers.kind_of
