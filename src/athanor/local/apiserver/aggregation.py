"""APIServices: groups that somebody else serves, behind this server's authentication and RBAC.

A request for such a group is authorized here like any other and then forwarded, with the caller's
identity in the headers that aggregated servers trust (X-Remote-User, …). Where the Service leads is
read from its EndpointSlices or, for a name outside, from `spec.externalName`: there is no proxy
that would know a cluster IP.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from urllib.parse import quote, urlencode

from msgspec import Struct

from athanor.api.meta import JSON, Condition, set_condition, to_manifest
from athanor.local.apiserver.catalog import Served
from athanor.local.apiserver.collect.system import change, system_call
from athanor.local.apiserver.collect.work import Work
from athanor.local.apiserver.core import Core, decode
from athanor.local.store.model import Key
from athanor.wire.request import Forward, Request, User
from athanor.wire.status import ApiError

NAME = "apiservices.apiregistration.k8s.io"
_SLICE_OF = "kubernetes.io/service-name"


class Backend(Struct, frozen=True):
    """Who serves one version of a group."""

    group: str
    version: str
    namespace: str
    service: str
    port: int
    authority: str


_TOKEN = "!#$&'*+-.^_`|~"
"""What a header's name may hold beside letters and digits (RFC 9110); the rest is escaped."""
_BEHIND = ("services", "endpointslices.discovery.k8s.io")


class Aggregation:
    """The stored APIServices, followed write by write."""

    def __init__(self, core: Core, work: Work) -> None:
        self._core, self._work = core, work
        self._backends: dict[str, Backend] = {}
        work.on("apiservice", self.look)
        core.follow(self.observe, (NAME, *_BEHIND))
        for row in core.store.rows(NAME):
            self._take(decode(row.body))

    def observe(self, served: Served, old: JSON | None, new: JSON | None) -> None:
        """An APIService, or what a Service leads to, has changed."""
        if served.key == NAME:
            obj = new or old or {}
            if new is None:
                self._backends.pop(obj["metadata"]["name"], None)
            else:
                self._take(new)
            self._core.catalog.generation += 1
        elif served.key in _BEHIND:
            for name in self._backends:
                self._work.add("apiservice", name)

    def versions(self) -> Iterator[tuple[str, str]]:
        """(group, version) of all that is served elsewhere."""
        for backend in self._backends.values():
            yield backend.group, backend.version

    def forward(self, request: Request, user: User, group: str, version: str) -> Forward | None:
        """Where a request for this group goes, None when it is nobody's.

        Raises ApiError ServiceUnavailable when the Service leads nowhere.
        """
        backend = self._backends.get(f"{version}.{group}")
        if backend is None:
            return None
        address = self._address(backend)
        if not address:
            raise ApiError("ServiceUnavailable", "service unavailable", retry_after=1)
        query = f"?{urlencode(request.query)}" if request.query else ""
        headers = {"X-Remote-User": user.name, "X-Remote-Group": ", ".join(user.groups)}
        headers |= {
            f"X-Remote-Extra-{quote(k, safe=_TOKEN)}": ", ".join(v) for k, v in user.extra.items()
        }
        return Forward(
            url=f"https://{address}{request.path}{query}", headers=headers, ca=backend.authority
        )

    async def look(self, name: str) -> None:
        """Say whether the Service leads anywhere."""
        backend, served = self._backends.get(name), self._core.catalog.by_name(NAME)
        if backend is None or served is None:
            return
        there = bool(self._address(backend))
        said = Condition(
            type="Available",
            status="True" if there else "False",
            reason="Passed" if there else "MissingEndpoints",
            message="all checks passed"
            if there
            else f"no address for service/{backend.service} in {backend.namespace!r} is known",
        )

        def told(obj: JSON) -> JSON:
            known = [
                Condition(
                    type=c["type"], status=c["status"], reason=c.get("reason", ""),
                    message=c.get("message", ""), last_transition_time=c.get("lastTransitionTime"),
                )
                for c in (obj.get("status") or {}).get("conditions") or ()
            ]  # fmt: skip
            now = set_condition(known, said, self._core.now())
            return {**obj, "status": {"conditions": [to_manifest(c) for c in now]}}

        call = system_call(served, Key(NAME, "", name), "status")
        await change(self._core, call, told, missing=True)

    def _take(self, obj: JSON) -> None:
        name, spec = obj["metadata"]["name"], obj.get("spec") or {}
        service = spec.get("service")
        self._backends.pop(name, None)
        if not isinstance(service, dict) or name != f"{spec.get('version')}.{spec.get('group')}":
            return
        try:
            authority = base64.b64decode(spec.get("caBundle") or "").decode()
        except (binascii.Error, UnicodeDecodeError):
            authority = ""
        self._backends[name] = Backend(
            spec["group"], spec["version"], service.get("namespace", ""),
            service.get("name", ""), service.get("port") or 443, authority,
        )  # fmt: skip
        self._work.add("apiservice", name)

    def _address(self, backend: Backend) -> str:
        """`host:port` of somebody who is ready, or nothing."""
        service = self._core.latest("services", backend.namespace, backend.service)
        spec = (service or {}).get("spec") or {}
        if spec.get("externalName"):
            return f"{spec['externalName']}:{backend.port}"
        named = (p for p in spec.get("ports") or () if p.get("port") == backend.port)
        wanted: JSON = next(named, {})
        for row in self._core.store.rows("endpointslices.discovery.k8s.io", backend.namespace):
            part = decode(row.body)
            if (part["metadata"].get("labels") or {}).get(_SLICE_OF) != backend.service:
                continue
            ports = part.get("ports") or ()
            port = next((p for p in ports if p.get("name", "") == wanted.get("name", "")), None)
            ready = [
                e["addresses"][0]
                for e in part.get("endpoints") or ()
                if e.get("addresses") and (e.get("conditions") or {}).get("ready", True)
            ]
            if port and port.get("port") and ready:
                host = f"[{ready[0]}]" if ":" in ready[0] else ready[0]
                return f"{host}:{port['port']}"
        return ""
