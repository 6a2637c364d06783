"""athanor version: of this client and of the server it talks to."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import version

import click

from athanor.cli import show
from athanor.cli.failures import Failure
from athanor.cli.verb import verb
from athanor.cli.world import World


@verb(output=True, examples="athanor version\nathanor version --client\nathanor version -o json")
@click.option("--client", "only_client", is_flag=True, help="Do not ask the server.")
def command(world: World, only_client: bool) -> None:
    """Show the versions of client and server."""
    from athanor.wire.status import ApiError

    client = {"athanor": version("athanor"), "python": platform.python_version()}
    server: Mapping[str, str] | None = None
    away = ""
    if not only_client:
        try:
            server = world.client.version()
        except (ApiError, Failure) as error:
            away = str(error)
    if world.output in ("json", "yaml"):
        show.document(world, {"client": client, "server": server})
        return
    show.line(f"client  athanor {client['athanor']}, Python {client['python']}")
    if server is not None:
        show.line(f"server  {server.get('gitVersion', '?')} at {world.kubeconfig}")
    elif not only_client:
        show.line(f"server  none answers ({away})")
