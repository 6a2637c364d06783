"""`athanor agent`: this machine as a node of a cluster whose API server is somebody else's."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from athanor.api.processes import TAINT
from athanor.assembly import processes, supervisor
from athanor.assembly.start import Trouble, check_devices
from athanor.client.target import Target
from athanor.local.agent import main as agents
from athanor.local.agent.node import Joined, Settings

PORT = 10250


class Wishes(NamedTuple):
    """How this machine is to join. `address` "" is the one that leads to the API server."""

    data: str
    name: str
    address: str = ""
    port: int = PORT
    client_ca: str = ""
    labels: Mapping[str, str] = {}
    schedulable: bool = False
    isolation: str = "best"
    network: str = "10.88.0.0/16"
    simulate_gpus: str = ""
    host_paths: Sequence[str] = ()


def join(wishes: Wishes, target: Target) -> Settings:
    """Take the data directory and say how the agent is to run against this API server.

    Raises Trouble when another agent has the folder or no authority is known.
    """
    check_devices(wishes.simulate_gpus)
    data = Path(wishes.data)
    try:
        (data / "run").mkdir(mode=0o700, parents=True, exist_ok=True)
        processes.lock(data / "run" / "agent.lock")
    except processes.Busy as busy:
        raise Trouble(
            f"an agent already runs over {data} (process {busy.holder})",
            "--node-name NAME or --data DIR makes another node of this machine",
        ) from None
    except OSError as error:
        raise Trouble(f"{data} cannot be used: {error.strerror}", "choose another --data") from None
    server = urlsplit(target.server)
    api = (server.hostname or "127.0.0.1", server.port or 443)
    taints = () if wishes.schedulable else (TAINT,)
    joined = Joined(
        client_ca=_client_ca(wishes, target, data), labels=dict(wishes.labels), taints=taints
    )
    return Settings(
        name=wishes.name, data=data, address=wishes.address or _towards(api), port=wishes.port,
        isolation=wishes.isolation, network=wishes.network, simulate_gpus=wishes.simulate_gpus,
        allowed_roots=tuple(str(Path(path).resolve()) for path in wishes.host_paths),
        api=api, ca=target.ca, joined=joined,
    )  # fmt: skip


async def work(settings: Settings, who: Callable[[], Target]) -> None:
    """Be that node until SIGTERM or SIGINT; its pods go on."""
    await agents.main(settings, who)


def end(data: str) -> bool:
    """End the pods that an agent over this folder left running; False when there are none."""
    return supervisor.shut_down(Path(data) / "run")


def default_name() -> str:
    """This machine's name, as a node's."""
    return socket.gethostname().lower() or "node"


def _client_ca(wishes: Wishes, target: Target, data: Path) -> str:
    if wishes.client_ca:
        if not os.access(wishes.client_ca, os.R_OK):
            raise Trouble(f"--client-ca {wishes.client_ca} cannot be read")
        return wishes.client_ca
    if not target.ca:
        raise Trouble(
            "the kubeconfig names no certificate authority",
            "--client-ca FILE says who vouches for the API server's client certificate",
        )
    path = data / "run" / "client-ca.crt"
    path.write_text(target.ca, encoding="ascii")
    return str(path)


def _towards(api: tuple[str, int]) -> str:
    """The address of this machine from which it reaches the API server. Raises Trouble."""
    try:
        family, kind, _, _, where = socket.getaddrinfo(*api, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as probe:
            probe.connect(where)
            return str(probe.getsockname()[0])
    except OSError as error:
        raise Trouble(f"no way to {api[0]}: {error.strerror}", "--address A.B.C.D") from None
