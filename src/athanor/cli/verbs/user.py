"""athanor user: people of a shared workstation, each with a kubeconfig, a namespace, a share."""

from __future__ import annotations

import click

from athanor.cli import show
from athanor.cli.failures import NOT_FOUND, Failure
from athanor.cli.verb import verb
from athanor.cli.world import World

EXAMPLES = """\
athanor user add ada --team vision
athanor user add bob --share nvidia.com/gpu=2 --limit nvidia.com/gpu=4
athanor user list
athanor user remove bob"""


@click.group(epilog="\b\nExamples:\n" + "".join(f"  {line}\n" for line in EXAMPLES.splitlines()))
def command() -> None:
    """Add, list or remove people of a shared machine."""


@command.command("add", epilog="\b\nExamples:\n  athanor user add ada --team vision")
@click.argument("name")
@click.option("--team", default="", help="Share a namespace and a queue with a team [own ones].")
@click.option("--share", multiple=True, metavar="RES=N", help="What they are entitled to.")
@click.option("--limit", multiple=True, metavar="RES=N", help="What they may use at most.")
@click.option("-o", "--out", default="", metavar="FILE", help="Kubeconfig [NAME.kubeconfig].")
@click.pass_obj
def add(world: World, name: str, team: str, share: tuple[str, ...], limit: tuple[str, ...],
        out: str) -> None:  # fmt: skip
    """Make a kubeconfig, a namespace with rights, and a queue share."""
    from athanor.assembly import people
    from athanor.assembly.layout import DataDir
    from athanor.cli.verbs.submit import pairs
    from athanor.kit.clock import SystemClock

    wanted = people.Person(
        name=name, team=team, share=pairs("--share", share), limit=pairs("--limit", limit)
    )
    try:
        made = people.add(world.client, DataDir(world.data), wanted, SystemClock(), out)
    except people.Refused as refused:
        raise Failure(str(refused)) from None
    show.line(f"user {name} added: namespace {made.namespace}, queue {made.queue}")
    show.note(f"  give them  {made.kubeconfig} (it is a secret: mode 0600)")
    if made.runs_as:
        show.note(f"  pods run   as user {made.runs_as}, the platform's owner: they may read")
        show.note(
            "             what that user may; a platform of root gives people users of their own"
        )
    if made.loopback:
        show.note("  from here only: athanor up --listen ADDRESS lets other machines in")


@verb(output=True, examples="athanor user list\nathanor user list -o json")
def list_(world: World) -> None:
    """List people and their namespaces."""
    from athanor.assembly import people

    found = people.everybody(world.client)
    if world.output in ("json", "yaml"):
        users = [{"user": user, "namespace": namespace} for user, namespace in found]
        show.document(world, {"users": users})
        return
    if not found:
        show.note("nobody but you; athanor user add NAME")
        return
    show.rows(["USER", "NAMESPACE"], [list(pair) for pair in found])


command.add_command(list_, "list")


@command.command("remove", epilog="\b\nExamples:\n  athanor user remove bob --yes")
@click.argument("name")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def remove(world: World, name: str, yes: bool) -> None:
    """Take somebody's rights away; their namespace and jobs stay."""
    from athanor.assembly import people
    from athanor.assembly.layout import DataDir
    from athanor.cli.verbs.delete import confirm
    from athanor.kit.clock import SystemClock

    if not yes:
        confirm(f"take all rights of {name} away?")
    if not people.remove(world.client, DataDir(world.data), name, SystemClock()):
        raise Failure(f"there is no user {name!r}", hint="athanor user list", code=NOT_FOUND)
    show.line(f"user {name} removed; what they made is still there")
