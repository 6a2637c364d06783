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
    from athanor.api.meta import JSON
    from athanor.assembly.install.apply import Step

EXAMPLES = """\
athanor install --dry-run > athanor.yaml
athanor install --context production --image registry.example/athanor:1.0
athanor install --image registry.example/athanor:1.1   # again: an upgrade"""
SIZES = ("storage", "cpu", "memory", "memory_limit")
ASKED_WITHIN = 10.0
"""Seconds for an answer of the server that --dry-run asks."""


@verb(examples=EXAMPLES)
@click.option("--image", metavar="REF", show_default="athanor:latest",
              help="The controllers' image; deploy/Containerfile makes one.")  # fmt: skip
@click.option("--in", "home", default="athanor-system", metavar="NS", show_default=True,
              help="The controllers' namespace.")  # fmt: skip
@click.option("--replicas", show_default="2", type=click.IntRange(1, 9),
              help="How many controllers; one works, the others stand by.")  # fmt: skip
@click.option("--pull-policy", show_default="IfNotPresent",
              type=click.Choice(["Always", "IfNotPresent", "Never"]))  # fmt: skip
@click.option(
    "--gateway-url",
    metavar="URL",
    help="How browsers reach the gateway, for workspaces (its Service, by an Ingress).",
)
@click.option(
    "--storage",
    show_default="20Gi",
    metavar="SIZE",
    help="What the gateway's claim asks for: logs of pods that are gone, code.",
)
@click.option(
    "--api-port",
    show_default="6443",
    type=click.IntRange(1, 65535),
    help="Where the API server itself listens (microk8s: 16443): the NetworkPolicies let it pass.",
)
@click.option("--cpu", show_default="100m", metavar="AMOUNT",
              help="What each of the controllers requests.")  # fmt: skip
@click.option("--memory", show_default="128Mi", metavar="SIZE",
              help="The same; docs/cluster.md has measured figures.")  # fmt: skip
@click.option("--memory-limit", show_default="1Gi", metavar="SIZE",
              help="What each of them may use at most.")  # fmt: skip
@click.option("--dashboard/--no-dashboard", default=None,
              help="Also a dashboard, for Grafana's sidecar.")  # fmt: skip
@click.option("--rules/--no-rules", default=None,
              help="Also alert rules for the Prometheus operator.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Print the objects instead; needs no server.")
@click.option("--only", type=click.Choice(["definitions", "rest"]),
              help="With --dry-run: what kubectl applies first, and what after it.")  # fmt: skip
@click.option("--downgrade", is_flag=True, help="Go back to an older version than is installed.")
@click.option("--wait", "within", default=120, metavar="S", show_default=True,
              help="Wait for the controllers to run (0: do not).")  # fmt: skip
def command(world: World, dry_run: bool, only: str | None, within: int, downgrade: bool,
            **asked: Any) -> None:  # fmt: skip
    """Install on a Kubernetes cluster, or upgrade there.

    Applies every object server-side; nothing that people made is touched. What is not said stays as
    it was wished before, at first it is the default; --dry-run asks the cluster, too, if there is
    one.
    """
    if only and not dry_run:
        raise click.UsageError("--only goes with --dry-run: installing is both, in order")
    from importlib.metadata import version

    home, said = asked.pop("home"), {name: one for name, one in asked.items() if one is not None}
    _check(said)
    said["version"] = version("athanor")
    if dry_run:
        _print(world, home, said, only=only or "", downgrade=downgrade)
        return
    _install(world, home, said, within=within, downgrade=downgrade)
    show.note("give it nodes: kubectl label node NAME athanor.dev/pool=default")
    show.note("then: athanor submit generic -- hostname")


def _check(said: JSON) -> None:
    """Refuses what the cluster would only find wrong halfway, or never. Raises UsageError."""
    from athanor.kit.quantity import QuantityError, parse

    for name, size in ((name, said[name]) for name in SIZES if name in said):
        option = f"--{name.replace('_', '-')}"
        try:
            enough = parse(size).nano > 0
        except QuantityError as wrong:
            raise click.UsageError(f"{option} {wrong}") from None
        if not enough:
            raise click.UsageError(f"{option} {size}: write a size above 0, for instance 20Gi")
    url = said.get("gateway_url", "")
    if url and not url.startswith("https://"):
        raise click.UsageError(f"--gateway-url {url}: write https://, for instance "
                               "https://athanor.example")  # fmt: skip


def _print(world: World, home: str, said: JSON, *, only: str, downgrade: bool) -> None:
    from athanor.assembly.install.objects import Refused, title

    try:
        steps = _planned(world, home, said, downgrade=downgrade)
    except Refused as refused:
        raise Failure(str(refused)) from None
    for manifest, left, lacks in steps:
        is_definition = manifest["kind"] == "CustomResourceDefinition"
        if only and is_definition != (only == "definitions"):
            continue
        if left:
            show.note(f"{title(manifest)} {left}")
        else:
            sys.stdout.write(f"---\n{show.yaml_text(manifest)}")
        if lacks:
            show.note(f"{title(manifest)} {lacks}")


def _planned(world: World, home: str, said: JSON, *, downgrade: bool) -> list[Step]:
    """What an installation is on the cluster, or on any when none can be asked."""
    from athanor.assembly.install import apply, objects, wished
    from athanor.assembly.install.manifests import manifests
    from athanor.kit import loop
    from athanor.wire.status import ApiError

    async def work() -> list[Step]:
        to = apply.connected(world.kubeconfig, world.context, ASKED_WITHIN)
        async with to as client:
            return (await apply.plan(client, home, said, downgrade=downgrade))[1]

    try:
        return loop.run(work())
    except (ApiError, objects.NoCluster) as why:
        show.note(f"no cluster was asked what was wished before: {why}")
    wishes = wished.resolve({**said, "namespace": home}, {})
    return [apply.Step(manifest) for manifest in manifests(wishes)]


def _install(world: World, home: str, said: JSON, *, within: int, downgrade: bool) -> None:
    from athanor.assembly.install import apply, objects
    from athanor.kit import loop
    from athanor.kit.clock import SystemClock

    async def work() -> bool:
        async with apply.connected(world.kubeconfig, world.context) as client:
            wishes, steps = await apply.plan(client, home, said, downgrade=downgrade)
            await apply.install(client, wishes, steps, told)
            return not within or await apply.available(client, wishes, SystemClock(), within)

    try:
        if not loop.run(work()):
            raise Failure(
                f"the controllers did not run within {within} s",
                hint=f"kubectl -n {home} describe pods",
            )
    except objects.Refused as refused:
        raise Failure(str(refused), hint="nothing was changed") from None


def told(what: str, became: str) -> None:
    """Say what became of an object."""
    show.line(f"{what} {became}")
