"""How to start the small processes beside the agent: command lines for whoever launches them.

They run without site-packages (`-S`) and without the environment's say (`-E`): they must
stay small and must not break when the platform's environment does.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path

SOURCE = str(Path(__file__).resolve().parents[3])


def supervisor_command(
    data: Path, gateway: str = "10.88.0.1", isolation: str = "best"
) -> list[str]:
    """The command of the supervisor that serves the node in `data`. Start it in its own session."""
    return [
        *_bare("athanor.local.agent.supervisor.server"),
        "--run", str(data / "run"), "--tag", tag(data),
        "--gateway", gateway, "--isolation", isolation,
    ]  # fmt: skip


def outward_command(sockets: Sequence[int], name_servers: Sequence[str] = ()) -> list[str]:
    """The command of the pods' way out; it inherits the gateway's sockets."""
    asked = [word for server in name_servers for word in ("--name-server", server)]
    return [*_bare("athanor.local.agent.outward"), *map(str, sockets), *asked]


def _bare(module: str) -> list[str]:
    code = f"import sys; sys.path.insert(0, {SOURCE!r}); from {module} import main; main()"
    return [sys.executable, "-S", "-E", "-c", code]


def tag(data: Path) -> str:
    """A short name for this data directory, unique on the machine: names its control groups."""
    return hashlib.sha256(str(data.resolve()).encode()).hexdigest()[:10]
