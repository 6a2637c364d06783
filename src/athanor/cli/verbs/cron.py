"""athanor cron: anything that comes to an end, on a schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from athanor.cli import makers, show
from athanor.cli.complete import names_of
from athanor.cli.verb import verb
from athanor.cli.verbs.delete import confirm
from athanor.cli.world import World

if TYPE_CHECKING:
    from athanor.api.meta import JSON
    from athanor.kit.schedule import Schedule

EXAMPLES = """\
athanor cron create nightly '30 2 * * *' --time-zone Europe/Berlin -- jax -- python train.py
athanor cron next '0 9 * * 1-5' --time-zone America/New_York
athanor cron list
athanor cron run nightly
athanor cron suspend nightly"""

FIELDS = {
    "time_zone": "timeZone", "concurrency": "concurrencyPolicy", "catch_up": "catchUp",
    "deadline": "startingDeadlineSeconds", "suspended": "suspend",
}  # fmt: skip
LIMITS = {"keep": "successfulHistoryLimit", "keep_failed": "failedHistoryLimit"}
"""Options of `create` → fields of the spec."""


@click.group(epilog=makers.epilog(EXAMPLES))
def command() -> None:
    """Run jobs on a schedule."""


@verb(
    namespace=True,
    output=True,
    examples="athanor cron create nightly '30 2 * * *' -- jax --workers 2 -- python train.py\n"
    "athanor cron create weekly @weekly --concurrency Forbid -f job.yaml",
)
@click.argument("name")
@click.argument("schedule")
@click.argument("words", nargs=-1, metavar="-- [FRAMEWORK ... -- COMMAND]")
@click.option("-f", "--file", default="", metavar="FILE", help="What to make, as YAML.")
@click.option("--time-zone", default="", metavar="ZONE", help="For instance Europe/Berlin [UTC].")
@click.option("--concurrency", type=click.Choice(["Allow", "Forbid", "Replace"]),
              help="What to do while the last one still runs [Allow].")  # fmt: skip
@click.option("--catch-up", type=click.Choice(["Latest", "All", "None"]),
              help="Which missed times are made up for [Latest].")  # fmt: skip
@click.option("--deadline", metavar="TIME", callback=makers.seconds,
              help="How late one may start, for instance 10m.")  # fmt: skip
@click.option("--keep", type=int, metavar="N", help="How many that succeeded are kept [3].")
@click.option("--keep-failed", type=int, metavar="N", help="How many that failed are kept [1].")
@click.option("--suspended", is_flag=True, help="Create it, but start nothing yet.")
@click.option("--dry-run", is_flag=True, help="Print what would be created; needs no server.")
def create(
    world: World, name: str, schedule: str, words: tuple[str, ...], file: str, dry_run: bool,
    **asked: object,
) -> None:  # fmt: skip
    """Make a cron: what you would tell athanor submit, on a schedule."""
    _read(schedule, str(asked["time_zone"]))
    spec: JSON = {"schedule": schedule}
    spec |= {field: asked[option] for option, field in FIELDS.items() if asked[option]}
    spec |= {field: asked[o] for o, field in LIMITS.items() if asked[o] is not None}
    spec["template"] = makers.template(world, file, words)
    makers.create(world, makers.kind_of("crons"), name, spec, dry_run=dry_run)


@verb(namespace=True, output=True, examples="athanor cron list\nathanor cron list -A -o wide")
@click.option("-A", "--all-namespaces", "everywhere", is_flag=True, help="In all namespaces.")
def list_(world: World, everywhere: bool) -> None:
    """List crons, when they are due next and what runs."""
    makers.listed(world, makers.kind_of("crons"), everywhere=everywhere)


@verb(namespace=True, output=True, examples="athanor cron get nightly -o yaml")
@click.argument("name", shell_complete=names_of("crons"))
def get(world: World, name: str) -> None:
    """Show one cron."""
    makers.listed(world, makers.kind_of("crons"), name)


@verb(
    namespace=True,
    output=True,
    examples="athanor cron next '30 2 * * *' --time-zone Europe/Berlin --count 3\n"
    "athanor cron next nightly              # of a cron that is there",
)
@click.argument("schedule", metavar="SCHEDULE|NAME")
@click.option("--time-zone", default="", metavar="ZONE", help="For instance Europe/Berlin [UTC].")
@click.option("--count", default=5, show_default=True, help="How many times.")
def next_(world: World, schedule: str, time_zone: str, count: int) -> None:
    """Show when a schedule, or a cron, is due; a schedule needs no server."""
    from datetime import UTC, datetime
    from itertools import islice
    from zoneinfo import ZoneInfo

    if _is_name(schedule):
        spec = world.client.get(makers.kind_of("crons"), schedule)["spec"]
        schedule, time_zone = spec["schedule"], time_zone or spec.get("timeZone", "")
    times = _read(schedule, time_zone).times(world.clock.now())
    zone = ZoneInfo(time_zone) if time_zone else UTC
    found = [datetime.fromtimestamp(moment, zone) for moment in islice(times, count)]
    if world.output in ("json", "yaml"):
        show.document(world, {"times": [moment.isoformat() for moment in found]})
        return
    for moment in found:
        show.line(moment.strftime("%a %Y-%m-%d %H:%M %Z"))


@verb(namespace=True, output=True, examples="athanor cron run nightly")
@click.argument("name", shell_complete=names_of("crons"))
def run(world: World, name: str) -> None:
    """Make one now, besides the schedule."""
    from athanor.api.labels import CRON
    from athanor.kit.ids import RandomIds

    kind = makers.kind_of("crons")
    cron = world.client.get(kind, name)
    given, meta = cron["spec"]["template"], cron["metadata"]
    made = makers.kind_of(given.get("kind", "TrainingJob"))
    about = given.get("metadata") or {}
    owner = {"apiVersion": kind.api_version, "kind": kind.kind, "name": name, "uid": meta["uid"]}
    wanted = {
        "metadata": {
            "name": f"{name}-now-{RandomIds().suffix()}", "namespace": meta["namespace"],
            "labels": {**(about.get("labels") or {}), CRON: name},
            "annotations": about.get("annotations") or {},
            "ownerReferences": [{**owner, "controller": True, "blockOwnerDeletion": True}],
        },
        "spec": given.get("spec") or {},
    }  # fmt: skip
    job = world.client.create(made, wanted)
    if world.output in ("table", "wide"):
        show.line(f"{made.singular} {job['metadata']['name']} created")
    else:
        show.document(world, job)


@verb(namespace=True, examples="athanor cron suspend nightly")
@click.argument(
    "names", nargs=-1, required=True, metavar="NAME...", shell_complete=names_of("crons")
)
def suspend(world: World, names: tuple[str, ...]) -> int:
    """Start nothing any more; what runs goes on."""
    return _set(world, names, True)


@verb(namespace=True, examples="athanor cron resume nightly")
@click.argument(
    "names", nargs=-1, required=True, metavar="NAME...", shell_complete=names_of("crons")
)
def resume(world: World, names: tuple[str, ...]) -> int:
    """Follow the schedule again; missed times are made up for as --catch-up says."""
    return _set(world, names, False)


@verb(namespace=True, examples="athanor cron delete nightly --yes")
@click.argument(
    "names", nargs=-1, required=True, metavar="NAME...", shell_complete=names_of("crons")
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def delete(world: World, names: tuple[str, ...], yes: bool) -> int:
    """Delete crons with all that they made."""
    if not yes:
        confirm(f"delete {', '.join(names)} with all that they made?")
    return makers.removed(world, makers.kind_of("crons"), names)


for _name, _verb in {
    "create": create, "list": list_, "get": get, "next": next_, "run": run, "suspend": suspend,
    "resume": resume, "delete": delete,
}.items():  # fmt: skip
    command.add_command(_verb, _name)


def _set(world: World, names: tuple[str, ...], to: bool) -> int:
    said = "is suspended" if to else "follows its schedule"
    return makers.patched(world, makers.kind_of("crons"), names, {"suspend": to}, said)


def _is_name(word: str) -> bool:
    """Whether this is the name of a cron, not a schedule: those are five words, or @daily."""
    return bool(word) and " " not in word.strip() and not word.startswith("@")


def _read(expression: str, zone: str) -> Schedule:
    from athanor.kit.schedule import BadSchedule, schedule

    try:
        return schedule(expression, zone)
    except BadSchedule as wrong:
        option = "--time-zone: " if wrong.field == "timeZone" else ""
        raise click.UsageError(f"{option}{wrong}") from None
