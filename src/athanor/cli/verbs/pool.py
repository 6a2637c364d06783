"""athanor pool: sorts of nodes, by what they are chosen and how they are used."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import click

from athanor.cli import makers, quotas, shared, show
from athanor.cli.complete import names_of
from athanor.cli.verb import Listing, Verb, verb
from athanor.cli.verbs.delete import confirm
from athanor.cli.world import World

if TYPE_CHECKING:
    from athanor.api.meta import JSON

EXAMPLES = """\
athanor pool
athanor pool create a100 --nodes gpu.model=A100 --level zone --level rack
athanor pool set a100 --strategy Spread --cost 2.5"""


_LABEL = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
"""What the value of a label may be."""


@click.group(cls=Listing, epilog=makers.epilog(EXAMPLES))
def command() -> None:
    """Show, make and change pools of nodes."""


@verb(output=True, examples="athanor pool list\nathanor pool list -o wide")
@click.argument("name", required=False, default="", shell_complete=names_of("pools"))
def list_(world: World, name: str) -> None:
    """Show all pools, or one: nodes, what they have, what is free."""
    if world.output not in ("table", "wide"):
        shared.listed(world, shared.kind_of("pools"), name)
        return
    kind, marked = shared.kind_of("pools"), simulated(world)
    found = [world.client.get(kind, name)] if name else world.client.list(kind).get("items", [])
    rows = [row for pool in found for row in _rows(pool, marked)]
    show.rows(["POOL", "NODES", "RESOURCE", "CAPACITY", "FREE"], rows)


@verb(output=True, examples="athanor pool get default -o yaml")
@click.argument("name", shell_complete=names_of("pools"))
def get(world: World, name: str) -> None:
    """Show one pool."""
    shared.listed(world, shared.kind_of("pools"), name)


def _options(function: Verb) -> Verb:
    options: list[Callable[[Verb], Verb]] = [
        click.option("--nodes", multiple=True, metavar="LABEL=VALUE",
                     help="Nodes with this label belong to it; repeatable."),
        click.option("--level", multiple=True, metavar="LABEL",
                     help="A topology level, the widest first; repeatable."),
        click.option("--exclusive/--shared", default=None,
                     help="Whether only our pods use its nodes."),
        click.option("--strategy", type=click.Choice(["Binpack", "Spread"]),
                     help="Fill nodes one after another, or spread over them."),
        click.option("--cost", metavar="N", help="Cost of a node an hour."),
        click.option("--elastic/--fixed", default=None, help="Whether nodes come and go."),
    ]  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function


@verb(output=True, examples="athanor pool create a100 --nodes gpu.model=A100 --level rack")
@click.argument("name")
@_options
@click.option("--dry-run", is_flag=True, help="Print what would be created; needs no server.")
def create(world: World, name: str, dry_run: bool, **wishes: object) -> None:
    """Make a pool of nodes."""
    shared.created(world, shared.kind_of("pools"), name, _spec(wishes), dry_run=dry_run)


@verb(output=True, examples="athanor pool set a100 --shared --cost 2.5")
@click.argument("name", shell_complete=names_of("pools"))
@_options
@click.option("--dry-run", is_flag=True, help="Print what it would be; changes nothing.")
def set_(world: World, name: str, dry_run: bool, **wishes: object) -> None:
    """Change a pool; what is not named stays."""
    spec = _spec(wishes)
    if not spec:
        raise click.UsageError("say what is to change; athanor pool set --help lists it")
    shared.changed(world, shared.kind_of("pools"), name, spec, dry_run=dry_run)


@verb(examples="athanor pool delete a100 --yes")
@click.argument("names", nargs=-1, required=True, shell_complete=names_of("pools"))
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def delete(world: World, names: tuple[str, ...], yes: bool) -> int:
    """Delete pools; their nodes stay. A pool that queues have quota in is refused."""
    quotas.check(world, pools=names)
    if not yes:
        confirm(f"delete {', '.join(names)}?")
    return shared.removed(world, shared.kind_of("pools"), names)


for made, word in (
    (list_, "list"), (get, "get"), (create, "create"), (set_, "set"), (delete, "delete")
):  # fmt: skip
    command.add_command(made, word)


def _spec(wishes: Mapping[str, object]) -> JSON:
    spec: JSON = {}
    if isinstance(labels := wishes["nodes"], tuple) and labels:
        pairs = [str(label).partition("=") for label in labels]
        if wrong := next((key for key, equals, _ in pairs if not equals), None):
            raise click.UsageError(f"--nodes {wrong}: write LABEL=VALUE")
        if wrong := next((text for _, _, text in pairs if not _LABEL.fullmatch(text)), None):
            raise click.UsageError(f"--nodes: no label has the value {wrong!r}")
        spec["nodeSelector"] = {key: value for key, _, value in pairs}
    if wishes["level"]:
        spec["topologyLevels"] = list(wishes["level"] if isinstance(wishes["level"], tuple) else ())
    plain = (
        ("exclusive", "exclusive"), ("strategy", "strategy"), ("cost", "costPerHour"),
        ("elastic", "elastic"),
    )  # fmt: skip
    return spec | {field: wishes[o] for o, field in plain if wishes[o] is not None}


def _rows(pool: JSON, marked: bool) -> list[list[str]]:
    status, name = pool.get("status", {}), pool["metadata"]["name"]
    capacity, free = status.get("capacity", {}), status.get("free", {})
    names = [r for r in capacity if r not in ("pods", "ephemeral-storage")]
    rows = [
        [name, str(status.get("nodes", 0)), resource + mark(resource, marked),
         *(_amount(resource, of.get(resource, "0")) for of in (capacity, free))]
        for resource in names
    ]  # fmt: skip
    return rows or [[name, str(status.get("nodes", 0)), "-", "-", "-"]]


def _amount(resource: str, text: str | int) -> str:
    """As it is; memory in GiB, as everywhere."""
    from athanor.kit.quantity import whole

    return f"{whole(text) / (1 << 30):.3g} GiB" if resource == "memory" else str(text)


def mark(resource: str, simulated_: bool) -> str:
    """What is added to a device that is only pretended."""
    return " (simulated)" if simulated_ and resource.endswith("/gpu") else ""


def simulated(world: World) -> bool:
    """Whether GPUs of this cluster are pretended."""
    from athanor.wire.status import ApiError

    nodes = shared.kind_of("nodes")
    try:
        found = world.client.list(nodes, labels="athanor.dev/simulated-gpus=true")
    except ApiError:
        return False  # those who may not see nodes need not know
    return bool(found.get("items"))
