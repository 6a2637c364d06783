"""athanor workspace: development environments that stop when nobody uses them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from athanor.cli import makers, show
from athanor.cli.complete import names_of
from athanor.cli.failures import FAILED, Failure, each
from athanor.cli.verb import verb
from athanor.cli.verbs.delete import confirm
from athanor.cli.world import World

if TYPE_CHECKING:
    from athanor.api.meta import JSON

EXAMPLES = """\
athanor workspace create lab --gpus 1 --idle-stop 2h
athanor workspace open lab
athanor workspace list
athanor workspace stop lab
athanor workspace start lab"""


@click.group(epilog=makers.epilog(EXAMPLES))
def command() -> None:
    """Development environments that stop when nobody uses them."""


CREATE = """\
athanor workspace create lab --venv .venv --gpus 0.5 --memory 16Gi
athanor workspace create app --app command -- python -m http.server"""


@verb(namespace=True, output=True, examples=CREATE)
@click.argument("name")
@click.argument("words", nargs=-1, metavar="[-- COMMAND [ARGS]...]")
@click.option("--app", type=click.Choice(["jupyter", "code-server", "command"]), default="jupyter",
              show_default=True, help="What runs.")  # fmt: skip
@click.option("--gpus", default="", metavar="N", help="GPUs: 1, 2, or a share such as 0.5.")
@click.option("--cpu", default="1", show_default=True, help="Cores.")
@click.option("--memory", default="", help="Memory, for instance 16Gi.")
@click.option("--queue", default="", help="Queue that pays for it.")
@click.option("--image", default="", help="Container image.")
@click.option("--venv", default=None, metavar="DIR", help="Virtual environment [yours].")
@click.option("--storage", default="", metavar="SIZE", help="Size of its home [10Gi].")
@click.option("--mount", "mounts", multiple=True, metavar="DIR", help="Directory of the machine.")
@click.option("--idle", metavar="TIME", callback=makers.seconds, help="Idle after [30m]; 0: never.")
@click.option("--idle-stop", metavar="TIME", callback=makers.seconds,
              help="Stopped when unused for [1h]; 0: never.")  # fmt: skip
@click.option("--start", default="", metavar="CRON", help="Started by this schedule.")
@click.option("--stop", default="", metavar="CRON", help="Stopped by this schedule.")
@click.option("--time-zone", default="", metavar="ZONE", help="Of the schedules [UTC].")
@click.option("--dry-run", is_flag=True, help="Print what would be created; needs no server.")
def create(
    world: World, name: str, words: tuple[str, ...], app: str, dry_run: bool, **asked: object
) -> None:
    """Make a workspace; its program finds port and path in its environment."""
    spec: JSON = {"app": app, **({"command": list(words)} if words else {})}
    requests: JSON = {"cpu": asked["cpu"]}
    gpus = str(asked["gpus"])
    if asked["memory"]:
        requests["memory"] = asked["memory"]
    if gpus.isdecimal() and gpus != "0":
        requests["nvidia.com/gpu"] = gpus
    elif gpus:
        try:
            spec["gpu"] = {"milli": round(float(gpus) * 1000)}
        except ValueError:
            raise click.UsageError(f"--gpus {gpus!r}: write 1, 2, or a share such as 0.5") from None
    spec["requests"] = requests
    given = {"image": asked["image"] or _image(asked["venv"]), "storage": asked["storage"]}
    spec |= {field: value for field, value in given.items() if value}
    mounts = asked["mounts"]
    if isinstance(mounts, tuple) and mounts:
        spec["mounts"] = [os.path.abspath(str(path)) for path in mounts]
    idle = {"afterSeconds": asked["idle"], "stopAfterSeconds": asked["idle_stop"]}
    if told := {field: value for field, value in idle.items() if value is not None}:
        spec["idle"] = _ordered(told)
    hours = {"start": asked["start"], "stop": asked["stop"]}
    if told := {field: value for field, value in hours.items() if value}:
        spec["hours"] = told | ({"timeZone": asked["time_zone"]} if asked["time_zone"] else {})
    if asked["queue"]:
        spec["scheduling"] = {"queue": asked["queue"]}
    makers.create(world, makers.kind_of("workspaces"), name, spec, dry_run=dry_run)


@verb(namespace=True, output=True, examples="athanor workspace list\nathanor workspace list -A")
@click.option("-A", "--all-namespaces", "everywhere", is_flag=True, help="In all namespaces.")
def list_(world: World, everywhere: bool) -> None:
    """List workspaces, when they were used last, and how much of what they claim is used."""
    makers.listed(world, makers.kind_of("workspaces"), everywhere=everywhere)


@verb(namespace=True, output=True, examples="athanor workspace get lab -o yaml")
@click.argument("name", shell_complete=names_of("workspaces"))
def get(world: World, name: str) -> None:
    """Show one workspace."""
    makers.listed(world, makers.kind_of("workspaces"), name)


@verb(namespace=True, output=True, examples="athanor workspace open lab --browser")
@click.argument("name", shell_complete=names_of("workspaces"))
@click.option("--browser", is_flag=True, help="Open it in the browser here.")
def open_(world: World, name: str, browser: bool) -> None:
    """Print a link that is good for a minute; whoever follows it is let in for half a day."""
    import json

    import msgspec

    from athanor.client import kubeconfig
    from athanor.client.sync import SyncHttp
    from athanor.wire import calls
    from athanor.wire.status import ApiError

    found = world.client.get(makers.kind_of("workspaces"), name)
    status = found.get("status") or {}
    if not status.get("url"):
        if status.get("phase") in ("Running", "Idle"):
            forward = f"kubectl port-forward pod/ws-{name}-main-0"
            raise Failure(f"workspace {name} runs, but no gateway serves it here", hint=forward)
        why = status.get("message") or f"it is {status.get('phase', 'Pending')}"
        raise Failure(f"workspace {name} cannot be opened: {why}",
                      hint=f"athanor workspace start {name}", code=FAILED)  # fmt: skip
    origin = "/".join(str(status["url"]).split("/")[:3])
    target = kubeconfig.load([world.kubeconfig]).target(world.context)
    there = msgspec.structs.replace(target, server=origin, server_name="", public=True)
    gateway = SyncHttp(there)
    path = f"/connect/{found['metadata']['namespace']}/{name}"
    answer = gateway.send(calls.raw("POST", path).request)
    gateway.close()
    if answer.status != 200:
        raise ApiError("Forbidden", answer.body.decode(errors="replace").strip())
    link = json.loads(answer.body)["url"]
    if world.output in ("json", "yaml"):
        show.document(world, {"url": link})
    else:
        show.line(link)
    if browser:
        import webbrowser

        webbrowser.open(link)


@verb(namespace=True, examples="athanor workspace stop lab")
@click.argument(
    "names", nargs=-1, required=True, metavar="NAME...", shell_complete=names_of("workspaces")
)
def stop(world: World, names: tuple[str, ...]) -> int:
    """Stop it: what it claims is free, its home stays."""
    said = "is being stopped; its home stays"
    return makers.patched(world, makers.kind_of("workspaces"), names, {"stopped": True}, said)


@verb(namespace=True, examples="athanor workspace start lab")
@click.argument(
    "names", nargs=-1, required=True, metavar="NAME...", shell_complete=names_of("workspaces")
)
def start(world: World, names: tuple[str, ...]) -> int:
    """Start it again, in its old home."""
    kind = makers.kind_of("workspaces")

    def begin(name: str) -> None:
        starts = world.client.get(kind, name)["spec"].get("starts", 0) + 1
        world.client.patch(kind, name, {"spec": {"stopped": False, "starts": starts}})
        show.line(f"workspace {name} is being started")

    return each(names, begin)


@verb(namespace=True, examples="athanor workspace delete lab --yes")
@click.argument(
    "names", nargs=-1, required=True, metavar="NAME...", shell_complete=names_of("workspaces")
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def delete(world: World, names: tuple[str, ...], yes: bool) -> int:
    """Delete workspaces with their homes."""
    if not yes:
        confirm(f"delete {', '.join(names)} with their homes?")
    return makers.removed(world, makers.kind_of("workspaces"), names)


for _name, _verb in {
    "create": create, "list": list_, "get": get, "open": open_, "stop": stop, "start": start,
    "delete": delete,
}.items():  # fmt: skip
    command.add_command(_verb, _name)


def _image(given: object) -> str:
    """The virtual environment that is meant: the one named, or the active one."""
    path = str(given) if given is not None else os.environ.get("VIRTUAL_ENV", "")
    if not path:
        return ""
    path = os.path.abspath(os.path.expanduser(path))
    if given is not None and not os.path.exists(os.path.join(path, "bin", "python")):
        raise click.UsageError(f"--venv {path}: there is no {path}/bin/python")
    return f"venv://{path}"


def _ordered(idle: dict[str, object]) -> dict[str, object]:
    """A workspace is idle before it is stopped for it: a short stop means a short idle, too."""
    stop = idle.get("stopAfterSeconds")
    if isinstance(stop, int) and stop and "afterSeconds" not in idle:
        return {**idle, "afterSeconds": min(1800, stop)}
    return idle
