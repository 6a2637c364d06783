"""The laptop cluster's keys and certificates, as files that only their owner can read.

One directory (mode 0700, files 0600) holds our own certificate authority, the certificates of the
server and of each client, and the key that signs service-account tokens. Everything is made when it
is first asked for, renewed before it expires, written whole or not at all, and guarded by a file
lock, so two starts at once share one authority. Signing itself is `athanor.local.minting`'s.
"""

from __future__ import annotations

import base64
import fcntl
import importlib
import json
import os
import secrets
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from athanor.local.validity import AUTHORITY_LIFE, LIFE, RENEW, SKEW

ALWAYS_HOSTS = (
    "127.0.0.1", "::1", "localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)  # fmt: skip
"""Names a server certificate is always good for; pods know the server by some of them."""


class Made(Struct, frozen=True, kw_only=True):
    """What a certificate file says, so that it need not be parsed at each start."""

    name: str
    expires: float
    authority: str
    groups: list[str] = []
    hosts: list[str] = []


class Credential(Struct, frozen=True, kw_only=True):
    """A certificate and its key as files, and the authority that vouches for the other side."""

    certificate: Path
    key: Path
    authority: Path


class Pki:
    """The directory of keys. `now` is in seconds since the epoch; it decides what is renewed."""

    def __init__(self, directory: Path, now: float) -> None:
        self.directory = directory
        self._now = now
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.chmod(0o700)
        with self._lock():
            self._ensure_authority()

    @property
    def begin(self) -> float:
        """When what this authority signs begins to be valid (seconds since the epoch)."""
        made = self._note(self.directory / "ca.json")
        return made.expires - AUTHORITY_LIFE - SKEW if made else 0.0

    @property
    def authority(self) -> Path:
        """The authority's certificate (PEM)."""
        return self.directory / "ca.crt"

    def server(self, hosts: Sequence[str] = (), name: str = "kube-apiserver") -> Credential:
        """The certificate a server shows: loopback, this machine's name, and `hosts`."""
        wanted = list(dict.fromkeys([*ALWAYS_HOSTS, socket.gethostname(), *filter(None, hosts)]))
        return self._ensure(name.replace(":", "-"), name, (), wanted)

    def client(self, name: str, groups: Sequence[str] = ()) -> Credential:
        """A client's certificate: user `name` in `groups`."""
        return self._ensure("client-" + _file_name(name), name, groups, ())

    def signing_key(self) -> bytes:
        """The secret that signs service-account tokens; 32 bytes, made once."""
        path = self.directory / "service-accounts.key"
        with self._lock():
            if not path.exists():
                _write(path, base64.b64encode(secrets.token_bytes(32)) + b"\n")
            return base64.b64decode(path.read_bytes())

    def forget(self, name: str) -> None:
        """Delete a client's files. Certificates already handed out stay valid until they expire."""
        stem = "client-" + _file_name(name)
        with self._lock():
            for suffix in (".crt", ".key", ".json"):
                (self.directory / (stem + suffix)).unlink(missing_ok=True)

    def kubeconfig(self, name: str, groups: Sequence[str], server: str, namespace: str = "") -> str:
        """A kubeconfig (YAML) that holds everything `name` needs to reach `server` (a URL)."""
        credential = self.client(name, groups)
        return kubeconfig(
            server=server,
            authority=self.authority.read_bytes(),
            user=name,
            namespace=namespace,
            certificate=credential.certificate.read_bytes(),
            key=credential.key.read_bytes(),
        )

    def _ensure(
        self, stem: str, name: str, groups: Sequence[str], hosts: Sequence[str]
    ) -> Credential:
        credential = Credential(
            certificate=self.directory / f"{stem}.crt",
            key=self.directory / f"{stem}.key",
            authority=self.authority,
        )
        note = self.directory / f"{stem}.json"
        with self._lock():
            signer = self._note(self.directory / "ca.json")
            made = self._note(note)
            fresh = (
                made is not None
                and signer is not None
                and made.authority == signer.authority
                and made.name == name
                and made.groups == list(groups)
                and set(made.hosts) >= set(hosts)
                and made.expires - self._now > RENEW
                and credential.certificate.exists()
                and credential.key.exists()
            )
            if not fresh:
                self._make(credential, note, name, groups, hosts)
        return credential

    def _make(
        self, files: Credential, note: Path, name: str, groups: Sequence[str], hosts: Sequence[str]
    ) -> None:
        mint = _minting()
        signer = self._note(self.directory / "ca.json")
        ca = mint.Pair(self.authority.read_bytes(), (self.directory / "ca.key").read_bytes())
        wanted = mint.Wanted(name=name, groups=groups, hosts=hosts, server=bool(hosts), life=LIFE)
        pair = mint.certificate(ca, wanted, self._now)
        # the note goes last: a start that dies in between makes the pair again
        note.unlink(missing_ok=True)
        _write(files.key, pair.key)
        _write(files.certificate, pair.certificate)
        made = Made(
            name=name,
            expires=self._now + LIFE,
            authority=signer.authority if signer else "",
            groups=list(groups),
            hosts=list(hosts),
        )
        _write(note, msgspec.json.encode(made))

    def _ensure_authority(self) -> None:
        note = self.directory / "ca.json"
        made = self._note(note)
        key = self.directory / "ca.key"
        if made and made.expires - self._now > LIFE and key.exists() and self.authority.exists():
            return
        pair = _minting().authority("athanor-ca", self._now, AUTHORITY_LIFE)
        note.unlink(missing_ok=True)
        _write(key, pair.key)
        _write(self.authority, pair.certificate)
        expires = self._now + AUTHORITY_LIFE
        _write(
            note,
            msgspec.json.encode(
                Made(name="athanor-ca", expires=expires, authority=secrets.token_hex(8))
            ),
        )

    def _note(self, path: Path) -> Made | None:
        with suppress(FileNotFoundError, msgspec.MsgspecError):
            return msgspec.json.decode(path.read_bytes(), type=Made)
        return None

    @contextmanager
    def _lock(self) -> Iterator[None]:
        descriptor = os.open(self.directory / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def kubeconfig(
    *,
    server: str,
    authority: bytes,
    user: str,
    namespace: str = "",
    certificate: bytes = b"",
    key: bytes = b"",
    token: str = "",
) -> str:
    """A kubeconfig (YAML) with one context, named athanor; identity by certificate or token."""
    identity = (
        [f"    token: {json.dumps(token)}"]
        if token
        else [
            f"    client-certificate-data: {_base64(certificate)}",
            f"    client-key-data: {_base64(key)}",
        ]
    )
    where = [f"    namespace: {json.dumps(namespace)}"] if namespace else []
    return "\n".join(
        [
            "apiVersion: v1",
            "kind: Config",
            "clusters:",
            "- name: athanor",
            "  cluster:",
            f"    server: {json.dumps(server)}",
            f"    certificate-authority-data: {_base64(authority)}",
            "users:",
            f"- name: {json.dumps(user)}",
            "  user:",
            *identity,
            "contexts:",
            "- name: athanor",
            "  context:",
            "    cluster: athanor",
            f"    user: {json.dumps(user)}",
            *where,
            "current-context: athanor",
            "",
        ]
    )


def write_private(path: Path, data: bytes) -> None:
    """Put `data` at `path` in one step, readable by its owner only (mode 0600)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, data)


def _write(path: Path, data: bytes) -> None:
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _file_name(name: str) -> str:
    """A file name of its own for every user name."""
    safe = "".join(c if c.isalnum() or c in "-_." else f"%{ord(c):x}" for c in name)
    return safe[:100]


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _minting() -> Any:
    return importlib.import_module("athanor.local.minting")
