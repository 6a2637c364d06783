"""Where a server is and who we are there; TLS and sockets set up for both transports."""

from __future__ import annotations

import base64
import os
import re
import socket
import ssl
import tempfile
from pathlib import Path

from msgspec import Struct

from athanor.wire.request import Request
from athanor.wire.status import ApiError


class Target(Struct, frozen=True, kw_only=True):
    """One API server and one identity. Certificates and keys are PEM text, not file names.

    `public`: it is no API server, and may show a certificate that everybody trusts.
    """

    server: str
    ca: str = ""
    certificate: str = ""
    key: str = ""
    token: str = ""
    token_file: str = ""
    namespace: str = "default"
    insecure: bool = False
    server_name: str = ""
    public: bool = False

    def bearer(self) -> str:
        """The token to send, read anew from `token_file` (bounded tokens are replaced there)."""
        if not self.token_file:
            return self.token
        try:
            return Path(self.token_file).read_text().strip()
        except OSError as error:
            raise ApiError(
                "Unauthorized", f"the token file {self.token_file} cannot be read: {error.strerror}"
            ) from error

    def headers(self, request: Request) -> dict[str, str]:
        """The request's headers with our identity; a token of its own is left alone."""
        headers = {"accept-encoding": "identity", "user-agent": "athanor", **request.headers}
        if "authorization" not in headers and (token := self.bearer()):
            headers["authorization"] = f"Bearer {token}"
        return headers


def context(target: Target) -> ssl.SSLContext | None:
    """The TLS settings of a target; None for plain http."""
    if not target.server.startswith("https://"):
        return None
    settings = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if target.insecure:
        settings.check_hostname = False
        settings.verify_mode = ssl.CERT_NONE
    elif target.ca:
        settings.load_verify_locations(cadata=target.ca)
    if not target.ca or target.public:
        settings.load_default_certs()
    if target.certificate:
        identify(settings, target)
    return settings


def identify(settings: ssl.SSLContext, target: Target) -> None:
    """Show the target's certificate from the next handshake on. Raises ApiError.

    OpenSSL reads certificate and key from a file only: one that lives for a moment, 0600.
    """
    descriptor, name = tempfile.mkstemp(prefix="athanor-", suffix=".pem")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(target.certificate.rstrip() + "\n" + target.key)
        settings.load_cert_chain(name)
    except ssl.SSLError as error:
        raise ApiError(
            "Unauthorized",
            f"the client certificate for {target.server} and its key cannot be used: {error}",
        ) from error
    finally:
        os.unlink(name)


_ALIVE = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
"""The kernel asks a silent peer after so many seconds, then every so many, so often."""


def keep_alive(made: socket.socket) -> None:
    """Let streams break within half a minute when the machine at the far end has gone."""
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _ALIVE.items():
        if hasattr(socket, name):  # not every system has all of them
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


_PEM = re.compile(f"{ssl.PEM_HEADER}(.+?){ssl.PEM_FOOTER}", re.DOTALL)
_VALIDITY = re.compile(rb"\x30[\x1e\x20\x22][\x17\x18].\d+Z[\x17\x18].(\d+)Z", re.DOTALL)
"""When a certificate begins and ends (RFC 5280, 4.1.2.5), in DER."""


def _last_day(target: Target) -> str:
    """When the certificate that was shown ends; "" when none was."""
    pem = _PEM.search(target.certificate) if target.server.startswith("https://") else None
    found = _VALIDITY.search(base64.b64decode(pem[1])) if pem else None
    if found is None:
        return ""
    day = found[1].decode()[:-6]
    day = "20" + day if len(day) == 6 else day  # a UTCTime has two digits of the year
    return f"{day[:4]}-{day[4:6]}-{day[6:]}"


class Unreachable(ApiError):
    """No server answered; one that answers 503 does not raise this."""


def unreachable(target: Target, error: Exception) -> Unreachable:
    """No server answered; says what was tried and the likeliest way out."""
    if isinstance(error, ssl.SSLCertVerificationError):
        why = f"its certificate is not trusted ({error.verify_message})"
    elif isinstance(error, ConnectionRefusedError):
        why = "nothing listens there; is the platform up?"
    elif isinstance(error, TimeoutError):
        why = "no answer in time"
    else:
        why = str(error) or type(error).__name__
        # a server that does not accept a certificate may hang up without a word
        if isinstance(error, ssl.SSLError | ConnectionResetError) or not isinstance(error, OSError):
            day = _last_day(target)
            why += f"; the client certificate ends on {day}" if day else ""
    return Unreachable("ServiceUnavailable", f"no connection to {target.server}: {why}")
