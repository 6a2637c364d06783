"""`athanor up` and `athanor down`: prepare a data directory, start the watchman, end everything.

Everything that can go wrong goes wrong here, before anything runs, with one line that says how to
go on.
"""

from __future__ import annotations

import errno
import json
import os
import select
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from athanor.assembly import identities, processes, supervisor
from athanor.assembly.layout import DEFAULT_PORT, DataDir
from athanor.assembly.watchman import die_with_parent, last_line
from athanor.kit.clock import Clock
from athanor.kit.times import rfc3339
from athanor.local.agent.devices import Simulated
from athanor.local.pki import Pki, write_private

NODE = socket.gethostname().split(".")[0].lower() or "laptop"

STOP_SECONDS = 60
ROOM = 1 << 20
"""Bytes that must be free to start: the log of the store, the logs of the parts."""


class Trouble(Exception):
    """`up` or `down` cannot work; `hint` is the way out."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Wishes(NamedTuple):
    """How the platform is to be started. `port` 0 takes a free one, None the usual one."""

    data: str
    listen: str = ""
    port: int | None = None
    simulate_gpus: str = ""
    in_process: bool = False
    isolation: str = "best"
    egress: bool = True
    host_paths: tuple[str, ...] = ()


class Running(NamedTuple):
    """A platform that was started: where it is, and how long it took to be ready (seconds).

    `found` is what the server says of a store that was not ended in order, or of another version.
    """

    server: str
    seconds: float
    found: str = ""


class Prepared(NamedTuple):
    """All that the watchman's command line needs."""

    data: DataDir
    lock: int
    sockets: list[int]
    server: str
    parts: list[dict[str, object]]


def prepare(wishes: Wishes, clock: Clock) -> Prepared:
    """Lock the data directory, take the port, make keys and kubeconfigs.

    Raises Trouble when another platform runs there, the port is taken, the disk refuses, or a wish
    means nothing.
    """
    data = DataDir(wishes.data)
    check_devices(wishes.simulate_gpus)
    try:
        data.make()
        _has_room(data.root)
        lock = processes.lock(data.lock)
    except processes.Busy as busy:
        raise Trouble(
            f"the platform of {data.root} is already up (process {busy.holder})",
            "athanor status shows it, athanor down ends it; --data DIR names another",
        ) from None
    except OSError as error:
        raise _disk(data.root, error) from None
    try:
        _check_clock(data, clock.now())
        sockets, port = _listen(wishes, _last_port(data))
    except Trouble:
        os.close(lock)
        raise
    server = f"https://127.0.0.1:{port}"
    try:
        _keys(data, wishes, server, clock)
        settings = {"port": port, "listen": wishes.listen, "server": server, "node": NODE}
        write_private(data.settings, json.dumps(settings).encode() + b"\n")
    except OSError as error:
        raise _disk(data.root, error) from None
    numbers = [sock.detach() for sock in sockets]
    return Prepared(data, lock, numbers, server, _parts(data, wishes, numbers))


def check_devices(wish: str) -> None:
    """Raises Trouble for pretended devices that no agent would understand."""
    try:
        if wish:
            Simulated(wish)
    except ValueError as error:
        raise Trouble(str(error), "athanor up --simulate-gpus 8xA100") from None


def command(ready: int, prepared: Prepared) -> list[str]:
    """The watchman's command line."""
    return [
        sys.executable, "-m", "athanor.assembly.watchman", str(prepared.data.root),
        str(prepared.lock), ",".join(map(str, prepared.sockets)), str(ready),
        prepared.server, json.dumps(prepared.parts),
    ]  # fmt: skip


def foreground(prepared: Prepared) -> None:
    """Become the watchman; does not return."""
    for descriptor in (prepared.lock, *prepared.sockets):
        os.set_inheritable(descriptor, True)
    words = command(-1, prepared)
    sys.stdout.flush()
    os.execv(words[0], words)


def beside(prepared: Prepared) -> subprocess.Popen[bytes]:
    """Start the watchman as a child that ends with this process; it speaks to its log."""
    with open(prepared.data.log("watchman"), "ab", opener=_private) as output:
        return subprocess.Popen(
            command(-1, prepared), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            pass_fds=[prepared.lock, *prepared.sockets], preexec_fn=die_with_parent,
        )  # fmt: skip


def detach(prepared: Prepared, clock: Clock, seconds: float = 60) -> Running:
    """Start the watchman in the background; returns when all is ready.

    Raises Trouble with the last line of the log when that does not happen in `seconds`.
    """
    started = clock.monotonic()
    said_by = prepared.data.log(str(prepared.parts[0]["name"]))
    written = said_by.stat().st_size if said_by.exists() else 0
    reader, writer = os.pipe()
    log = prepared.data.log("watchman")
    with open(log, "ab", opener=_private) as output:
        watchman = subprocess.Popen(
            command(writer, prepared), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            pass_fds=[writer, prepared.lock, *prepared.sockets], start_new_session=True, cwd="/",
        )  # fmt: skip
    for descriptor in (writer, prepared.lock, *prepared.sockets):
        os.close(descriptor)
    said = _hear(reader, seconds)
    os.close(reader)
    watchman.returncode = 0  # it is not ours to wait for any more
    if said == "ready":
        return Running(prepared.server, clock.monotonic() - started, found(said_by, written))
    why = said.removeprefix("failed ") or f"not ready after {seconds:.0f} s: {last_line(log)}"
    down(prepared.data)
    raise Trouble(f"the platform did not start: {why}", f"see {prepared.data.logs}")


def found(log: Path, written: int) -> str:
    """What a server's log, from byte `written` on, begins with, when that is a warning."""
    with open(log, "rb") as file:
        file.seek(written)
        said = file.readline().decode(errors="replace").strip()
    return said.partition(" WARNING ")[2]


def down(data: DataDir) -> list[str]:
    """End the platform of a data directory; returns the names of what was ended.

    Ends exactly the processes that `up` noted, also when their watchman is gone.
    """
    ended: list[str] = []
    watchman = processes.read(data.lock)
    if processes.held(data.lock) and processes.stop(watchman, STOP_SECONDS):
        ended.append("watchman")
    for name in ("controllers", "agent", "together", "server"):
        file = data.run / f"{name}.pid"
        if processes.stop(processes.read(file), 10):
            ended.append(name)
        file.unlink(missing_ok=True)
        if name == "together" and supervisor.shut_down(data.run):
            ended.append("supervisor")
    data.status.unlink(missing_ok=True)
    return ended


def _listen(wishes: Wishes, last: int) -> tuple[list[socket.socket], int]:
    port = wishes.port if wishes.port is not None else last
    addresses = ["127.0.0.1"]
    if wishes.listen in ("0.0.0.0", "::"):
        addresses = [wishes.listen]
    elif wishes.listen and wishes.listen not in addresses:
        addresses.append(wishes.listen)
    sockets: list[socket.socket] = []
    for address in addresses:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((address, port))
            sock.listen(1024)
        except OSError as error:
            for opened in (sock, *sockets):
                opened.close()
            if error.errno == errno.EADDRINUSE:
                raise Trouble(
                    f"port {port} of {address} is taken by another program",
                    "athanor up --port 0 takes a free one; athanor doctor shows who has it",
                ) from None
            raise Trouble(
                f"cannot listen on {address}:{port}: {error.strerror}",
                "--listen wants an address of this machine",
            ) from None
        port = sock.getsockname()[1]
        sockets.append(sock)
    return sockets, port


def _last_port(data: DataDir) -> int:
    """The port of the last run, so that kubeconfigs that were handed out stay good."""
    try:
        return int(json.loads(data.settings.read_text(encoding="utf-8"))["port"])
    except (OSError, ValueError, KeyError, TypeError):
        return DEFAULT_PORT


def _check_clock(data: DataDir, now: float) -> None:
    begin = Pki(data.pki, now).begin
    if begin > now:
        raise Trouble(
            f"the clock says {rfc3339(now)}, but the keys in {data.pki} are valid from "
            f"{rfc3339(begin)} on",
            "set this machine's clock",
        )


def _keys(data: DataDir, wishes: Wishes, server: str, clock: Clock) -> None:
    pki = Pki(data.pki, clock.now())
    pki.server([wishes.listen] if wishes.listen not in ("0.0.0.0", "::") else _own_addresses())
    pki.signing_key()
    identities.write(data, pki, server, NODE)


def _own_addresses() -> list[str]:
    found = socket.getaddrinfo(socket.gethostname(), None, type=socket.SOCK_STREAM)
    return sorted({str(entry[4][0]).partition("%")[0] for entry in found})


def _parts(data: DataDir, wishes: Wishes, sockets: list[int]) -> list[dict[str, object]]:
    python = [sys.executable, "-m"]
    serve = ["--data", str(data.root), "--sockets", ",".join(map(str, sockets))]
    node = [
        "--data", str(data.root), "--kubeconfig", str(data.kubeconfig("agent")),
        "--node-name", NODE, "--isolation", wishes.isolation,
        *(["--simulate-gpus", wishes.simulate_gpus] if wishes.simulate_gpus else []),
        *([] if wishes.egress else ["--no-egress"]),
        *(word for root in (str(data.checkpoints), *wishes.host_paths)
          for word in ("--allow-host-path", root)),
    ]  # fmt: skip
    if wishes.in_process:
        together = [*python, "athanor.assembly.together", *serve, *node[2:]]
        return [{"name": "together", "command": together, "sockets": True}]
    return [
        {
            "name": "server",
            "command": [*python, "athanor.assembly.server", *serve],
            "sockets": True,
        },
        {"name": "agent", "command": [*python, "athanor.local.agent", *node]},
        {
            "name": "controllers",
            "command": [*python, "athanor.assembly.controllers", "--data", str(data.root)],
        },
    ]


def _hear(reader: int, seconds: float) -> str:
    """What the watchman says, or "" when it says nothing in time or ends."""
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if poll.poll(left * 1000):
            return os.read(reader, 4096).decode(errors="replace").strip()
    return ""


def _has_room(path: Path) -> None:
    found = os.statvfs(path)
    free = found.f_bavail * found.f_frsize
    if found.f_blocks and free < ROOM:
        text = f"No space left on device: {free >> 10} KiB are free, {ROOM >> 10} are needed"
        raise OSError(errno.ENOSPC, text, str(path))


def _disk(path: Path, error: OSError) -> Trouble:
    hints = {
        errno.ENOSPC: "make room, or use another disk with --data DIR",
        errno.EDQUOT: "your disk quota is used up: make room, or use --data DIR",
        errno.EROFS: "it is mounted read-only: use --data DIR",
        errno.EACCES: "it belongs to somebody else: use --data DIR",
        errno.EPERM: "it belongs to somebody else: use --data DIR",
    }
    return Trouble(
        f"cannot write to {error.filename or path}: {error.strerror}",
        hints.get(error.errno or 0, "use another directory with --data DIR"),
    )


def _private(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)
