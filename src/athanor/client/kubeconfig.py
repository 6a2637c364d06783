"""Kubeconfig files: read, merge as kubectl does, write.

What could run programs or send passwords (exec and auth-provider plugins, basic authentication,
proxies) is refused, by name.
"""

from __future__ import annotations

import base64
import binascii
import importlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from athanor.client.target import Target
from athanor.wire.status import ApiError

_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_REFUSED = {
    "exec": "credential plugins are not run",
    "auth-provider": "auth-provider plugins are not run",
    "username": "passwords are not sent",
    "password": "passwords are not sent",
}


class Context(Struct, frozen=True, kw_only=True):
    """A named pair of cluster and user, and the namespace to begin in."""

    name: str
    cluster: str
    user: str
    namespace: str = "default"


class Kubeconfig:
    """One or several files as one. Sections are by name; file references are absolute."""

    def __init__(self) -> None:
        self.current = ""
        self.contexts: dict[str, Context] = {}
        self.clusters: dict[str, Mapping[str, Any]] = {}
        self.users: dict[str, Mapping[str, Any]] = {}
        self.files: list[Path] = []

    def target(self, context: str | None = None) -> Target:
        """The server and identity of a context. Raises ApiError(BadRequest) saying what lacks."""
        name = context or self.current
        where = ", ".join(str(file) for file in self.files) or "no kubeconfig"
        if not name:
            raise _bad(f"{where}: no current-context is set; name one")
        found = self.contexts.get(name)
        if found is None:
            known = ", ".join(self.contexts) or "none"
            raise _bad(f"{where}: there is no context {name!r} (known: {known})")
        cluster, user = self.clusters.get(found.cluster), self.users.get(found.user, {})
        if cluster is None:
            raise _bad(f"{where}: context {name!r} names cluster {found.cluster!r}, which is not")
        if found.user and found.user not in self.users:
            raise _bad(f"{where}: context {name!r} names user {found.user!r}, which is not there")
        for key, why in _REFUSED.items():
            if user.get(key):
                raise _bad(
                    f"{where}: user {found.user!r} has {key!r}, and {why} here; "
                    "use a token or a client certificate"
                )
        if cluster.get("proxy-url"):
            raise _bad(
                f"{where}: cluster {found.cluster!r} has 'proxy-url', which is not supported"
            )
        if not cluster.get("server"):
            raise _bad(f"{where}: cluster {found.cluster!r} has no 'server'")
        return Target(
            server=str(cluster["server"]),
            ca=_pem(cluster, "certificate-authority", where),
            certificate=_pem(user, "client-certificate", where),
            key=_pem(user, "client-key", where),
            token=str(user.get("token") or ""),
            token_file="" if user.get("token") else str(user.get("tokenFile") or ""),
            namespace=found.namespace,
            insecure=bool(cluster.get("insecure-skip-tls-verify")),
            server_name=str(cluster.get("tls-server-name") or ""),
        )


def load(paths: Sequence[str | Path]) -> Kubeconfig:
    """Merge files in order: the first to name something wins, files that are missing are skipped.

    Raises ApiError(BadRequest) for a file that cannot be read or understood.
    """
    merged = Kubeconfig()
    for path in map(Path, paths):
        try:
            text = path.read_text()
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError) as error:
            raise _bad(f"{path} cannot be read: {error}") from error
        merged.files.append(path)
        _merge(merged, path, _parse(path, text))
    return merged


def reader(paths: Sequence[str | Path], context: str | None = None) -> Callable[[], Target]:
    """Says the target of a context as the files say it when it is asked. It raises ApiError."""
    return lambda: load(paths).target(context)


def default_paths(environment: Mapping[str, str]) -> list[Path]:
    """Where kubectl looks: the KUBECONFIG list, else ~/.kube/config."""
    listed = environment.get("KUBECONFIG", "")
    if listed:
        return [Path(part) for part in listed.split(os.pathsep) if part]
    return [Path(environment.get("HOME", "~")).expanduser() / ".kube" / "config"]


def in_cluster(environment: Mapping[str, str], folder: Path = _SERVICE_ACCOUNT) -> Target | None:
    """The server as a pod sees it, through its service account; None outside pods."""
    host, port = (environment.get(f"KUBERNETES_SERVICE_{part}") for part in ("HOST", "PORT"))
    if not host or not port or not (folder / "token").exists():
        return None
    namespace = folder / "namespace"
    return Target(
        server=f"https://{f'[{host}]' if ':' in host else host}:{port}",
        ca=(folder / "ca.crt").read_text(),
        token_file=str(folder / "token"),
        namespace=namespace.read_text().strip() if namespace.exists() else "default",
    )


def document(name: str, target: Target, *, user: str = "") -> dict[str, Any]:
    """A kubeconfig with this one target, everything inline."""
    cluster: dict[str, Any] = {"server": target.server}
    if target.ca:
        cluster["certificate-authority-data"] = _b64(target.ca)
    if target.insecure:
        cluster["insecure-skip-tls-verify"] = True
    if target.server_name:
        cluster["tls-server-name"] = target.server_name
    identity: dict[str, Any] = {}
    if target.certificate:
        identity["client-certificate-data"] = _b64(target.certificate)
        identity["client-key-data"] = _b64(target.key)
    if target.token:
        identity["token"] = target.token
    if target.token_file:
        identity["tokenFile"] = target.token_file
    user = user or name
    context = {"cluster": name, "user": user, "namespace": target.namespace}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": cluster}],
        "contexts": [{"name": name, "context": context}],
        "users": [{"name": user, "user": identity}],
    }


def dump(config: Mapping[str, Any]) -> str:
    """YAML text."""
    yaml = _yaml()
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return str(yaml.dump(config, Dumper=dumper, sort_keys=False))


def write(path: str | Path, name: str, target: Target, *, user: str = "") -> None:
    """Put a target into a file under a name and make it current; what else is there stays.

    The file is replaced in one step, and only its owner may read it.
    """
    path = Path(path)
    fresh = document(name, target, user=user)
    if path.exists():
        old = _parse(path, path.read_text())
        for section in ("clusters", "contexts", "users"):
            kept = [
                entry
                for entry in old.get(section) or []
                if entry.get("name") not in {new["name"] for new in fresh[section]}
            ]
            fresh[section] = kept + fresh[section]
        fresh = {**old, **fresh}
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(dump(fresh))
    part.replace(path)


def _parse(path: Path, text: str) -> Mapping[str, Any]:
    if text.startswith("{"):  # JSON is YAML, and read in a tenth of the time
        try:
            found = msgspec.json.decode(text)
            return found if isinstance(found, dict) else {}
        except msgspec.DecodeError:
            found = None
    yaml = _yaml()
    try:
        found = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise _bad(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if found is None:
        return {}
    if not isinstance(found, dict) or found.get("kind", "Config") != "Config":
        raise _bad(f"{path} is not a kubeconfig (kind: Config)")
    return found


def _merge(merged: Kubeconfig, path: Path, found: Mapping[str, Any]) -> None:
    merged.current = merged.current or str(found.get("current-context") or "")
    try:
        for entry in found.get("clusters") or []:
            cluster = _absolute(path, entry.get("cluster") or {})
            merged.clusters.setdefault(str(entry["name"]), cluster)
        for entry in found.get("users") or []:
            merged.users.setdefault(str(entry["name"]), _absolute(path, entry.get("user") or {}))
        for entry in found.get("contexts") or []:
            said = entry.get("context") or {}
            context = Context(
                name=str(entry["name"]),
                cluster=str(said.get("cluster") or ""),
                user=str(said.get("user") or ""),
                namespace=str(said.get("namespace") or "default"),
            )
            merged.contexts.setdefault(context.name, context)
    except (AttributeError, KeyError, TypeError) as error:
        raise _bad(f"{path}: a cluster, user or context is malformed ({error!r})") from error


def _absolute(path: Path, section: Mapping[str, Any]) -> Mapping[str, Any]:
    """File references are relative to the kubeconfig that makes them."""
    changed = dict(section)
    for key in ("certificate-authority", "client-certificate", "client-key", "tokenFile"):
        if section.get(key):
            changed[key] = str(path.absolute().parent / str(section[key]))
    return changed


def _pem(section: Mapping[str, Any], key: str, where: str) -> str:
    """The PEM text behind `KEY-data` (base64) or `KEY` (a file)."""
    inline, file = section.get(f"{key}-data"), section.get(key)
    try:
        if inline:
            return base64.b64decode(inline, validate=True).decode()
        return Path(str(file)).read_text() if file else ""
    except (binascii.Error, UnicodeDecodeError, TypeError) as error:
        raise _bad(f"{where}: {key}-data is not base64 of PEM text: {error}") from error
    except OSError as error:
        raise _bad(f"{where}: {key} {file} cannot be read: {error.strerror}") from error


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _bad(message: str) -> ApiError:
    return ApiError("BadRequest", message)


def _yaml() -> Any:
    """Imported when it is needed: it takes as long as a whole one-shot command should."""
    return importlib.import_module("yaml")
