"""athanor describe: everything about one object, and its events."""

from __future__ import annotations

import click

from athanor.cli import show
from athanor.cli.verb import verb
from athanor.cli.verbs.get import resource_of
from athanor.cli.verbs.pool import simulated
from athanor.cli.world import World

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

HEAD = {
    "namespace": "namespace", "labels": "labels", "annotations": "annotations",
    "deletionTimestamp": "being deleted since", "finalizers": "finalizers",
}  # fmt: skip
"""What of the metadata a person reads, first of all, and how it is called."""


@verb(namespace=True, examples="athanor describe hello\nathanor describe node laptop")
@click.argument("words", nargs=-1, required=True, metavar="[KIND] NAME")
def command(world: World, words: tuple[str, ...]) -> None:
    """Show everything about one object, with its events."""
    if len(words) > 2:
        raise click.UsageError("describe takes a kind and a name, or just the name of a job")
    kind, name = words if len(words) == 2 else ("trainingjob", words[0])
    if len(words) == 1 and "/" in name:
        kind, _, name = name.partition("/")
    resource = resource_of(kind)
    found = dict(world.client.get(resource, name))
    meta = dict(found.pop("metadata", {}))
    notes = {k: v for k, v in (meta.get("annotations") or {}).items() if k != LAST_APPLIED}
    meta["annotations"] = notes
    show.line(f"{found.pop('kind', resource.kind)} {meta['name']}")
    found.pop("apiVersion", None)
    head = {heading: meta[key] for key, heading in HEAD.items() if meta.get(key)}
    if meta.get("creationTimestamp"):
        head["created"] = f"{show.age(world, meta['creationTimestamp'])} ago"
    if meta.get("ownerReferences"):
        head["part of"] = ", ".join(f"{o['kind']} {o['name']}" for o in meta["ownerReferences"])
    for part in (head, found):
        if part:
            show.line(show.yaml_text(part).rstrip())
    if "/gpu" in str(found) and simulated(world):
        show.line("the GPUs here are simulated")
    _events(world, name)


def _events(world: World, name: str) -> None:
    """What happened to an object and its namesakes (a job's gang)."""
    found = world.client.events(about=name)
    about = [event for event in found if event.involved_object.name == name]
    if about:
        show.line("events:")
    for event in about:
        age = show.age(world, event.last_timestamp or event.event_time)
        show.line(f"  {age} ago  {event.type}  {event.reason}: {event.message}")
