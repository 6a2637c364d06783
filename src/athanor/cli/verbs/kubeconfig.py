"""athanor kubeconfig: for kubectl, your IDE, your operator."""

from __future__ import annotations

import os

import click

from athanor.cli import show
from athanor.cli.failures import NOT_FOUND, Failure
from athanor.cli.verb import verb
from athanor.cli.world import World


@verb(
    examples='athanor kubeconfig > ~/.kube/config\nexport KUBECONFIG="$(athanor kubeconfig --path)"'
)
@click.option("--path", is_flag=True, help="Only print where the file is.")
def command(world: World, path: bool) -> None:
    """Print the kubeconfig, for kubectl and others."""
    if not os.path.exists(world.kubeconfig):
        raise Failure(
            f"there is no kubeconfig at {world.kubeconfig}",
            hint="athanor up --detach makes one",
            code=NOT_FOUND,
        )
    if path:
        show.line(world.kubeconfig)
        return
    import yaml

    with open(world.kubeconfig, encoding="utf-8") as file:
        click.echo(show.yaml_text(yaml.safe_load(file)), nl=False)
