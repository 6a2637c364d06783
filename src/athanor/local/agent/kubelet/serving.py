"""The certificate this node shows: its own at first, the cluster's once that is issued.

A node of a cluster asks with a CertificateSigningRequest (kubernetes.io/kubelet-serving), as
kubelets with `serverTLSBootstrap` do; somebody has to approve it (`kubectl certificate approve`).
Until then it shows one of its own, which API servers accept that do not verify kubelets. Both are
renewed in time.
"""

from __future__ import annotations

import asyncio
import base64
import importlib
import logging
import ssl
from pathlib import Path
from typing import Any

from athanor.api.meta import JSON
from athanor.local.agent.node import Node
from athanor.local.pki import write_private
from athanor.local.shown import EVERY, Shown
from athanor.wire import calls
from athanor.wire.status import ApiError

log = logging.getLogger(__name__)
SIGNER = "kubernetes.io/kubelet-serving"
_PATH = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
_LOOK = 2.0  # seconds between two looks at a request
_PATIENCE = 900.0  # seconds until a request that nobody approves is made anew: they expire
_LATER = 300.0  # seconds until the next try after a refusal
_RENEW = 0.2  # of its life left: time for the next one


class Serving:
    """Holds the TLS settings; `run` keeps their certificate good."""

    def __init__(self, node: Node) -> None:
        self._node = node
        settings = node.settings
        joined = settings.joined
        # a cluster's nodes vouch for themselves with an authority of their own, never ours
        self._own = Shown(
            settings.data / "pki", node.clock, hosts=[settings.address],
            name=f"kubelet-{settings.name}", trusts=joined.client_ca if joined else "",
        )  # fmt: skip
        self.tls: ssl.SSLContext = self._own.tls
        self._issued_until = 0.0  # the cluster's certificate that is shown ends then
        self._files = [settings.data / "pki" / f"serving.{end}" for end in ("crt", "key")]

    async def run(self) -> None:
        """Keep what is shown good, on a cluster by asking that for it, until cancelled."""
        while True:
            try:
                pause = await self.look()
            except (ApiError, OSError, ValueError) as error:
                log.warning("serving certificate: %s", error)
                pause = _LATER
            await asyncio.sleep(pause)

    async def look(self) -> float:
        """Do what is to be done now; returns the seconds until the next look.

        Raises ApiError, OSError, ValueError.
        """
        joined = self._node.settings.joined is not None
        if joined and (good := self._take()):
            return good
        if self._issued_until <= self._node.clock.now():
            self._own.renew()
        return await self._ask() if joined else EVERY

    def _take(self) -> float:
        """Show the certificate that is there; returns for how many seconds there is no need of the
        next one, or 0.
        """
        certificate, key = self._files
        if not certificate.exists() or not key.exists():
            return 0.0
        begin, end, hosts = _minting().facts(certificate.read_bytes())
        now = self._node.clock.now()
        if end <= now or self._node.settings.address not in hosts:
            return 0.0
        self.tls.load_cert_chain(str(certificate), str(key))
        self._issued_until = end
        return float(max(0.0, min(end - (end - begin) * _RENEW - now, 86_400.0)))

    async def _ask(self) -> float:
        """Request a certificate and wait for it; returns the seconds until the next look."""
        settings = self._node.settings
        name = f"system:node:{settings.name}"
        pair = _minting().request(name, ("system:nodes",), (settings.name, settings.address))
        body: JSON = {
            "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest",
            "metadata": {"generateName": "csr-"},
            "spec": {
                "signerName": SIGNER, "request": base64.b64encode(pair.certificate).decode(),
                "usages": ["digital signature", "server auth"],
            },
        }  # fmt: skip
        made = await self._node.client(calls.raw("POST", _PATH, body=body))
        asked = made["metadata"]["name"]
        log.info("certificate request %s waits for approval: kubectl certificate approve %s",
                 asked, asked)  # fmt: skip
        end = self._node.clock.monotonic() + _PATIENCE
        while self._node.clock.monotonic() < end:
            await asyncio.sleep(_LOOK)
            found = await self._node.client(calls.raw("GET", f"{_PATH}/{asked}"))
            status = found.get("status") or {}
            for condition in status.get("conditions") or []:
                if condition["type"] in ("Denied", "Failed"):
                    why = condition.get("message") or condition.get("reason", "")
                    raise ValueError(f"request {asked} was {condition['type'].lower()}: {why}")
            if issued := status.get("certificate"):
                self._keep(base64.b64decode(issued), pair.key)
                log.info("this node shows the certificate of request %s", asked)
                return self._take() or _LATER
        return 0.0

    def _keep(self, certificate: bytes, key: bytes) -> None:
        crt, secret = self._files
        Path(crt).unlink(missing_ok=True)  # never a certificate beside the key of another
        write_private(secret, key)
        write_private(crt, certificate)


def _minting() -> Any:
    return importlib.import_module("athanor.local.minting")
