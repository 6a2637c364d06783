"""athanor install: the same platform on a Kubernetes cluster."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from athanor.cli import show
from athanor.cli.failures import Failure
from athanor.cli.verb import verb
from athanor.cli.world import World

if TYPE_CHECKING:
    from athanor.assembly.install.parts import Wishes

EXAMPLES = """\
athanor install --dry-run > athanor.yaml
athanor install --context production --image registry.example/athanor:1.0
athanor install --image registry.example/athanor:1.1   # again: an upgrade"""


@verb(examples=EXAMPLES)
@click.option("--image", default="athanor:latest", metavar="REF", show_default=True,
              help="The controllers' image; deploy/Containerfile makes one.")  # fmt: skip
@click.option("--in", "home", default="athanor-system", metavar="NS", show_default=True,
              help="The controllers' namespace.")  # fmt: skip
@click.option("--replicas", default=2, show_default=True, type=click.IntRange(1, 9),
              help="How many controllers; one works, the others stand by.")  # fmt: skip
@click.option("--pull-policy", default="IfNotPresent", show_default=True,
              type=click.Choice(["Always", "IfNotPresent", "Never"]))  # fmt: skip
@click.option(
    "--gateway-url",
    default="",
    metavar="URL",
    help="How browsers reach the gateway, for workspaces (its Service, by an Ingress).",
)
@click.option(
    "--storage",
    default="20Gi",
    show_default=True,
    metavar="SIZE",
    help="What the gateway's claim asks for: logs of pods that are gone, code.",
)
@click.option(
    "--api-port",
    default=6443,
    show_default=True,
    type=click.IntRange(1, 65535),
    help="Where the API server itself listens (microk8s: 16443): the NetworkPolicies let it pass.",
)
@click.option("--dashboard", is_flag=True, help="Also a dashboard, for Grafana's sidecar.")
@click.option("--rules", is_flag=True, help="Also alert rules for the Prometheus operator.")
@click.option("--dry-run", is_flag=True, help="Print the objects instead; needs no server.")
@click.option("--downgrade", is_flag=True, help="Go back to an older version than is installed.")
@click.option("--wait", "within", default=120, metavar="S", show_default=True,
              help="Wait for the controllers to run (0: do not).")  # fmt: skip
def command(world: World, image: str, home: str, dry_run: bool, downgrade: bool, within: int,
            **asked: Any) -> None:  # fmt: skip
    """Install on a Kubernetes cluster, or upgrade there.

    Applies every object server-side; nothing that people made is touched.
    """
    from importlib.metadata import version

    from athanor.assembly.install.manifests import manifests
    from athanor.assembly.install.parts import Wishes

    _check(str(asked["storage"]), str(asked["gateway_url"]))
    wishes = Wishes(image=image, namespace=home, version=version("athanor"), **asked)
    if dry_run:
        sys.stdout.write("".join(f"---\n{show.yaml_text(m)}" for m in manifests(wishes)))
        return
    _install(world, wishes, within=within, downgrade=downgrade)
    show.note("give it nodes: kubectl label node NAME athanor.dev/pool=default")
    show.note("then: athanor submit generic -- hostname")


def _check(storage: str, url: str) -> None:
    """Refuses what the cluster would only find wrong halfway, or never. Raises UsageError."""
    from athanor.kit.quantity import QuantityError, parse

    try:
        enough = parse(storage).nano > 0
    except QuantityError as wrong:
        raise click.UsageError(f"--storage {wrong}") from None
    if not enough:
        raise click.UsageError(f"--storage {storage}: write a size above 0, for instance 20Gi")
    if url and not url.startswith("https://"):
        raise click.UsageError(f"--gateway-url {url}: write https://, for instance "
                               "https://athanor.example")  # fmt: skip


def _install(world: World, wanted: Wishes, *, within: int, downgrade: bool) -> None:
    from athanor.assembly.install import apply
    from athanor.kit import loop
    from athanor.kit.clock import SystemClock

    async def work() -> bool:
        async with apply.connected(world.kubeconfig, world.context) as client:
            await apply.install(client, wanted, told, downgrade=downgrade)
            return not within or await apply.available(client, wanted, SystemClock(), within)

    try:
        if not loop.run(work()):
            raise Failure(
                f"the controllers did not run within {within} s",
                hint=f"kubectl -n {wanted.namespace} describe pods",
            )
    except apply.Refused as refused:
        raise Failure(str(refused), hint="nothing was changed") from None


def told(what: str, became: str) -> None:
    """Say what became of an object."""
    show.line(f"{what} {became}")
