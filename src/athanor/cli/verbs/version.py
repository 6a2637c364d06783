"""athanor version: of this client and of the server it talks to."""

from __future__ import annotations

import platform
from importlib.metadata import version

import click

from athanor.cli import show
from athanor.cli.failures import Failure
from athanor.cli.verb import verb
from athanor.cli.world import World


@verb(examples="athanor version\nathanor version --client")
@click.option("--client", "only_client", is_flag=True, help="Do not ask the server.")
def command(world: World, only_client: bool) -> None:
    """Show the versions of client and server."""
    from athanor.wire.status import ApiError

    show.line(f"client  athanor {version('athanor')}, Python {platform.python_version()}")
    if only_client:
        return
    try:
        server = world.client.version()
    except (ApiError, Failure) as away:
        show.line(f"server  none answers ({away})")
        return
    show.line(f"server  {server.get('gitVersion', '?')} at {world.kubeconfig}")
