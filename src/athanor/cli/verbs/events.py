"""athanor events: what happened, to whom, how often."""

from __future__ import annotations

import click

from athanor.cli import show
from athanor.cli.complete import names_of
from athanor.cli.verb import verb
from athanor.cli.verbs.get import resource_of
from athanor.cli.world import World


@verb(
    namespace=True,
    output=True,
    examples="athanor events\nathanor events hello --warnings\nathanor events pod/hello-worker-0",
)
@click.argument("name", required=False, default="", metavar="[[KIND/]NAME]",
                shell_complete=names_of("trainingjobs"))  # fmt: skip
@click.option("-A", "--all-namespaces", "everywhere", is_flag=True, help="In all namespaces.")
@click.option("--warnings", is_flag=True, help="Only warnings.")
@click.option("--earlier", is_flag=True, help="Also of objects that had the name before.")
def command(world: World, name: str, everywhere: bool, warnings: bool, earlier: bool) -> None:
    """Show what happened.

    With the name of a job (gang, workspace, Job, pod …) to it, its gang and its pods; with the
    kind, too, to that object alone.
    """
    from athanor.api.meta import to_manifest

    kind, slash, name = name.rpartition("/")
    if slash and not name:
        raise click.UsageError(f"{kind}/: write KIND/NAME")
    if earlier and not name:
        raise click.UsageError("--earlier goes with a NAME; without one all events are shown")
    about = resource_of(kind) if slash else None
    found = world.client.events(about=name, kind=about, earlier=earlier, everywhere=everywhere)
    if warnings:
        found = [event for event in found if event.type == "Warning"]
    if world.output not in ("table", "wide"):
        items = [{"apiVersion": "v1", "kind": "Event", **to_manifest(event)} for event in found]
        show.document(world, {"apiVersion": "v1", "kind": "List", "items": items})
        return
    if not found:
        what = "warnings" if warnings else "events"
        of = f" of {name}" if name else ""
        show.nothing(world, what + of, "they are kept for an hour", everywhere=everywhere)
        return
    rows = [
        [
            show.age(world, event.last_timestamp or event.event_time),
            event.type,
            event.reason,
            f"{event.involved_object.kind.lower()}/{event.involved_object.name}",
            f"{event.message}{f' (×{event.count})' if event.count > 1 else ''}",
        ]
        for event in found
    ]
    show.rows(["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"], rows)
