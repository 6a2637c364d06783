"""A pod's volumes as folders of this machine: made, filled, kept current, removed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct

from athanor.api.meta import JSON
from athanor.kit.times import parse_rfc3339
from athanor.local.agent import files, reach
from athanor.local.agent.files import Entry
from athanor.local.agent.node import Node
from athanor.local.agent.place import TOKEN_PATH, Place
from athanor.local.agent.plan import environ
from athanor.local.agent.plan.environ import Lookup, Missing
from athanor.local.agent.plan.observed import Hold
from athanor.wire import calls

_TOKEN_SECONDS = 3607  # what a kubelet asks for


class Source(Struct, frozen=True, kw_only=True):
    """Where a volume's content lies on this machine."""

    path: str
    read_only: bool = False


class Token(Struct, frozen=True):
    """A service-account token and when to replace it (seconds since the epoch)."""

    text: str
    renew_at: float


class Volumes:
    """The volumes of one pod. `claim` gives the folder of a PersistentVolumeClaim."""

    def __init__(
        self, node: Node, place: Place, pod: JSON, lookup: Lookup,
        claim: Callable[[str, str], str],
    ) -> None:  # fmt: skip
        self.place = place
        self._folder = place.folder
        self._memory = Path("/dev/shm").resolve() / (
            f"athanor-{node.settings.tag}-{pod['metadata']['uid']}"
        )
        self._pod = pod
        self._client = node.client
        self._clock = node.clock
        self._lookup = lookup
        self._claim = claim
        self._roots = node.settings.allowed_roots
        self._ca = node.settings.ca
        self._tokens: dict[tuple[str, str], Token] = {}
        self.sources: dict[str, Source] = {}
        self.renew_at: float | None = None

    def refer(self, pod: JSON) -> None:
        """The pod as it is now: labels and annotations may change under a downward API volume."""
        self._pod = pod

    async def prepare(self, facts: Mapping[str, str]) -> None:
        """Make or update every volume. Raises Missing with what the kubelet would say."""
        for volume in self._all():
            name = volume["name"]
            try:
                self.sources[name] = await self._one(volume, facts)
            except Missing as error:
                said = f'MountVolume.SetUp failed for volume "{name}" : {error}'
                wrapped = Missing(said)
                wrapped.hold = Hold("ContainerCreating", said)
                raise wrapped from None

    def remove(self) -> None:
        """Delete what is this pod's alone."""
        shutil.rmtree(self._folder, ignore_errors=True)
        shutil.rmtree(self._memory, ignore_errors=True)

    @property
    def wants_token(self) -> bool:
        """Whether the token is mounted although no volume says so (no admission added one)."""
        spec = self._pod["spec"]
        if spec.get("automountServiceAccountToken") is False:
            return False
        return not any(
            mount.get("mountPath", "").rstrip("/") == TOKEN_PATH
            for container in [*spec["containers"], *(spec.get("initContainers") or [])]
            for mount in container.get("volumeMounts") or []
        )

    def _all(self) -> list[JSON]:
        volumes: list[JSON] = list(self._pod["spec"].get("volumes") or [])
        if self.wants_token:
            parts = [
                {"serviceAccountToken": {"path": "token"}},
                {"downwardAPI": {"items": [
                    {"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]}},
            ]  # fmt: skip
            volumes.append({"name": "..token", "projected": {"sources": parts, "ca": True}})
        return volumes

    async def _one(self, volume: JSON, facts: Mapping[str, str]) -> Source:
        name = volume["name"]
        folder = self._folder / "volumes" / name
        if "hostPath" in volume:
            return self._host_path(volume["hostPath"])
        if "persistentVolumeClaim" in volume:
            claim = volume["persistentVolumeClaim"]
            path = self._claim(self._pod["metadata"]["namespace"], claim["claimName"])
            return Source(path=path, read_only=bool(claim.get("readOnly")))
        for kind in ("configMap", "secret", "projected", "downwardAPI"):
            if kind in volume:
                spec = volume[kind]
                mode = spec.get("defaultMode", 0o644)
                parts: list[JSON] = [{kind: spec}]
                sources = (spec.get("sources") or []) if kind == "projected" else parts
                entries = await self._entries(sources, mode, facts)
                if spec.get("ca") and self._ca:
                    entries["ca.crt"] = Entry(self._ca.encode())
                version = f"{self._clock.now():.6f}".replace(".", "_")
                files.write(folder, entries, version, (self.place.uid, self.place.gid))
                return Source(path=str(folder), read_only=True)
        known = {"emptyDir", "name"}
        if set(volume) - known:
            other = next(iter(set(volume) - known))
            raise Missing(f"this node has no {other} volumes; use emptyDir, hostPath, a claim, …")
        empty = volume.get("emptyDir") or {}
        if empty.get("medium") == "Memory":
            reach.claim(self._memory)
            reach.let_in(self._memory, self.place.gid)
            folder = self._memory / name
        return Source(path=str(self._made(folder)))

    def _made(self, folder: Path) -> Path:
        if not folder.exists():
            folder.mkdir(parents=True)
            folder.chmod(0o777)
            if os.geteuid() == 0:
                os.chown(folder, self.place.uid, self.place.gid)
        return folder

    def _host_path(self, spec: JSON) -> Source:
        path = os.path.realpath(spec["path"])
        if not any(path == root or path.startswith(root.rstrip("/") + "/") for root in self._roots):
            raise Missing(
                f"hostPath {spec['path']} is not under an allowed root "
                f"({', '.join(self._roots) or 'none'}); whoever runs the platform chooses "
                "them with athanor up --allow-host-path DIR"
            )
        permit = self.place.permit
        permit.check_data(path)
        kind = spec.get("type", "")
        if kind.endswith("OrCreate") and not os.path.exists(path):
            permit.check_making(path)
        if permit.owns(path):
            os.makedirs(permit.own, exist_ok=True)
            reach.let_in(permit.own, self.place.gid)
        if kind == "DirectoryOrCreate" and not os.path.isdir(path):
            os.makedirs(path, 0o755)
            if os.geteuid() == 0:  # whoever may write beside it may put a link in its place
                os.chown(path, self.place.uid, self.place.gid, follow_symlinks=False)
        elif kind == "FileOrCreate" and not os.path.exists(path):
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
            os.fchmod(file, 0o644)
            os.close(file)
        checks = {"Directory": os.path.isdir, "File": os.path.isfile, "": os.path.exists}
        if not checks.get(kind, os.path.exists)(path):
            raise Missing(f"hostPath type check failed: {spec['path']} is not a {kind or 'path'}")
        permit.check_passage(path)
        return Source(path=path, read_only=permit.only_reads(path))

    async def _entries(
        self, sources: list[JSON], mode: int, facts: Mapping[str, str]
    ) -> dict[str, Entry]:
        out: dict[str, Entry] = {}
        for source in sources:
            if ref := source.get("downwardAPI"):
                for item in ref.get("items") or []:
                    text = self._downward(item, facts)
                    out[item["path"]] = Entry(text.encode(), item.get("mode") or mode)
            elif ref := source.get("serviceAccountToken"):
                out[ref["path"]] = Entry((await self._token(ref)).encode(), 0o600)
            elif ref := source.get("configMap"):
                out |= self._data("ConfigMap", ref.get("name", ""), ref, mode)
            elif ref := source.get("secret"):
                name = ref.get("secretName") or ref.get("name", "")
                out |= self._data("Secret", name, ref, mode)
        return out

    def _downward(self, item: JSON, facts: Mapping[str, str]) -> str:
        if ref := item.get("fieldRef"):
            return environ.field(self._pod, ref["fieldPath"], facts)
        ref = item["resourceFieldRef"]
        containers = self._pod["spec"]["containers"]
        named = [c for c in containers if c["name"] == ref.get("containerName")]
        return environ.resource_field(named[0] if named else containers[0], ref, facts)

    def _data(self, kind: str, name: str, ref: JSON, mode: int) -> dict[str, Entry]:
        found = self._lookup(kind, name)
        if found is None:
            if ref.get("optional"):
                return {}
            raise Missing(f'{kind.lower()} "{name}" not found')
        data = environ.data_of(found, kind)
        mode = ref.get("defaultMode") or mode
        if ref.get("items") is None:
            return {key: Entry(value, mode) for key, value in data.items()}
        out = {}
        for item in ref["items"]:
            if item["key"] in data:
                out[item["path"]] = Entry(data[item["key"]], item.get("mode") or mode)
            elif not ref.get("optional"):
                raise Missing(f'{kind.lower()} "{name}" references non-existent key: {item["key"]}')
        return out

    async def _token(self, ref: JSON) -> str:
        meta, spec = self._pod["metadata"], self._pod["spec"]
        account = spec.get("serviceAccountName") or "default"
        audience = ref.get("audience", "")
        held = self._tokens.get((account, audience))
        if held is None or held.renew_at <= self._clock.now():
            wish: JSON = {
                "expirationSeconds": ref.get("expirationSeconds") or _TOKEN_SECONDS,
                "boundObjectRef": {
                    "kind": "Pod", "apiVersion": "v1", "name": meta["name"], "uid": meta["uid"]
                },
            }  # fmt: skip
            if audience:
                wish["audiences"] = [audience]
            path = f"/api/v1/namespaces/{meta['namespace']}/serviceaccounts/{account}/token"
            body = {
                "kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "spec": wish
            }  # fmt: skip
            made = (await self._client(calls.raw("POST", path, body=body)))["status"]
            life = parse_rfc3339(made["expirationTimestamp"]) - self._clock.now()
            held = Token(made["token"], self._clock.now() + 0.8 * life)
            self._tokens[account, audience] = held
        self.renew_at = min(t.renew_at for t in self._tokens.values())
        return held.text
