"""athanor gateway: what a cluster's second Deployment runs."""

from __future__ import annotations

import os
from pathlib import Path

import click

from athanor.cli.failures import Failure
from athanor.cli.verb import verb
from athanor.cli.world import World


@verb(examples="athanor gateway --kubeconfig gateway.kubeconfig --listen 127.0.0.1:8443")
@click.option("--listen", default="0.0.0.0:8443", show_default=True, metavar="HOST:PORT")
@click.option("--keep", default="/var/lib/athanor", show_default=True, metavar="DIR",
              help="Where logs and code are kept.")  # fmt: skip
@click.option("--url", default="", metavar="URL",
              help="How browsers reach it, for workspaces [$ATHANOR_GATEWAY_URL].")  # fmt: skip
@click.option("--in", "home", default="", metavar="NS",
              help="Its namespace [$ATHANOR_NAMESPACE or athanor-system].")  # fmt: skip
@click.option("--service-port", default=443, metavar="PORT", help="The Service's port [443].")
def command(world: World, listen: str, keep: str, url: str, home: str, service_port: int) -> None:
    """Run the gateway against a cluster: logs of pods that are gone, uploads, workspaces.

    In a pod its service account is used, elsewhere the kubeconfig.
    """
    import logging

    from athanor.assembly import cluster_gateway
    from athanor.client import kubeconfig
    from athanor.kit import loop

    host, _, port = listen.rpartition(":")
    if not (host and port.isdecimal()):
        raise Failure(f"--listen {listen!r}: wanted HOST:PORT, as in 0.0.0.0:8443")
    target = kubeconfig.in_cluster(os.environ)
    if target is None:
        target = kubeconfig.load(world.kubeconfig.split(os.pathsep)).target(world.context)
    seat = cluster_gateway.Seat(
        namespace=home or os.environ.get("ATHANOR_NAMESPACE", "") or "athanor-system",
        listen=listen, data=Path(keep), port=service_port,
        url=url or os.environ.get("ATHANOR_GATEWAY_URL", ""),
    )  # fmt: skip
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    loop.run(cluster_gateway.serve(target, seat))
