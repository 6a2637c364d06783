"""athanor sweep: search for good parameters."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from athanor.cli import makers, show
from athanor.cli.complete import names_of
from athanor.cli.verb import verb
from athanor.cli.verbs.delete import confirm
from athanor.cli.world import World

if TYPE_CHECKING:
    from athanor.api.meta import JSON

EXAMPLES = """\
athanor sweep create lr --float lr=1e-5..1e-1:log --minimize loss -- jax -- python train.py
athanor sweep create net --int layers=1..8 --choice opt=adam,sgd --maximize acc --asha 5 -f job.yaml
athanor sweep trials lr
athanor sweep best lr -o json"""

_RANGE = re.compile(
    r"(?P<min>[-+.\deE]+)\.\.(?P<max>[-+.\deE]+)(?::(?:(?P<log>log)|step=(?P<step>[-+.\deE]+)))?"
)


@click.group(epilog=makers.epilog(EXAMPLES))
def command() -> None:
    """Search for good parameters."""


CREATE = """\
athanor sweep create lr --float lr=1e-5..1e-1:log --minimize loss -- jax -- python train.py
athanor sweep create net --int n=1..8:step=2 --choice opt=adam,sgd --maximize acc -f job.yaml"""


@verb(namespace=True, output=True, examples=CREATE)
@click.argument("name")
@click.argument("words", nargs=-1, metavar="-- [FRAMEWORK ... -- COMMAND]")
@click.option("-f", "--file", default="", metavar="FILE", help="What a trial is, as YAML.")
@click.option("--float", "floats", multiple=True, metavar="NAME=MIN..MAX[:log|:step=S]",
              help="A number; repeatable.")  # fmt: skip
@click.option("--int", "ints", multiple=True, metavar="NAME=MIN..MAX[:log|:step=S]",
              help="A whole number; repeatable.")  # fmt: skip
@click.option("--choice", "choices", multiple=True, metavar="NAME=A,B,C",
              help="One of some values; repeatable.")  # fmt: skip
@click.option("--minimize", default="", metavar="METRIC", help="The metric that should be small.")
@click.option("--maximize", default="", metavar="METRIC", help="The metric that should be large.")
@click.option("--algorithm", type=click.Choice(["TPE", "Random", "Grid"]), help="[TPE]")
@click.option("--seed", type=int, help="The same seed draws the same parameters [0].")
@click.option("--asha", type=int, metavar="STEPS", help="Stop trials early, after STEPS at least.")
@click.option("--trials", type=int, metavar="N", help="How many at most [20].")
@click.option("--parallel", type=int, metavar="N", help="How many at a time [4].")
@click.option("--gpu-hours", default="", metavar="H", help="What all may cost together.")
@click.option("--dry-run", is_flag=True, help="Print what would be created; needs no server.")
def create(
    world: World, name: str, words: tuple[str, ...], file: str, dry_run: bool, **asked: object
) -> None:
    """Make a sweep: ${parameters.NAME} in the command stands for a trial's value.

    The rest is what you would tell athanor submit. Trials report the metric with athanor_progress.
    """
    found = [_range("--float", "Float", text) for text in _texts(asked["floats"])]
    found += [_range("--int", "Int", text) for text in _texts(asked["ints"])]
    found += [_choice(text) for text in _texts(asked["choices"])]
    if not found:
        raise click.UsageError("say what to search: --float, --int or --choice")
    small, large = asked["minimize"], asked["maximize"]
    if bool(small) == bool(large):
        raise click.UsageError("say what is best: --minimize METRIC or --maximize METRIC")
    spec: JSON = {
        "parameters": found,
        "objective": {"metric": small or large, "goal": "Minimize" if small else "Maximize"},
    }
    algorithm = {"name": asked["algorithm"], "seed": asked["seed"]}
    if chosen := {key: value for key, value in algorithm.items() if value is not None}:
        spec["algorithm"] = chosen
    if asked["asha"] is not None:
        spec["earlyStop"] = {"name": "ASHA", "minSteps": asked["asha"]}
    limits = {"maxTrials": asked["trials"], "parallelism": asked["parallel"]}
    spec |= {field: value for field, value in limits.items() if value is not None}
    if asked["gpu_hours"]:
        spec["budget"] = {"gpuHours": asked["gpu_hours"]}
    spec["template"] = makers.template(world, file, words)
    makers.create(world, makers.kind_of("sweeps"), name, spec, dry_run=dry_run)


@verb(namespace=True, output=True, examples="athanor sweep list\nathanor sweep list -A -o wide")
@click.option("-A", "--all-namespaces", "everywhere", is_flag=True, help="In all namespaces.")
def list_(world: World, everywhere: bool) -> None:
    """List sweeps, how far they are and the best so far."""
    makers.listed(world, makers.kind_of("sweeps"), everywhere=everywhere)


@verb(namespace=True, output=True, examples="athanor sweep get lr -o yaml")
@click.argument("name", shell_complete=names_of("sweeps"))
def get(world: World, name: str) -> None:
    """Show one sweep."""
    makers.listed(world, makers.kind_of("sweeps"), name)


@verb(
    namespace=True, output=True, examples="athanor sweep trials lr\nathanor sweep trials lr -o json"
)
@click.argument("name", shell_complete=names_of("sweeps"))
@click.option("--best", "first", is_flag=True, help="The best ones first.")
def trials(world: World, name: str, first: bool) -> None:
    """List the trials of a sweep with their parameters."""
    sweep = world.client.get(makers.kind_of("sweeps"), name)
    rows: list[JSON] = sweep.get("status", {}).get("trials", [])
    if first:
        sign = 1 if sweep["spec"]["objective"].get("goal", "Minimize") == "Minimize" else -1
        rows = sorted(rows, key=lambda row: (row.get("value") is None, sign * row.get("value", 0)))
    if world.output in ("json", "yaml"):
        show.document(world, {"trials": rows})
        return
    if not rows:
        said = sweep.get("status", {}).get("message")
        show.note(f"no trials of sweep {name}" + (f": {said}" if said else " yet"))
        return
    names = [parameter["name"] for parameter in sweep["spec"]["parameters"]]
    metric = sweep["spec"]["objective"]["metric"]
    head = ["TRIAL", "STATE", metric.upper(), "STEP", *(n.upper() for n in names), "MESSAGE"]
    cells = [
        [
            f"{name}-{row['number']}", row.get("state", "Running"), _number(row.get("value")),
            _number(row.get("step")),
            *(_number(row.get("parameters", {}).get(n)) for n in names), row.get("message") or "-",
        ]
        for row in rows
    ]  # fmt: skip
    show.rows(head, cells)


@verb(namespace=True, output=True, examples="athanor sweep best lr\nathanor sweep best lr -o json")
@click.argument("name", shell_complete=names_of("sweeps"))
def best(world: World, name: str) -> int:
    """Show the parameters of the best trial so far; exit code 1 when there is none yet."""
    sweep = world.client.get(makers.kind_of("sweeps"), name)
    found = sweep.get("status", {}).get("best")
    if found is None:
        show.note(f"no trial of sweep {name} has succeeded yet; athanor sweep trials {name}")
        return 1
    if world.output in ("json", "yaml"):
        show.document(world, found)
        return 0
    show.line(f"{found['trial']}: {sweep['spec']['objective']['metric']} {found['value']:g}")
    for parameter, value in found.get("parameters", {}).items():
        show.line(f"  {parameter} = {_number(value)}")
    return 0


@verb(namespace=True, examples="athanor sweep suspend lr")
@click.argument(
    "names", nargs=-1, required=True, metavar="NAME...", shell_complete=names_of("sweeps")
)
def suspend(world: World, names: tuple[str, ...]) -> int:
    """Stop the trials and give their hardware back."""
    return _set(world, names, True)


@verb(namespace=True, examples="athanor sweep resume lr")
@click.argument(
    "names", nargs=-1, required=True, metavar="NAME...", shell_complete=names_of("sweeps")
)
def resume(world: World, names: tuple[str, ...]) -> int:
    """Let the trials go on."""
    return _set(world, names, False)


@verb(namespace=True, examples="athanor sweep delete lr --yes")
@click.argument(
    "names", nargs=-1, required=True, metavar="NAME...", shell_complete=names_of("sweeps")
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def delete(world: World, names: tuple[str, ...], yes: bool) -> int:
    """Delete sweeps with all their trials."""
    if not yes:
        confirm(f"delete {', '.join(names)} with all trials?")
    return makers.removed(world, makers.kind_of("sweeps"), names)


for _name, _verb in {
    "create": create, "list": list_, "get": get, "trials": trials, "best": best,
    "suspend": suspend, "resume": resume, "delete": delete,
}.items():  # fmt: skip
    command.add_command(_verb, _name)


def _set(world: World, names: tuple[str, ...], to: bool) -> int:
    said = "is being suspended" if to else "goes on"
    kind = makers.kind_of("sweeps")
    return makers.patched(world, kind, names, {"suspend": to}, said, "Succeeded", "Failed")


def _texts(given: object) -> list[str]:
    return [str(text) for text in given] if isinstance(given, tuple) else []


def _range(option: str, type_: str, text: str) -> JSON:
    name, _, said = text.partition("=")
    found = _RANGE.fullmatch(said)
    try:
        if not name or found is None:
            raise ValueError
        made: JSON = {"name": name, "type": type_}
        read = int if type_ == "Int" else float
        made |= {key: read(found[key]) for key in ("min", "max", "step") if found[key]}
    except ValueError:
        raise click.UsageError(
            f"{option} {text!r}: write NAME=MIN..MAX, for instance lr=1e-5..1e-1:log, n=1..8"
        ) from None
    return made | ({"log": True} if found["log"] else {})


def _choice(text: str) -> JSON:
    name, _, said = text.partition("=")
    values = [int(one) if re.fullmatch(r"-?\d+", one) else one for one in said.split(",") if one]
    if not name or not values:
        raise click.UsageError(f"--choice {text!r}: write NAME=A,B,C")
    return {"name": name, "type": "Choice", "choices": values}


def _number(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
