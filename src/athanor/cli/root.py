"""The `athanor` command: finds the verb, imports it, runs it, and says what went wrong."""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING, NoReturn

import click

from athanor.cli.catalog import SECTIONS, VERBS

if TYPE_CHECKING:
    from athanor.cli.world import World

EPILOG = """\b
Every verb has --help with examples. Exit codes: 0 done, 1 failed or refused, 2 wrong usage,
3 no such thing, 4 no server (with Athanor) answers, 5 not in time, 130 interrupted."""


class Root(click.Group):
    """A group whose verbs are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all verbs, in the order of the help."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb, or None."""
        verb = VERBS.get(cmd_name)
        if verb is None:
            return None
        module = importlib.import_module(f"athanor.cli.verbs.{verb.module}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The verb, or a usage error that names the nearest one."""
        name = args[0]
        command = self.get_command(ctx, name)
        if command is None:
            import difflib

            near = difflib.get_close_matches(name, VERBS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "athanor --help lists all verbs"
            raise click.UsageError(f"no verb {name!r}; {hint}", ctx)
        return name, command, args[1:]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The verbs by section, without importing them."""
        for section in SECTIONS:
            rows = [(name, v.summary) for name, v in VERBS.items() if v.section == section]
            with formatter.section(section):
                formatter.write_dl(rows)


@click.command(
    cls=Root,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(None, "--version", package_name="athanor", message="athanor %(version)s")
@click.option("--data", metavar="DIR", help="Data directory of the local platform (~/.athanor).")
@click.option("--kubeconfig", metavar="FILE", help="Which kubeconfig to read.")
@click.option("--context", metavar="NAME", help="Which of its contexts to use.")
@click.option("-n", "--namespace", metavar="NAME", help="Namespace to work in.")
@click.option(
    "-v", "--verbose", count=True, help="Show requests; twice shows where an error arose."
)
def root(**wishes: object) -> None:
    """AI work on your laptop or a cluster, with one Kubernetes API.

    \b
    athanor up --detach                          start the platform on this machine
    athanor submit jax --workers 2 -- python train.py
    athanor logs -f NAME                         follow all ranks
    athanor why NAME                             why it waits, or why it failed
    """
    from athanor.cli.world import World

    ctx = click.get_current_context()
    ctx.obj = ctx.obj or World()
    ctx.obj.take(wishes)


def run() -> NoReturn:
    """Run the command of the command line and exit with its code."""
    if "_ATHANOR_COMPLETE" in os.environ:
        root.main(prog_name="athanor", complete_var="_ATHANOR_COMPLETE")
    sys.exit(invoke(sys.argv[1:]))


def invoke(args: list[str], world: World | None = None) -> int:
    """Run one command; returns its exit code."""
    from athanor.cli.failures import guard
    from athanor.cli.world import World

    world = world or World()
    return guard(
        lambda: root(args, "athanor", standalone_mode=False, obj=world), args, world.cluster
    )
