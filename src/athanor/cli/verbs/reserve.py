"""athanor reserve: capacity kept for some queues for a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from athanor.cli import makers, shared
from athanor.cli.complete import names_of
from athanor.cli.failures import Failure
from athanor.cli.verb import Listing, verb
from athanor.cli.verbs.delete import confirm
from athanor.cli.world import World

if TYPE_CHECKING:
    from athanor.api.meta import JSON

EXAMPLES = """\
athanor reserve create course --amounts gpu=8 --queue teaching --in 2h --for 4h
athanor reserve create repair --node gpu-3 --for 1d
athanor reserve
athanor reserve delete course --yes"""


@click.group(cls=Listing, epilog=makers.epilog(EXAMPLES))
def command() -> None:
    """Keep capacity for some queues for a time."""


@verb(output=True, examples="athanor reserve create course --amounts gpu=8 --queue teaching")
@click.argument("name")
@click.option("--pool", default="default", show_default=True, metavar="POOL", help="Of which pool.")
@click.option("--amounts", multiple=True, callback=shared.amounts, metavar="RES=N,...",
              help="How much of the pool [all of it, unless nodes are named].")  # fmt: skip
@click.option("--node", "nodes", multiple=True, metavar="NAME", help="These nodes; repeatable.")
@click.option("--queue", "queues", multiple=True, metavar="QUEUE",
              help="For whom; repeatable. Nobody when none is named.")  # fmt: skip
@click.option("--in", "begin", callback=makers.seconds, metavar="TIME",
              help="From when on [now].")  # fmt: skip
@click.option("--for", "length", callback=makers.seconds, metavar="TIME",
              help="For how long [until it is deleted].")  # fmt: skip
@click.option("--start", default="", metavar="RFC3339", help="From this time on.")
@click.option("--end", default="", metavar="RFC3339", help="Until this time.")
@click.option("--dry-run", is_flag=True, help="Print what would be created; needs no server.")
def create(world: World, name: str, dry_run: bool, **wishes: object) -> None:
    """Keep nodes, or amounts of a pool, for some queues."""
    spec = _spec(world, wishes)
    if not dry_run:
        _check(world, name, spec)
    shared.created(world, shared.kind_of("reservations"), name, spec, dry_run=dry_run)


@verb(output=True, examples="athanor reserve list\nathanor reserve list course -o yaml")
@click.argument("name", required=False, default="", shell_complete=names_of("reservations"))
def list_(world: World, name: str) -> None:
    """Show all reservations, or one."""
    shared.listed(world, shared.kind_of("reservations"), name)


@verb(examples="athanor reserve delete course --yes")
@click.argument("names", nargs=-1, required=True, shell_complete=names_of("reservations"))
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def delete(world: World, names: tuple[str, ...], yes: bool) -> int:
    """Give reserved capacity back."""
    if not yes:
        confirm(f"delete {', '.join(names)}?")
    return shared.removed(world, shared.kind_of("reservations"), names)


for made, word in ((create, "create"), (list_, "list"), (delete, "delete")):
    command.add_command(made, word)


def _check(world: World, name: str, spec: JSON) -> None:
    """Refuse what could keep nothing, by the field's name."""
    import msgspec

    from athanor.api.core import Node
    from athanor.api.scheduling import Pool, Reservation
    from athanor.features.scheduling import machines, reservations

    there = {word: world.client.list(shared.kind_of(word))["items"]
             for word in ("nodes", "pools", "queues")}  # fmt: skip
    pools = msgspec.convert(there["pools"], list[Pool])
    ground = reservations.ground(
        (machines.read(node, pools) for node in msgspec.convert(there["nodes"], list[Node])),
        (pool.metadata.name for pool in pools),
        (queue["metadata"]["name"] for queue in there["queues"]),
    )
    wanted = {"metadata": {"name": name}, "spec": spec}
    wrong = reservations.problem(msgspec.convert(wanted, Reservation), ground)
    if wrong:
        raise Failure(f"reservation {name} would not be valid: {wrong}",
                      hint="athanor queue tree and athanor pool list show them")  # fmt: skip


def _spec(world: World, wishes: dict[str, object]) -> JSON:
    from athanor.kit.times import parse_rfc3339, rfc3339

    now, start, end = world.clock.now(), str(wishes["start"]), str(wishes["end"])
    for option, text in (("--start", start), ("--end", end)):
        try:
            parse_rfc3339(text) if text else None
        except ValueError as wrong:
            raise Failure(f"{option}: {wrong}", hint="for instance 2027-01-31T08:00:00Z") from None
    if start and wishes["begin"] is not None:
        raise click.UsageError("--in and --start say the same: use one")
    begin, length = wishes["begin"], wishes["length"]
    if isinstance(begin, int):
        start = rfc3339(now + begin)
    if isinstance(length, int):
        end = rfc3339((parse_rfc3339(start) if start else now) + length)
    said = {
        "pool": wishes["pool"], "amounts": wishes["amounts"], "nodes": _names(wishes["nodes"]),
        "queues": _names(wishes["queues"]), "start": start, "end": end,
    }  # fmt: skip
    return {key: value for key, value in said.items() if value}


def _names(words: object) -> list[str]:
    return [str(word) for word in words] if isinstance(words, tuple) else []
