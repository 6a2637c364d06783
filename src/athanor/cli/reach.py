"""Into the pods of a job from the command line: commands, terminals, files."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import sys
import tarfile
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from athanor.cli import show
from athanor.cli.failures import FAILED, NOT_FOUND, Failure
from athanor.cli.world import World

if TYPE_CHECKING:
    from athanor.api.core import Pod
    from athanor_progress.remote import Channels


def ranks_of(world: World, name: str, rank: str = "") -> list[Pod]:
    """The running pods of a job (gang, or pod), of one rank when it is named. Raises Failure."""
    pods = world.client.ranks(name, rank=rank)
    running = [pod for pod in pods if pod.status.phase == "Running"]
    if not running:
        what = f"rank {rank} of {name}" if rank else name
        hint = f"athanor why {name}"
        raise Failure(f"no pod of {what} is running", hint=hint, code=NOT_FOUND)
    return running


def opened(
    world: World, pod: Pod, verb: str, words: Sequence[str], *, stdin: bool, tty: bool
) -> Channels:
    """The channels of a command in a pod's first container. Raises ApiError."""
    from athanor.client import remote
    from athanor.sdk import connect

    meta = pod.metadata
    query = [("command", word) for word in words] + [("container", pod.spec.containers[0].name)]
    query += [("stdout", "true")] + ([] if tty else [("stderr", "true")])
    query += [("stdin", "true")] * stdin + [("tty", "true")] * tty
    path = f"/api/v1/namespaces/{meta.namespace}/pods/{meta.name}/{verb}"
    return remote.channels(connect.target(world.kubeconfig, world.context), path, query)


def run_in(
    world: World, pod: Pod, words: Sequence[str], data: bytes | None = None
) -> tuple[int, bytes, bytes]:
    """Exit code, output and errors of a command that gets `data` as its input."""
    from athanor_progress import remote

    channels = opened(world, pod, "exec", words, stdin=data is not None, tty=False)
    if data is not None:
        for at in range(0, len(data), 1 << 15):
            channels.send(remote.STDIN, data[at : at + (1 << 15)])
        channels.send(remote.CLOSE, bytes([remote.STDIN]))
    said: dict[int, list[bytes]] = {remote.STDOUT: [], remote.STDERR: []}
    code, why = FAILED, ""
    while (arrived := channels.receive()) is not None:
        channel, part = arrived
        if channel == remote.ERROR:
            code, why = remote.exit_code(part)
            break
        said.setdefault(channel, []).append(part)
    channels.close()
    errors = b"".join(said[remote.STDERR]) or why.encode()
    return code, b"".join(said[remote.STDOUT]), errors


def interact(
    world: World, pod: Pod, verb: str, words: Sequence[str], *, stdin: bool, tty: bool
) -> int:
    """Carry a command's input and output, on a terminal if wanted and there is one; its exit code.

    As kubectl: a shell on a terminal without ours would never hear that its input has ended.
    """
    from athanor_progress import remote

    if tty and not sys.stdin.isatty():
        show.note("our input is no terminal: without -t")
        tty = False
    channels = opened(world, pod, verb, words, stdin=stdin, tty=tty)
    with _terminal(channels) if tty else contextlib.nullcontext():
        if stdin:
            return remote.run(channels)
        return _listen(channels)


def _listen(channels: Channels) -> int:
    from athanor_progress import remote

    while (arrived := channels.receive()) is not None:
        channel, data = arrived
        if channel == remote.ERROR:
            code, why = remote.exit_code(data)
            if why:
                raise Failure(why)
            return code
        out = sys.stderr.buffer if channel == remote.STDERR else sys.stdout.buffer
        out.write(data)
        out.flush()
    return 0


@contextlib.contextmanager
def _terminal(channels: Channels) -> Iterator[None]:
    """Our terminal, raw, its size told to the other side."""
    import termios
    import tty

    from athanor_progress import remote

    def tell(*_: object) -> None:
        size = os.get_terminal_size()
        said = {"Width": size.columns, "Height": size.lines}
        channels.send(remote.RESIZE, json.dumps(said).encode())

    before = termios.tcgetattr(0)
    old: Callable[..., object] | int | None = signal.signal(signal.SIGWINCH, tell)
    try:
        tty.setraw(0)
        tell()
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)
        signal.signal(signal.SIGWINCH, old)


def send(world: World, pod: Pod, source: str, target: str) -> int:
    """Copy a local file or folder into a pod; the files' bytes. Raises Failure, OSError."""
    whole = io.BytesIO()
    folder = target.endswith("/")
    name = os.path.basename(source.rstrip("/")) if folder else os.path.basename(target)
    with tarfile.open(fileobj=whole, mode="w") as archive:
        archive.add(source, arcname=name)
        count = sum(member.size for member in archive.getmembers())
    into = target if folder else os.path.dirname(target) or "."
    words = ["tar", "-xmf", "-", "-C", into, "--no-same-owner"]
    code, _, errors = run_in(world, pod, words, whole.getvalue())
    if code:
        raise Failure(errors.decode(errors="replace").strip() or f"tar ended with {code}")
    return count


def fetch(world: World, pod: Pod, source: str, target: str) -> int:
    """Copy a file or folder out of a pod; the files' bytes. Raises Failure, OSError."""
    where, name = os.path.split(source.rstrip("/"))
    words = ["tar", "-cf", "-", "-C", where or ".", name]
    code, data, errors = run_in(world, pod, words)
    if code:
        raise Failure(errors.decode(errors="replace").strip() or f"tar ended with {code}")
    inside = os.path.isdir(target)
    into = target if inside else os.path.dirname(os.path.abspath(target))
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        members = archive.getmembers()
        for member in members:
            if not inside:  # the copy has the name that was asked for
                rest = member.name[len(name) :]
                member.name = os.path.basename(target.rstrip("/")) + rest
            archive.extract(member, into, filter="data")
    return sum(member.size for member in members)
