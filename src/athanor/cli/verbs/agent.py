"""athanor agent: this machine as a node of a cluster."""

from __future__ import annotations

import os
from typing import Any

import click

from athanor.cli import show
from athanor.cli.failures import Failure
from athanor.cli.verb import verb
from athanor.cli.world import World

EXAMPLES = """\
athanor agent --kubeconfig node.kubeconfig
athanor agent --kubeconfig node.kubeconfig --node-name bench1 --allow-host-path /data
athanor agent --node-name bench1 --end      # end the pods that it left running"""


@verb(examples=EXAMPLES)
@click.option("--node-name", metavar="NAME", help="The node's name [this machine's].")
@click.option("--address", default="", help="Address of this machine [towards the API server].")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=10250, show_default=True,
    help="Where logs, exec and port-forward are served; 0 takes a free one.",
)  # fmt: skip
@click.option(
    "--client-ca", default="", metavar="FILE",
    help="Who vouches for the API server as a client [the kubeconfig's authority].",
)  # fmt: skip
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="Repeatable.")
@click.option(
    "--schedulable", is_flag=True,
    help="Let any pod come; without it the node is tainted athanor.dev/processes:NoSchedule.",
)  # fmt: skip
@click.option(
    "--isolation", type=click.Choice(["best", "process"]), default="best", show_default=True,
    help="How pods are kept apart: the strongest this machine can, or plain processes.",
)  # fmt: skip
@click.option("--network", default="10.88.0.0/16", metavar="CIDR", help="Addresses for pods.")
@click.option("--simulate-gpus", default="", metavar="NxMODEL", help="Pretend: 8xA100.")
@click.option(
    "--allow-host-path", "host_paths", multiple=True, metavar="DIR",
    help="Folders that pods may mount by hostPath [none]; repeatable.",
)  # fmt: skip
@click.option("--end", is_flag=True, help="End the pods that an earlier agent left running.")
def command(
    world: World, node_name: str | None, labels: tuple[str, ...], end: bool, **how: Any
) -> None:
    """Join a Kubernetes cluster as a node that runs processes.

    Needs no container runtime. Stays in the foreground; when it ends, its pods go on, as those of
    a kubelet do. What it keeps is in the data directory, under nodes/NAME.
    """
    import logging

    from athanor.assembly import joining
    from athanor.assembly.start import Trouble
    from athanor.client import kubeconfig
    from athanor.kit import loop

    name = node_name or joining.default_name()
    data = os.path.join(world.data, "nodes", name)
    if end:
        ended = joining.end(data)
        show.line(f"the pods of {name} were ended" if ended else f"nothing of {name} runs here")
        return
    wishes = joining.Wishes(data=data, name=name, labels=_labels(labels), **how)
    who = kubeconfig.reader(world.kubeconfig.split(os.pathsep), world.context)
    target = who()
    try:
        settings = joining.join(wishes, target)
    except Trouble as trouble:
        raise Failure(str(trouble), hint=trouble.hint) from None
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    show.line(f"node {name} at {settings.address} for {target.server}; Ctrl-C leaves its pods be")
    loop.run(joining.work(settings, who))


def _labels(said: tuple[str, ...]) -> dict[str, str]:
    for text in said:
        if "=" not in text:
            raise Failure(f"--label {text!r}: wanted KEY=VALUE")
    return dict(text.split("=", 1) for text in said)
