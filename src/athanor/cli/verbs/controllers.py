"""athanor controllers: what a cluster's Deployment runs."""

from __future__ import annotations

import os
import socket

import click

from athanor.cli.failures import Failure
from athanor.cli.verb import verb
from athanor.cli.world import World


@verb(examples="athanor controllers --kubeconfig controllers.kubeconfig --listen 127.0.0.1:8080")
@click.option("--listen", default="", metavar="HOST:PORT", help="Answer probes and metrics there.")
@click.option("--in", "home", default="", metavar="NS",
              help="Where the lease lies [$ATHANOR_NAMESPACE or athanor-system].")  # fmt: skip
@click.option("--identity", default="", metavar="NAME",
              help="Who this replica is [$ATHANOR_IDENTITY or host and process].")  # fmt: skip
@click.option("--visibility", "visible", default="", metavar="HOST:PORT",
              help="Answer visibility.athanor.dev there, for the API server.")  # fmt: skip
@click.option("--service-port", default=443, metavar="PORT",
              help="The port of that one's Service [443].")  # fmt: skip
def command(
    world: World, listen: str, home: str, identity: str, visible: str, service_port: int
) -> None:
    """Run the controllers against a cluster; of several one leads.

    In a pod its service account is used, elsewhere the kubeconfig.
    """
    import logging

    from athanor.assembly import cluster, cluster_visibility
    from athanor.client import kubeconfig
    from athanor.kit import loop

    for option, said in (("--listen", listen), ("--visibility", visible)):
        host, _, port = said.rpartition(":")
        if said and not (host and port.isdecimal()):
            raise Failure(f"{option} {said!r}: wanted HOST:PORT, as in 0.0.0.0:8080")
    target = kubeconfig.in_cluster(os.environ)
    if target is None:
        target = kubeconfig.load(world.kubeconfig.split(os.pathsep)).target(world.context)
    where = home or os.environ.get("ATHANOR_NAMESPACE", "") or "athanor-system"
    place = cluster_visibility.Place(
        listen=visible, address=os.environ.get("ATHANOR_ADDRESS", ""), namespace=where,
        port=service_port,
    )  # fmt: skip
    seat = cluster.Seat(
        identity=identity or os.environ.get("ATHANOR_IDENTITY", "")
        or f"{socket.gethostname()}-{os.getpid()}",
        namespace=where, listen=listen, image=os.environ.get("ATHANOR_IMAGE", "host"),
        gateway=os.environ.get("ATHANOR_GATEWAY_URL", ""), visible=place if visible else None,
    )  # fmt: skip
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    loop.run(cluster.lead(target, seat))
