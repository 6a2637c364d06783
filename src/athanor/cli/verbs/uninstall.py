"""athanor uninstall: take the platform off a Kubernetes cluster."""

from __future__ import annotations

import click

from athanor.cli.failures import Failure
from athanor.cli.verb import verb
from athanor.cli.world import World


@verb(examples="athanor uninstall\nathanor uninstall --delete-data --yes")
@click.option("--in", "home", default="athanor-system", metavar="NS", show_default=True,
              help="The controllers' namespace.")  # fmt: skip
@click.option(
    "--delete-data", is_flag=True, help="Also our kinds, with every job and queue, logs and code."
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def command(world: World, home: str, delete_data: bool, yes: bool) -> None:
    """Take the platform off a Kubernetes cluster.

    Jobs, queues and their definitions, the gateway's claim (logs, code) and what was wished of the
    installation stay unless --delete-data is given: installing again goes on where it stopped. A
    namespace that install did not make always stays.
    """
    from athanor.assembly.install import apply, objects, remove
    from athanor.assembly.install.parts import Wishes
    from athanor.cli.verbs.delete import confirm
    from athanor.cli.verbs.install import told
    from athanor.kit import loop

    if not yes:
        all_ = "the controllers AND every job, queue, result, log and uploaded code"
        what = all_ if delete_data else "controllers"
        confirm(f"remove {what} from the cluster?")

    wishes = Wishes(image="", namespace=home, dashboard=True, rules=True)

    async def work() -> None:
        async with apply.connected(world.kubeconfig, world.context) as client:
            await remove.uninstall(client, wishes, told, data=delete_data)

    try:
        loop.run(work())
    except objects.Refused as refused:
        raise Failure(str(refused)) from None
