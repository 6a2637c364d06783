"""Where things lie in a data directory. Standard library only: the watchman imports it."""

from __future__ import annotations

import os
from pathlib import Path

DEFAULT_PORT = 7443


class DataDir:
    """The folders and files of one laptop cluster; everything is its owner's alone (0700, 0600)."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root).expanduser().absolute()
        self.store = self.root / "store.db"
        self.pki = self.root / "pki"
        self.run = self.root / "run"
        self.logs = self.root / "logs"
        self.node = self.root / "node"
        self.checkpoints = self.node / "checkpoints"
        self.archive = self.node / "archive"
        self.bundles = self.root / "bundles"
        self.audit = self.logs / "audit.log"
        self.admin = self.root / "admin.kubeconfig"
        self.lock = self.run / "up.lock"
        self.status = self.run / "status.json"
        self.settings = self.root / "settings.json"

    def make(self) -> None:
        """Create what is missing. Raises OSError (read-only, full, not ours)."""
        for folder in (self.root, self.run, self.logs, self.pki):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # pods of other users must be able to reach their own folders below it, and no others
        self.node.mkdir(mode=0o711, parents=True, exist_ok=True)
        probe = self.run / ".probe"
        descriptor = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, b"room\n" * 1024)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
            probe.unlink()

    def kubeconfig(self, part: str) -> Path:
        """The kubeconfig of one of the platform's own processes."""
        return self.pki / f"{part}.kubeconfig"

    def log(self, part: str) -> Path:
        """The log of one of the platform's processes."""
        return self.logs / f"{part}.log"
