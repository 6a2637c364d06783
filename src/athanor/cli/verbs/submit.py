"""athanor submit: run a command as a (distributed) training job."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from athanor.cli import show
from athanor.cli.verb import verb
from athanor.cli.world import World

if TYPE_CHECKING:
    from athanor.sdk.submission import Submission

FRAMEWORKS = (
    "pytorch", "tensorflow", "jax", "mpi", "horovod", "deepspeed", "xgboost", "lightgbm",
    "ray", "spark", "flink", "generic",
)  # fmt: skip

EXAMPLES = """\
athanor submit jax --workers 2 -- python train.py --epochs 10
athanor submit pytorch --name bert --workers 4 --gpus 1 --memory 16Gi -- train.py
athanor submit generic --name hello -- python -c "print('hi')"
athanor submit xgboost --workers 2 -- python train.py --dry-run -o yaml > job.yaml"""


@verb(namespace=True, output=True, examples=EXAMPLES.replace(
    "-- python train.py --dry-run -o yaml > job.yaml", "--dry-run -o yaml -- python train.py"
))  # fmt: skip
@click.argument("framework", type=click.Choice(FRAMEWORKS), metavar="FRAMEWORK")
@click.argument("command", nargs=-1, required=True, metavar="-- COMMAND [ARGS]...")
@click.option("--name", default="", help="Name of the job [made up].")
@click.option("--workers", default=1, show_default=True, help="How many ranks.")
@click.option("--gpus", default="0", help="GPUs of each worker: 1, 2, or a share such as 0.5.")
@click.option("--gpu-resource", default="nvidia.com/gpu", show_default=True, help="Which device.")
@click.option("--gpu-model", "gpu_models", multiple=True, help="Acceptable models; repeatable.")
@click.option("--cpu", default="1", show_default=True, help="Cores of each worker; 0 for any.")
@click.option("--memory", default="", help="Memory of each worker, for instance 16Gi.")
@click.option("--queue", default="", help="Queue that pays for it.")
@click.option("--priority", default="", help="PriorityClass.")
@click.option("--pool", "pools", multiple=True, help="Acceptable pools, in order; repeatable.")
@click.option("--env", multiple=True, metavar="NAME=VALUE", help="Environment; repeatable.")
@click.option("--label", multiple=True, metavar="NAME=VALUE", help="Labels; repeatable.")
@click.option("--image", default="", help="Container image, python:3.12, or host.")
@click.option("--venv", default=None, metavar="DIR", help="Virtual environment [yours].")
@click.option("--requirements", default="", metavar="FILE", help="pip requirements laid over it.")
@click.option("--directory", default=None, metavar="DIR", help="Working directory [this one].")
@click.option("--output-dir", default="", metavar="DIR", help="Where outputs land [outputs/NAME].")
@click.option("--checkpoint-dir", default="", metavar="DIR", help="Where checkpoints land.")
@click.option("--checkpoint-grace", metavar="TIME", help="Time to write one when asked.")
@click.option("--max-runtime", metavar="TIME", help="Longest run, for instance 2h30m.")
@click.option("--estimate", metavar="TIME", help="How long it will probably run.")
@click.option("--deadline", metavar="TIME", help="Fail when not done after this, waiting included.")
@click.option("--retries", default=3, show_default=True, help="Restarts after a failure.")
@click.option("--keep", metavar="TIME", help="Delete the job this long after it finished.")
@click.option("--grace", metavar="TIME", help="Between SIGTERM and SIGKILL.")
@click.option("--processes", type=int, help="Processes a worker [one for each GPU].")
@click.option("--suspended", is_flag=True, help="Create it, but do not queue it yet.")
@click.option("--dry-run", is_flag=True, help="Print what would be created; needs no server.")
@click.option("--wait", "follow", is_flag=True, help="Follow the log and wait for the end.")
def command(world: World, **asked: Any) -> int:
    """Run a command as a (distributed) training job.

    It runs in your virtual environment and directory unless you say otherwise. The options come
    before --, the command after it.
    """
    import msgspec

    from athanor.sdk.submission import manifest

    dry, follow = asked.pop("dry_run"), asked.pop("follow")
    submission = _submission(world, asked)
    try:
        wanted = manifest(submission)
    except ValueError as wrong:
        raise click.UsageError(str(wrong)) from None
    if dry:
        if world.output in ("table", "wide"):
            world.output = "yaml"
        show.document(world, wanted)
        return 0
    if not submission.queue and (queue := world.client.home_queue(namespace=submission.namespace)):
        submission = msgspec.structs.replace(submission, queue=queue)
        wanted = manifest(submission)
    job = world.client.submit(wanted)
    _announce(world, submission, job.metadata.name, job.metadata.namespace)
    return _follow(world, job.metadata.name) if follow else 0


def _submission(world: World, asked: dict[str, Any]) -> Submission:
    from athanor.kit.ids import RandomIds
    from athanor.sdk.submission import Submission

    spans = {
        "checkpoint_grace": "checkpoint_grace", "max_runtime": "max_runtime",
        "estimate": "estimated_runtime", "deadline": "deadline", "keep": "ttl", "grace": "grace",
    }  # fmt: skip
    times: dict[str, Any] = {
        field: _seconds(option, asked.pop(option)) for option, field in spans.items()
    }
    directory, venv = asked.pop("directory"), asked.pop("venv")
    image = asked.pop("image")
    requirements = asked.pop("requirements")
    directory = os.path.abspath(directory if directory is not None else os.getcwd())
    name = asked.pop("name") or f"{asked['framework']}-{RandomIds().suffix()}"
    outputs = _absolute(asked.pop("output_dir")) or os.path.join(directory, "outputs", name)
    return Submission(
        name=name,
        namespace=world.namespace or _namespace(world),
        directory=directory,
        venv="" if image else _venv(venv),
        image=image,
        requirements=_read_requirements(requirements) if requirements else (),
        env=pairs("--env", asked.pop("env")),
        labels=pairs("--label", asked.pop("label")),
        outputs=outputs,
        checkpoint_dir=_absolute(asked.pop("checkpoint_dir")),
        suspend=asked.pop("suspended"),
        command=list(asked.pop("command")),
        **asked,
        **times,
    )


def _namespace(world: World) -> str:
    """The kubeconfig's namespace when there is one to read, else `default`; asks no server."""
    return world.where if os.path.exists(world.kubeconfig) else "default"


def _venv(given: str | None) -> str:
    """The environment that is meant: the one named, the active one, ./.venv, or ours.

    "" for the node's own interpreter, when we run in no environment.
    """
    if given is not None:
        path = os.path.abspath(os.path.expanduser(given))
        if not os.path.exists(os.path.join(path, "bin", "python")):
            raise click.UsageError(f"--venv {given}: {path}/bin/python does not exist")
        return path
    active = os.environ.get("VIRTUAL_ENV") or os.environ.get("CONDA_PREFIX")
    if active:
        return os.path.abspath(active)
    if os.path.exists(os.path.join(".venv", "bin", "python")):
        return os.path.abspath(".venv")
    return sys.prefix if os.path.exists(os.path.join(sys.prefix, "bin", "python")) else ""


def _announce(world: World, asked: Submission, name: str, namespace: str) -> None:
    if world.output == "name":
        show.line(f"trainingjob.athanor.dev/{name}")
        return
    show.line(f"trainingjob {name} created in namespace {namespace}")
    import shlex

    what = shlex.join(asked.command)
    show.note(f"  runs     {what if len(what) < 80 else what[:79] + '…'}")
    show.note(f"  in       {asked.directory}")
    show.note(f"  with     {asked.image or asked.venv or 'the interpreter of the node'}")
    workers = f"{asked.workers} × ({_each(asked)})"
    show.note(f"  on       {workers}, queue {asked.queue or 'default'}")
    show.note(f"  outputs  {asked.outputs} ($ATHANOR_OUTPUT_DIR)")
    show.note(f"  follow   athanor logs -f {name}")


def _each(asked: Submission) -> str:
    parts = [f"{asked.cpu} cpu"] if asked.cpu not in ("", "0") else []
    parts += [asked.memory] if asked.memory else []
    parts += [f"{asked.gpus} {asked.gpu_resource}"] if asked.gpus != "0" else []
    return ", ".join(parts) or "whatever is free"


def _follow(world: World, name: str) -> int:
    from athanor.cli.verbs.logs import print_lines

    print_lines(world.client.logs(name, follow=True))
    job = world.client.wait(name)
    return 0 if job.status.phase == "Succeeded" else 1


def _seconds(option: str, text: str | None) -> int | None:
    from athanor.kit.spans import parse_span

    if text is None:
        return None
    try:
        return parse_span(text)
    except ValueError as wrong:
        raise click.UsageError(f"--{option.replace('_', '-')}: {wrong}") from None


def pairs(option: str, given: Sequence[str]) -> dict[str, str]:
    """`NAME=VALUE` words as a mapping; a usage error names the word that is none."""
    pairs: dict[str, str] = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not name or not equals:
            raise click.UsageError(f"{option} {pair!r}: write NAME=VALUE")
        pairs[name] = value
    return pairs


def _read_requirements(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8") as file:
            lines = [line.split(" #")[0].strip() for line in file]
    except OSError as wrong:
        raise click.UsageError(f"--requirements {path}: {wrong.strerror}") from None
    return [line for line in lines if line and not line.startswith("#")]


def _absolute(path: str) -> str:
    return os.path.abspath(os.path.expanduser(path)) if path else ""
