"""Who the platform's own processes and its administrator are, and the kubeconfigs that say so.

`athanor up` writes them, and the server renews them while it runs: a workstation is up for longer
than a certificate may have left at its start.
"""

from __future__ import annotations

import json
from pathlib import Path

from athanor.assembly.layout import DataDir
from athanor.client import kubeconfig
from athanor.client.target import Target
from athanor.local.pki import Pki, write_private


def of(node: str) -> dict[str, tuple[str, tuple[str, ...]]]:
    """User and groups of each part; rights are RBAC's (bootstrap)."""
    return {
        "admin": ("athanor-admin", ("system:masters",)),
        "controllers": ("system:athanor-controllers", ()),
        "gateway": ("system:athanor-gateway", ()),
        "agent": (f"system:node:{node}", ("system:nodes",)),
    }


def write(data: DataDir, pki: Pki, server: str, node: str) -> None:
    """Write the kubeconfig of each part for the API server at this URL. Raises OSError."""
    for part in of(node):
        write_private(_file(data, part), _text(pki, part, server, node).encode())


def renew(data: DataDir, pki: Pki) -> None:
    """Write those anew whose certificate is another by now, the others stay as they are.

    Raises OSError, ValueError.
    """
    settings = json.loads(data.settings.read_text(encoding="utf-8"))
    server, node = settings["server"], settings["node"]
    for part in of(node):
        path, text = _file(data, part), _text(pki, part, server, node)
        (user,) = json.loads(text)["users"]
        if not path.exists() or user["user"]["client-certificate-data"] not in path.read_text():
            write_private(path, text.encode())


def _file(data: DataDir, part: str) -> Path:
    return data.admin if part == "admin" else data.kubeconfig(part)


def _text(pki: Pki, part: str, server: str, node: str) -> str:
    user, groups = of(node)[part]
    mine = pki.client(user, groups)
    target = Target(
        server=server,
        ca=pki.authority.read_text(encoding="ascii"),
        certificate=mine.certificate.read_text(encoding="ascii"),
        key=mine.key.read_text(encoding="ascii"),
    )
    return json.dumps(kubeconfig.document("athanor", target, user=user), indent=1) + "\n"
