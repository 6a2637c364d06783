"""athanor up: the API server, controllers and node agent, on this machine."""

from __future__ import annotations

import os
import sys
import tempfile
from typing import TYPE_CHECKING, Any

import click

from athanor.cli import show
from athanor.cli.failures import Failure
from athanor.cli.verb import verb
from athanor.cli.world import World

if TYPE_CHECKING:
    import subprocess

EXAMPLES = """\
athanor up
athanor up --detach
athanor up --detach --simulate-gpus 8xA100
athanor up --listen 192.168.1.20            # a workstation that teammates reach"""


@verb(examples=EXAMPLES)
@click.option("-d", "--detach", is_flag=True, help="In the background; returns when all is ready.")
@click.option("--in-process", is_flag=True, help="Server, controllers and agent in one process.")
@click.option("--simulate-gpus", default="", metavar="NxMODEL", help="Pretend: 8xA100.")
@click.option("--listen", default="", metavar="ADDRESS", help="Also on this address [loopback].")
@click.option("--port", type=click.IntRange(0, 65535), help="Port [7443]; 0 takes a free one.")
@click.option(
    "--isolation", type=click.Choice(["best", "process"]), default="best", show_default=True,
    help="How pods are kept apart: the strongest this machine can, or plain processes.",
)  # fmt: skip
@click.option("--egress/--no-egress", default=True, help="Whether pods reach other machines.")
@click.option(
    "--allow-host-path", "host_paths", multiple=True, metavar="DIR",
    help="Folders that pods may mount by hostPath [those you can write]; repeatable.",
)  # fmt: skip
def command(world: World, detach: bool, **how: Any) -> int:
    """Start the platform on this machine.

    Everything it keeps is in the data directory (--data, ~/.athanor). Without --detach it stays in
    the foreground and shows how it is; Ctrl-C ends it and the pods with it.
    """
    from athanor.assembly import start
    from athanor.kit.clock import SystemClock

    clock = SystemClock()
    paths = how.pop("host_paths") or _host_paths()
    wishes = start.Wishes(data=world.data, host_paths=tuple(paths), **how)
    try:
        prepared = start.prepare(wishes, clock)
        if not detach:
            show.line(f"starting in {world.data} at {prepared.server}; Ctrl-C ends it")
            if not sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
                start.foreground(prepared)
            return _live(world, start.beside(prepared))
        running = start.detach(prepared, clock)
    except start.Trouble as trouble:
        raise Failure(str(trouble), hint=trouble.hint) from None
    show.line(f"athanor is up at {running.server} after {running.seconds:.1f}s")
    if running.found:
        show.note(f"  found    {running.found}")
    show.note(f"  data     {world.data}")
    show.note(f"  kubectl  export KUBECONFIG={world.data}/admin.kubeconfig")
    show.note("  try      athanor submit generic --name hello -- python -c \"print('hi')\"")
    return 0


def _live(world: World, watchman: subprocess.Popen[bytes]) -> int:
    from athanor.cli import live

    code = live.follow(world, watchman)
    if code:
        raise Failure(f"the platform ended: {live.log_line(world)}", hint="see its logs folder")
    show.line("athanor is down")
    return code


def _host_paths() -> tuple[str, ...]:
    """Pods of an ordinary user may mount whatever that user may; those of root, places for data."""
    if os.geteuid() != 0:
        return ("/",)
    usual = ("/home", "/data", "/mnt", "/scratch", "/srv", tempfile.gettempdir())
    here = [path for path in (os.path.expanduser("~"), os.getcwd()) if path != "/"]
    return (*(path for path in usual if os.path.isdir(path)), *here)
