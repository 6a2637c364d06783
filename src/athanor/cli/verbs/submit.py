"""athanor submit: run a command as a (distributed) training job."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, get_args

import click

from athanor.api.training import Framework
from athanor.cli import files, show
from athanor.cli.complete import names_of
from athanor.cli.failures import DONE, FAILED
from athanor.cli.verb import verb
from athanor.cli.world import World

if TYPE_CHECKING:
    from athanor.sdk.asked import RoleAsk
    from athanor.sdk.submission import Submission

EXAMPLES = """\
athanor submit jax --workers 2 -- python train.py --epochs 10
athanor submit pytorch --name bert --workers 4 --gpus 1 --memory 16Gi -- train.py
athanor submit mpi --workers 2 --processes 4 -- python sum.py
athanor submit tensorflow --workers 2 --role chief=1 --role ps=1,cpu=2 -- python train.py
athanor submit generic --name hello -- python -c "print('hi')"
athanor submit jax --code . -- python train.py   # as it is now: later edits change nothing
athanor submit jax --git https://git.example/team/digits.git@v1 -- python train.py
athanor submit xgboost --workers 2 -- python train.py --dry-run -o yaml > job.yaml"""


@verb(namespace=True, output=True, examples=EXAMPLES.replace(
    "-- python train.py --dry-run -o yaml > job.yaml", "--dry-run -o yaml -- python train.py"
))  # fmt: skip
@click.argument("framework", type=click.Choice(get_args(Framework)), metavar="FRAMEWORK")
@click.argument("command", nargs=-1, required=True, metavar="-- COMMAND [ARGS]...")
@click.option("--name", default="", help="Name of the job [made up].")
@click.option("--workers", default=1, show_default=True, help="How many ranks.")
@click.option("--gpus", default="0", help="GPUs of each worker: 1, 2, or a share such as 0.5.")
@click.option("--gpu-resource", default="nvidia.com/gpu", show_default=True, help="Which device.")
@click.option("--gpu-model", "gpu_models", multiple=True, help="Acceptable models; repeatable.")
@click.option("--cpu", default="1", show_default=True, help="Cores of each worker; 0 for any.")
@click.option("--memory", default="", help="Memory of each worker, for instance 16Gi.")
@click.option(
    "--queue", default="", shell_complete=names_of("queues"), help="Queue that pays for it."
)
@click.option("--priority", default="", help="PriorityClass.")
@click.option("--pool", "pools", multiple=True, help="Acceptable pools, in order; repeatable.")
@click.option("--env", multiple=True, metavar="NAME=VALUE", help="Environment; repeatable.")
@click.option("--label", multiple=True, metavar="NAME=VALUE", help="Labels; repeatable.")
@click.option("--image", default="", help="Container image, python:3.12, or host.")
@click.option("--venv", default=None, metavar="DIR", help="Virtual environment [yours].")
@click.option("--requirements", default="", metavar="FILE", help="pip requirements laid over it.")
@click.option("--wheels", default="", metavar="DIR", help="Upload its wheels, too, for these.")
@click.option("--directory", default=None, metavar="DIR", help="Working directory [this one].")
@click.option("--output-dir", default="", metavar="DIR", help="Where outputs land [outputs/NAME].")
@click.option("--checkpoint-dir", default="", metavar="DIR", help="Where checkpoints land.")
@click.option("--checkpoint-grace", metavar="TIME", help="Time to write one when asked.")
@click.option("--max-runtime", metavar="TIME", help="Longest run, for instance 2h30m.")
@click.option("--max-start", metavar="TIME", help="Give places back if not started by then.")
@click.option("--estimate", metavar="TIME", help="How long it will probably run.")
@click.option("--deadline", metavar="TIME", help="Fail when not done so long after its start.")
@click.option("--retries", default=3, show_default=True, help="Restarts after a failure.")
@click.option("--keep", metavar="TIME", help="Delete the job this long after it finished.")
@click.option("--grace", metavar="TIME", help="Between SIGTERM and SIGKILL.")
@click.option("--processes", type=int, help="Processes a worker [one for each GPU].")
@click.option(
    "--role",
    "roles",
    multiple=True,
    metavar="NAME=COUNT[,cpu=…,memory=…,gpus=…,image=…]",
    help="Another role, or the size of a leading one: ps=2,cpu=2; repeatable.",
)
@click.option("--elastic", metavar="MIN:MAX", help="Let workers come and go between these numbers.")
@click.option(
    "--restart",
    type=click.Choice(["Never", "OnFailure", "Always", "ExitCode"]),
    help="When ranks are started again [OnFailure].",
)
@click.option("--retry-on", metavar="CODES", help="Exit codes worth a new try: 3,75 (ExitCode).")
@click.option(
    "--success",
    multiple=True,
    metavar="ROLE[=RANKS]",
    help="Ranks whose success is the job's: chief, worker=0,1; repeatable.",
)
@click.option(
    "--clean",
    default="Unfinished",
    show_default=True,
    type=click.Choice(["None", "All", "Unfinished"]),
    help="Pods deleted at the end.",
)
@click.option("--starting-deadline", metavar="TIME", help="Fail when it has not started by then.")
@click.option("--debug", is_flag=True, help="Ranks start and wait for athanor debug NAME --run.")
@click.option("--service/--no-service", default=True,
              help="Names by which ranks find each other, or none [service].")  # fmt: skip
@click.option("--code", default="", metavar="DIR|URL[@REF]",
              help="Upload this folder, or clone this here, and run it as it is now.")  # fmt: skip
@click.option("--git", default="", metavar="URL[@REF]", help="Code that each rank clones.")
@click.option("--ref", default="", help="Its branch, tag or commit.")
@click.option(
    "--mount",
    "mounts",
    multiple=True,
    metavar="SOURCE:/PATH[:ro]",
    help="Mount a claim, /directory, configmap/NAME or secret/NAME; repeatable.",
)
@click.option("--secret", "secrets", multiple=True, help="Secret as environment; repeatable.")
@click.option("--shm", "shared_memory", default="", help="Shared memory, for instance 2Gi.")
@click.option("--tensorboard", is_flag=True, help="A TensorBoard beside it: workspace NAME-tb.")
@click.option("--logdir", default="", metavar="DIR", help="What TensorBoard reads [the outputs].")
@click.option("--tensorboard-image", default="", help="Where TensorBoard is installed [the job's].")
@click.option("--progress-pattern", default="", metavar="REGEX",
              help="Progress in its lines: 'step (?P<step>[0-9]+)/(?P<total>[0-9]+)'.")  # fmt: skip
@click.option("--annotation", multiple=True, metavar="NAME=VALUE", help="Of pods; repeatable.")
@click.option("--device", multiple=True, metavar="NAME=COUNT", help="Other devices; repeatable.")
@click.option("--selector", multiple=True, metavar="LABEL=VALUE", help="Of nodes; repeatable.")
@click.option(
    "--toleration",
    "tolerations",
    multiple=True,
    metavar="KEY[=VALUE][:EFFECT]",
    help="Tainted nodes that will do, or all; repeatable.",
)
@click.option("--image-pull-secret", "pull_secrets", multiple=True, help="Repeatable.")
@click.option("--service-account", default="", help="Account that the pods run as.")
@click.option(
    "--host",
    multiple=True,
    type=click.Choice(["network", "ipc", "pid"]),
    help="What pods share with their node; repeatable.",
)
@click.option("--suspended", is_flag=True, help="Create it, but do not queue it yet.")
@click.option("--dry-run", is_flag=True, help="Print what would be created; needs no server.")
@click.option("--wait", "follow", is_flag=True, help="Follow the log and wait for the end.")
def command(world: World, **asked: Any) -> int:
    """Run a command as a (distributed) training job.

    It runs in your virtual environment and directory unless you say otherwise. The options come
    before --, the command after it.
    """
    from athanor.sdk.submission import manifest

    dry, follow = asked.pop("dry_run"), asked.pop("follow")
    if asked["code"] and asked["git"]:
        raise click.UsageError("--code and --git: the code comes from one of them")
    if asked["wheels"] and not (asked["code"] and asked["requirements"]):
        raise click.UsageError("--wheels go with --code, for what --requirements names")
    if code := asked.pop("code"):
        outputs = asked["output_dir"] or os.path.join(asked["directory"] or "", "outputs")
        asked |= packed(world, code, os.path.abspath(outputs), _absolute(asked["wheels"]))
    submission = _submission(world, asked)
    try:
        wanted = manifest(submission)
    except ValueError as wrong:
        raise click.UsageError(str(wrong)) from None
    if dry:
        if world.output in ("table", "wide"):
            world.output = "yaml"
        show.document(world, wanted)
        return DONE
    submission = world.client.placed(submission)
    sent = world.upload(submission.namespace)
    job = world.client.submit(submission)
    if not show.created(world, job):
        _announce(world, submission, job.metadata.name, sent)
    return _follow(world, job.metadata.name) if follow else DONE


def _submission(world: World, asked: dict[str, Any]) -> Submission:
    from athanor.kit.ids import RandomIds
    from athanor.sdk.asked import is_foreign
    from athanor.sdk.submission import Submission

    spans = {
        "checkpoint_grace": "checkpoint_grace", "max_runtime": "max_runtime",
        "max_start": "max_start",
        "estimate": "estimated_runtime", "deadline": "deadline", "keep": "ttl", "grace": "grace",
    }  # fmt: skip
    spans["starting_deadline"] = "starting_deadline"
    times: dict[str, Any] = {
        field: _seconds(option, asked.pop(option)) for option, field in spans.items()
    }
    directory, venv = asked.pop("directory"), asked.pop("venv")
    image = asked.pop("image")
    requirements = asked.pop("requirements")
    here = "" if is_foreign(image) else os.getcwd()
    directory = os.path.abspath(directory) if directory is not None else here
    if directory and not image and not os.path.isdir(directory):
        raise click.UsageError(f"--directory {directory} is no folder; say --image for one in it")
    least, most = _elastic(asked.pop("elastic"))
    name = asked.pop("name") or f"{asked['framework']}-{RandomIds().suffix()}"
    outputs = _absolute(asked.pop("output_dir"))
    if not outputs and directory:
        outputs = os.path.join(directory, "outputs", name)
    git, ref = _git(asked.pop("git"), asked.pop("ref"))
    return Submission(
        name=name,
        namespace=world.namespace or _namespace(world),
        directory=directory,
        git=git,
        ref=ref,
        venv="" if image else _venv(venv),
        image=image,
        requirements=_read_requirements(requirements) if requirements else (),
        env=pairs("--env", asked.pop("env")),
        labels=pairs("--label", asked.pop("label")),
        outputs=outputs,
        checkpoint_dir=_absolute(asked.pop("checkpoint_dir")),
        suspend=asked.pop("suspended"),
        command=list(asked.pop("command")),
        roles=[_role(text) for text in asked.pop("roles")],
        min_workers=least,
        max_workers=most,
        retry_on=_numbers("--retry-on", asked.pop("retry_on") or ""),
        success=_success(asked.pop("success")),
        data=asked.pop("mounts"),
        logdir=_absolute(asked.pop("logdir")),
        annotations=pairs("--annotation", asked.pop("annotation")),
        devices=pairs("--device", asked.pop("device")),
        selector=pairs("--selector", asked.pop("selector")),
        **asked,
        **times,
    )


def packed(world: World, source: str, outputs: str, wheels: str = "") -> dict[str, str]:
    """A folder's bundle, and where in it the `wheels` of another are, as a Submission has them.

    The world uploads it before anything is created. Without what earlier jobs left in `outputs`. A
    repository's URL[@REF] is cloned here first, with the rights that git has here.
    """
    import tempfile

    from athanor.sdk import packing
    from athanor_progress import fetch

    with tempfile.TemporaryDirectory() as folder:
        try:
            if re.match(r"[a-z+]+://|[^/]+@[^/]+:", source):
                fetch.git(*_git(source, ""), folder)
            else:
                folder = os.path.abspath(os.path.expanduser(source))
            bundle = packing.pack(folder, outputs=outputs, wheels=wheels)
        except (packing.NotPacked, fetch.Failed) as wrong:
            raise click.UsageError(f"--code {source}: {wrong}") from None
    world.bundles.append(bundle)
    return {"bundle": bundle.name, "wheels": packing.WHEELS if wheels else ""}


def _git(url: str, ref: str) -> tuple[str, str]:
    """`URL@REF` as its parts; git@host:path has no ref."""
    base, at, tail = url.rpartition("@")
    if not at or not tail or "/" in tail or ":" in tail:
        return url, ref
    if ref:
        raise click.UsageError(f"--git {url} and --ref {ref}: say the ref once")
    return base, tail


def _role(text: str) -> RoleAsk:
    """`ps=2,cpu=2,memory=4Gi` as a role."""
    from athanor.sdk.asked import RoleAsk

    given = pairs("--role", text.split(","))
    (name, count), *more = given.items()
    known = ("cpu", "memory", "gpus", "image")
    wrong = [key for key, _ in more if key not in known]
    if wrong or not count.isdecimal():
        raise click.UsageError(f"--role {text!r}: write NAME=COUNT, then {', '.join(known)}")
    said = dict(more)
    return RoleAsk(
        name=name, replicas=int(count), cpu=said.get("cpu", ""), memory=said.get("memory", ""),
        gpus=said.get("gpus", ""), image=said.get("image", ""),
    )  # fmt: skip


def _elastic(text: str | None) -> tuple[int | None, int | None]:
    if text is None:
        return None, None
    least, colon, most = text.partition(":")
    if not (colon and least.isdecimal() and most.isdecimal()):
        raise click.UsageError(f"--elastic {text!r}: write MIN:MAX, for instance 1:4")
    return int(least), int(most)


def _numbers(option: str, text: str) -> list[int]:
    words = [word for word in text.split(",") if word]
    if not all(word.isdecimal() for word in words):
        raise click.UsageError(f"{option} {text!r}: write numbers, for instance 1,2")
    return [int(word) for word in words]


def _success(given: Sequence[str]) -> dict[str, list[int]]:
    split = (text.partition("=") for text in given)
    return {role: _numbers("--success", ranks) for role, _, ranks in split}


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


def _announce(world: World, asked: Submission, name: str, sent: int) -> None:
    import shlex

    from athanor.api.training import OUTPUTS, claim_of

    what = " ".join(shlex.join(asked.command).split())
    show.note(f"  runs     {what if len(what) < 80 else what[:79] + '…'}")
    show.note(f"  in       {_where(asked, sent)}")
    show.note(f"  with     {asked.image or asked.venv or 'the interpreter of the node'}")
    workers = f"{asked.workers} × ({_each(asked)})"
    show.note(f"  on       {workers}, queue {asked.queue or 'default'}")
    if asked.outputs:
        place = asked.outputs
        if world.client.has_claims():
            place = f"claim {claim_of(name)}, folder {OUTPUTS}; in the pods {place}"
        show.note(f"  outputs  {place} ($ATHANOR_OUTPUT_DIR)")
    if asked.tensorboard:
        show.note(f"  board    athanor workspace open {name}-tb")
    show.note(f"  follow   athanor logs -f {name}")


def _where(asked: Submission, sent: int) -> str:
    if asked.git:
        return f"{asked.git} at {asked.ref or 'its default branch'}"
    if asked.bundle:
        amount = f"{sent / (1 << 20):.1f} MiB" if sent >= 1 << 20 else f"{-(-sent >> 10)} KiB"
        new = f"{amount} uploaded" if sent else "uploaded before"
        return f"{asked.bundle[:19]}…, {new}"
    return asked.directory or "the image"


def _each(asked: Submission) -> str:
    parts = [f"{asked.cpu} cpu"] if asked.cpu not in ("", "0") else []
    parts += [f"{asked.memory} memory"] if asked.memory not in ("", "0") else []
    parts += [f"{asked.gpus} {asked.gpu_resource}"] if asked.gpus != "0" else []
    return ", ".join(parts) or "whatever is free"


def _follow(world: World, name: str) -> int:
    from athanor.cli.verbs.logs import print_lines

    try:
        print_lines(world.client.logs(name, follow=True))
        job = world.client.wait(name)
    except KeyboardInterrupt:
        show.note(f"{name} goes on; athanor delete {name} ends it")
        raise
    if job.status.phase == "Succeeded":
        return DONE
    show.note(f"{name} is {job.status.phase}; athanor why {name} tells why")
    return FAILED


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
    text = files.text(path, "--requirements")
    lines = [line.split(" #")[0].strip() for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def _absolute(path: str) -> str:
    return os.path.abspath(os.path.expanduser(path)) if path else ""
