"""athanor flow: workflows, steps of any kind in an order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from athanor.cli import makers, show
from athanor.cli.complete import names_of
from athanor.cli.failures import each
from athanor.cli.verb import verb
from athanor.cli.verbs.delete import confirm
from athanor.cli.world import World

if TYPE_CHECKING:
    from athanor.api.meta import JSON

EXAMPLES = """\
athanor flow run -f flow.yaml -p env=test
athanor flow steps nightly
athanor flow resume nightly"""


@click.group(epilog=makers.epilog(EXAMPLES))
def command() -> None:
    """Run steps in an order: workflows."""


@verb(namespace=True, output=True, examples="athanor flow run -f flow.yaml -p env=test --name try")
@click.option("-f", "--file", required=True, metavar="FILE", help="The Workflow, as YAML.")
@click.option("-p", "--parameter", "given", multiple=True, metavar="NAME=VALUE",
              help="Value of a parameter; repeatable.")  # fmt: skip
@click.option("--name", default="", help="Name of this run [that of the file].")
@click.option("--dry-run", is_flag=True, help="Print what would be created; needs no server.")
def run(world: World, file: str, given: tuple[str, ...], name: str, dry_run: bool) -> None:
    """Create a workflow from a file, with parameters of your own."""
    from athanor.cli.verbs.submit import pairs

    wanted = makers.document(file)
    if wanted.get("kind") != "Workflow":
        raise click.UsageError(f"{file} holds a {wanted.get('kind')}, not a Workflow")
    spec, meta = wanted.get("spec") or {}, wanted.get("metadata") or {}
    values = pairs("--parameter", given)
    parameters: list[JSON] = spec.get("parameters") or []
    unknown = values.keys() - {parameter.get("name") for parameter in parameters}
    if unknown:
        there = ", ".join(str(parameter.get("name")) for parameter in parameters) or "none"
        raise click.UsageError(f"{file} has no parameter {min(unknown)!r}; there are {there}")
    filled = [{**p, "value": values.get(p["name"], p.get("value", ""))} for p in parameters]
    spec = {**spec, "parameters": filled} if filled else spec
    where = world.namespace or meta.get("namespace") or "default"
    called = name or meta.get("name")
    if not called:
        raise click.UsageError(f"{file} has no metadata.name; say --name")
    whole = {**wanted, "metadata": {**meta, "name": called, "namespace": where}, "spec": spec}
    makers.created(world, makers.kind_of("workflows"), whole, dry_run=dry_run)


@verb(namespace=True, output=True, examples="athanor flow list\nathanor flow list -A -o wide")
@click.option("-A", "--all-namespaces", "everywhere", is_flag=True, help="In all namespaces.")
def list_(world: World, everywhere: bool) -> None:
    """List workflows and how far they are."""
    makers.listed(world, makers.kind_of("workflows"), everywhere=everywhere)


@verb(namespace=True, output=True, examples="athanor flow get nightly -o yaml")
@click.argument("name", shell_complete=names_of("workflows"))
def get(world: World, name: str) -> None:
    """Show one workflow."""
    makers.listed(world, makers.kind_of("workflows"), name)


@verb(namespace=True, output=True, examples="athanor flow steps nightly")
@click.argument("name", shell_complete=names_of("workflows"))
def steps(world: World, name: str) -> None:
    """List the steps of a workflow, their objects and why they are as they are."""
    flow = world.client.get(makers.kind_of("workflows"), name)
    rows: list[JSON] = flow.get("status", {}).get("steps", [])
    if world.output in ("json", "yaml"):
        show.document(world, {"steps": rows})
        return
    begun = {row["name"] for row in rows}
    order = [*flow["spec"]["steps"], *filter(None, [flow["spec"].get("onExit")])]
    cells: list[list[str]] = []
    for step in order:
        if step["name"] not in begun:
            cells.append([step["name"], "Waiting", "-", "0", "-"])
        cells += [_row(row) for row in rows if row["name"] == step["name"]]
    show.rows(["STEP", "PHASE", "OBJECT", "ATTEMPT", "MESSAGE"], cells)


@verb(namespace=True, examples="athanor flow resume nightly")
@click.argument(
    "names", nargs=-1, required=True, metavar="NAME...", shell_complete=names_of("workflows")
)
def resume(world: World, names: tuple[str, ...]) -> int:
    """Let a suspended workflow go on, or a failed one from its failed steps."""
    kind = makers.kind_of("workflows")

    def go_on(name: str) -> None:
        spec = makers.unended(world, kind, name, "Succeeded")["spec"]
        body = {"spec": {"suspend": False}}
        if not spec.get("suspend"):
            body = {"spec": {"resumes": spec.get("resumes", 0) + 1}}
        world.client.patch(kind, name, body)
        show.line(f"workflow {name} goes on")

    return each(names, go_on)


@verb(namespace=True, examples="athanor flow suspend nightly")
@click.argument(
    "names", nargs=-1, required=True, metavar="NAME...", shell_complete=names_of("workflows")
)
def suspend(world: World, names: tuple[str, ...]) -> int:
    """Stop what runs and start nothing new; resume goes on."""
    kind, said = makers.kind_of("workflows"), "is being suspended"
    return makers.patched(world, kind, names, {"suspend": True}, said, "Succeeded", "Failed")


@verb(namespace=True, examples="athanor flow delete nightly --yes")
@click.argument(
    "names", nargs=-1, required=True, metavar="NAME...", shell_complete=names_of("workflows")
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def delete(world: World, names: tuple[str, ...], yes: bool) -> int:
    """Delete workflows with all that they made."""
    if not yes:
        confirm(f"delete {', '.join(names)} with all steps?")
    return makers.removed(world, makers.kind_of("workflows"), names)


for _name, _verb in {
    "run": run, "list": list_, "get": get, "steps": steps, "suspend": suspend, "resume": resume,
    "delete": delete,
}.items():  # fmt: skip
    command.add_command(_verb, _name)


def _row(row: JSON) -> list[str]:
    name = row["name"] if "index" not in row else f"{row['name']}[{row['index']}]"
    phase, attempt = row.get("phase", "Waiting"), str(row.get("attempt", 0))
    return [name, phase, row.get("object") or "-", attempt, row.get("message") or "-"]
