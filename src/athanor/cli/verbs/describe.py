"""athanor describe: everything about one object, and its events."""

from __future__ import annotations

import click

from athanor.cli import show
from athanor.cli.verb import verb
from athanor.cli.verbs.get import resource_of
from athanor.cli.world import World


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
    meta.pop("managedFields", None)
    show.line(f"{found.pop('kind', resource.kind)} {meta.pop('name')}")
    for key in ("apiVersion",):
        found.pop(key, None)
    text = show.yaml_text({**found, "metadata": meta})
    show.line(text.rstrip())
    about = world.client.events(about=name)
    if about:
        show.line("events:")
    for event in about:
        when = show.age(world, event.last_timestamp or event.event_time)
        show.line(f"  {when} ago  {event.type}  {event.reason}: {event.message}")
