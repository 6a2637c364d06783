"""athanor events: what happened, to whom, how often."""

from __future__ import annotations

import click

from athanor.cli import show
from athanor.cli.verb import verb
from athanor.cli.world import World


@verb(namespace=True, output=True, examples="athanor events\nathanor events hello --warnings")
@click.argument("name", required=False, default="")
@click.option("-A", "--all-namespaces", "everywhere", is_flag=True, help="In all namespaces.")
@click.option("--warnings", is_flag=True, help="Only warnings.")
def command(world: World, name: str, everywhere: bool, warnings: bool) -> None:
    """Show what happened."""
    from athanor.api.meta import to_manifest

    found = world.client.events(about=name, everywhere=everywhere)
    if warnings:
        found = [event for event in found if event.type == "Warning"]
    if world.output not in ("table", "wide"):
        items = [{"apiVersion": "v1", "kind": "Event", **to_manifest(event)} for event in found]
        show.document(world, {"apiVersion": "v1", "kind": "List", "items": items})
        return
    if not found:
        show.note("nothing happened (events are kept for an hour)")
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
