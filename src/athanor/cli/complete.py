"""Names that a shell completes: what the server has when Tab is pressed; none when none answers."""

from __future__ import annotations

from collections.abc import Callable

import click

from athanor.cli.failures import Failure
from athanor.cli.world import World

Complete = Callable[[click.Context, click.Parameter, str], list[str]]


def names_of(plural: str = "") -> Complete:
    """Of the objects of a kind; without one, of the kind that the word before says."""

    def found(ctx: click.Context, _: click.Parameter, begin: str) -> list[str]:
        from athanor.api.registry import find
        from athanor.wire.status import ApiError

        kind = find(plural or str(ctx.params.get("kind") or ""))
        world = ctx.find_object(World) or World()
        for given in (ctx.find_root().params, ctx.params):
            world.take(given)
        try:
            items = world.client.list(kind)["items"] if kind is not None else []
        except (ApiError, Failure, OSError):
            return []
        there = (item["metadata"]["name"] for item in items)
        return [name for name in there if name.startswith(begin)]

    return found


def kinds(_: click.Context, __: click.Parameter, begin: str) -> list[str]:
    """Of all kinds that are known by name."""
    from athanor.api.registry import BUILT_IN, OURS

    return [one.plural for one in (*OURS, *BUILT_IN) if one.plural.startswith(begin)]
