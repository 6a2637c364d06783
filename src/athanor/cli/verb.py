"""How a verb is declared: its function gets the World, and every verb takes the shared options."""

from __future__ import annotations

import functools
from collections.abc import Callable

import click

from athanor.cli.world import World


class Listing(click.Group):
    """Verbs about one kind: bare, and with an object's name alone, the group is its own `list`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """The words, beginning with a verb; as they are when a shell completes them."""
        if ctx.resilient_parsing:
            return super().parse_args(ctx, args)
        first, second = [*args, "-", "-"][:2]
        is_verb = first in (*self.commands, *ctx.help_option_names)
        if not is_verb and (first.startswith("-") or second.startswith("-")):
            args = ["list", *args]
        return super().parse_args(ctx, args)


_HIDDEN = (
    click.Option(["--data"], metavar="DIR", hidden=True, help="Data directory."),
    click.Option(["--kubeconfig"], metavar="FILE", hidden=True, help="Kubeconfig to read."),
    click.Option(["--context"], metavar="NAME", hidden=True, help="Context to use."),
    click.Option(["-v", "--verbose"], count=True, hidden=True, help="Say more."),
)
_NAMESPACE = click.Option(["-n", "--namespace"], metavar="NAME", help="Namespace to work in.")
_OUTPUT = click.Option(
    ["-o", "--output"],
    type=click.Choice(["table", "wide", "json", "yaml", "name"]),
    help="How to print it.",
)
_SHARED = ("data", "kubeconfig", "context", "verbose", "namespace", "output")

Verb = Callable[..., object]


def verb(
    *, namespace: bool = False, output: bool = False, examples: str = ""
) -> Callable[[Verb], click.Command]:
    """Make `function(world, **options)` a command; its docstring is the help.

    `namespace`, `output`: whether those options mean something here. `examples` are lines of shell.
    """

    def declare(function: Verb) -> click.Command:
        @functools.wraps(function)
        def run(**options: object) -> object:
            world = click.get_current_context().find_object(World) or World()
            world.take({key: options.pop(key, None) for key in _SHARED})
            return function(world, **options)

        epilog = "\b\nExamples:\n" + "".join(f"  {line}\n" for line in examples.splitlines())
        made: click.Command = click.command(epilog=epilog if examples else None)(run)
        made.params += [_NAMESPACE] if namespace else [_hidden(_NAMESPACE)]
        made.params += [_OUTPUT] if output else []
        made.params += _HIDDEN
        return made

    return declare


def _hidden(option: click.Option) -> click.Option:
    return click.Option(option.opts, metavar=option.metavar, hidden=True, help=option.help)
