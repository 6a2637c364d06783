"""The certificate that a server shows, renewed while it serves.

New handshakes get the new one; connections that are open keep what they have seen.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from athanor.kit.clock import Clock
from athanor.kit.http import server_tls
from athanor.local.pki import Credential, Pki
from athanor.wire.status import ApiError

log = logging.getLogger(__name__)

EVERY = 43_200.0
"""Seconds between two looks: a certificate is renewed weeks before its end."""


class Shown:
    """`tls` are the settings to serve with, `authority` (PEM) vouches for what they show.

    `trusts` is the file of the authority that vouches for clients, the directory's own when empty.
    """

    def __init__(
        self, directory: Path, clock: Clock, *, hosts: Sequence[str] = (), trusts: str = "",
        name: str = "kube-apiserver",
    ) -> None:  # fmt: skip
        self._directory = directory
        self._clock = clock
        self._hosts = hosts
        self._name = name
        mine = self._mine()
        self.tls: ssl.SSLContext = server_tls(
            str(mine.certificate), str(mine.key), trusts or str(mine.authority)
        )
        self.authority = mine.authority.read_bytes()

    def renew(self) -> None:
        """Show the certificate that is good now, a new one when the time has come.

        Raises OSError.
        """
        mine = self._mine()
        self.tls.load_cert_chain(str(mine.certificate), str(mine.key))
        self.authority = mine.authority.read_bytes()

    async def run(self, tell: Callable[[bytes], Awaitable[None]], every: float = EVERY) -> None:
        """Renew in time, and `tell` who vouches for it each time, until cancelled."""
        while True:
            await asyncio.sleep(every)
            try:
                self.renew()
                await tell(self.authority)
            except (ApiError, OSError, ValueError) as problem:
                log.warning("serving certificate of %s: %s", self._name, problem)

    def _mine(self) -> Credential:
        return Pki(self._directory, self._clock.now()).server(self._hosts, self._name)
