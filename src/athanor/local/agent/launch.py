"""How to start the supervisor and the agent as processes: command lines for whoever launches them.

The supervisor runs without site-packages (`-S`) and without the environment's say (`-E`): it must
stay small and must not break when the platform's environment does.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

SOURCE = str(Path(__file__).resolve().parents[3])


def supervisor_command(
    data: Path, gateway: str = "10.88.0.1", isolation: str = "best"
) -> list[str]:
    """The command of the supervisor that serves the node in `data`. Start it in its own session."""
    code = (
        f"import sys; sys.path.insert(0, {SOURCE!r}); "
        "from athanor.local.agent.supervisor.server import main; main()"
    )
    return [
        sys.executable, "-S", "-E", "-c", code, "--run", str(data / "run"), "--tag", tag(data),
        "--gateway", gateway, "--isolation", isolation,
    ]  # fmt: skip


def tag(data: Path) -> str:
    """A short name for this data directory, unique on the machine: names its control groups."""
    return hashlib.sha256(str(data.resolve()).encode()).hexdigest()[:10]
