"""Discovery: which groups, versions and resources are served; legacy, aggregated, OpenAPI v3."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Mapping

import msgspec

from athanor.api import gateway, metrics, visibility
from athanor.api.meta import JSON
from athanor.local.apiserver import errors, negotiate
from athanor.local.apiserver.catalog import Catalog, Served, Sub, age
from athanor.wire import openapi
from athanor.wire.request import Request, Response
from athanor.wire.status import ApiError

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_PREFERRED = (
    "apiregistration.k8s.io", "events.k8s.io", "authentication.k8s.io", "authorization.k8s.io",
    "policy", "rbac.authorization.k8s.io", "storage.k8s.io", "apiextensions.k8s.io",
    "scheduling.k8s.io", "coordination.k8s.io", "discovery.k8s.io",
)  # fmt: skip

_V2 = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_NO_SCHEMAS = b"\n\x032.0\x12\x12\n\nKubernetes\x12\x041.36B\x00"
"""An OpenAPI v2 document of no paths, as protobuf: kubectl wants one before it sends a `List`. It
checks what it finds in there itself, and leaves the rest to the server.
"""

_OURS: Mapping[str, JSON] = {
    told["groupVersion"]: told
    for told in (gateway.RESOURCES, metrics.RESOURCES, visibility.RESOURCES)
}


class Discovery:
    """Answers about the catalog, kept encoded until the catalog changes."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._generation = -1
        self._kept: dict[tuple[str, ...], bytes] = {}
        self._documents: dict[str, tuple[str, str, bytes]] = {}
        self.elsewhere: Callable[[], Iterable[tuple[str, str]]] = lambda: ()

    def answer(self, request: Request) -> Response | None:
        """The answer of a discovery path, None when the path is none."""
        parts = [p for p in request.path.split("/") if p]
        if not parts or parts[0] not in ("api", "apis", "openapi"):
            return None
        if request.method not in ("GET", "HEAD"):
            raise errors.no_method()
        if self._generation != self._catalog.generation:
            self._generation = self._catalog.generation
            self._kept, self._documents = {}, {}
        if parts[0] == "openapi":
            return self._openapi(parts, request)
        return self._groups(parts, request)

    def _groups(self, parts: list[str], request: Request) -> Response | None:
        wish = negotiate.accept(request.headers.get("accept", ""))
        if len(parts) == 1 and wish.as_ == "APIGroupDiscoveryList":
            return self._tagged(("v2", parts[0]), AGGREGATED, request)
        if parts == ["api"]:
            return self._tagged(("api",), "application/json", request)
        if parts == ["apis"]:
            return self._tagged(("apis",), "application/json", request)
        group, rest = ("", parts[1:]) if parts[0] == "api" else (parts[1], parts[2:])
        versions = self._by_group().get(group)
        if versions is None or len(rest) > 1 or (rest and rest[0] not in versions):
            return None
        return self._tagged((parts[0], group, *rest), "application/json", request)

    def _tagged(self, key: tuple[str, ...], content_type: str, request: Request) -> Response:
        body = self._kept.get(key)
        if body is None:
            body = self._kept[key] = msgspec.json.encode(self._build(key))
        tag = f'"{hashlib.sha256(body).hexdigest().upper()}"'
        headers = {"ETag": tag, "Vary": "Accept", "Cache-Control": "public"}
        if request.headers.get("if-none-match") == tag:
            return Response(status=304, content_type=content_type, headers=headers)
        return Response(body=body, content_type=content_type, headers=headers)

    def _build(self, key: tuple[str, ...]) -> JSON:
        groups = self._by_group()
        match key:
            case ("v2", root):
                named = [g for g in groups if bool(g) == (root == "apis")]
                others = [_elsewhere(g, v) for g, v in self.elsewhere() if root == "apis"]
                return {
                    "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2",
                    "metadata": {}, "items": [_aggregated(g, groups[g]) for g in named] + others,
                }  # fmt: skip
            case ("api",):
                return {
                    "kind": "APIVersions", "versions": list(groups.get("", {})),
                    "serverAddressByClientCIDRs": [],
                }  # fmt: skip
            case ("apis",):
                return {
                    "kind": "APIGroupList", "apiVersion": "v1",
                    "groups": [_group(g, versions) for g, versions in groups.items() if g]
                    + [_group(g, {v: []}) for g, v in self.elsewhere()],
                }  # fmt: skip
            case (_, group):
                return {"kind": "APIGroup", "apiVersion": "v1", **_group(group, groups[group])}
        group, version = key[1], key[2]
        return {
            "kind": "APIResourceList", "apiVersion": "v1",
            "groupVersion": f"{group}/{version}" if group else version,
            "resources": [entry for s in groups[group][version] for entry in _entries(s)],
        }  # fmt: skip

    def knows(self, group: str) -> bool:
        """Whether anything of the group is served here."""
        return any(s.resource.group == group and not s.custom for s in self._catalog.all())

    def _by_group(self) -> Mapping[str, dict[str, list[Served]]]:
        found: dict[str, dict[str, list[Served]]] = {"": {}, **{g: {} for g in _PREFERRED}}
        for served in sorted(self._catalog.all(), key=lambda s: s.resource.plural):
            versions = found.setdefault(served.resource.group, {})
            versions.setdefault(served.resource.version, []).append(served)
        return {
            group: dict(sorted(versions.items(), key=lambda item: age(item[0])))
            for group, versions in found.items()
            if versions
        }

    def _openapi(self, parts: list[str], request: Request) -> Response | None:
        if parts[1:2] == ["v2"]:
            if "proto-openapi.spec.v2" in request.headers.get("accept", ""):
                return Response(body=_NO_SCHEMAS, content_type=_V2)
            raise ApiError(
                "NotFound", "OpenAPI v2 is not served: use /openapi/v3 (kubectl 1.27 or newer)"
            )
        if parts[1:2] != ["v3"]:
            return None
        if not self._documents:
            for group, versions in self._by_group().items():
                for version, served in versions.items():
                    path = f"apis/{group}/{version}" if group else f"api/{version}"
                    built = openapi.document(group, version, [_documented(s) for s in served])
                    self._documents[path] = (group, version, openapi.encode(built))
        if len(parts) == 2:
            index = openapi.index(self._documents.values())
            return Response(body=msgspec.json.encode(index))
        found = self._documents.get("/".join(parts[2:]))
        if found is None:
            return None
        headers = {}
        if request.param("hash"):
            headers["Cache-Control"] = "public, immutable"
        return Response(body=found[2], headers=headers)


def _documented(served: Served) -> openapi.Documented:
    r = served.resource
    return openapi.Documented(
        resource=r, verbs=served.verbs, schema=served.schema_json,
        subresources={s.name: (s.verbs, _kind_of(served, s)) for s in served.subs.values()},
    )  # fmt: skip


def _kind_of(served: Served, sub: Sub) -> tuple[str, str, str]:
    if not sub.kind or sub.kind == served.resource.kind:
        return served.resource.group, served.resource.version, served.resource.kind
    return sub.group, sub.version or "v1", sub.kind


def _group(name: str, versions: Iterable[str]) -> JSON:
    entries = [{"groupVersion": f"{name}/{v}", "version": v} for v in versions]
    return {"name": name, "versions": entries, "preferredVersion": entries[0]}


def _entries(served: Served) -> list[JSON]:
    r = served.resource
    entry: JSON = {
        "name": r.plural, "singularName": r.singular, "namespaced": r.namespaced, "kind": r.kind,
        "verbs": list(served.verbs),
    }  # fmt: skip
    if r.short_names:
        entry["shortNames"] = list(r.short_names)
    if r.categories:
        entry["categories"] = list(r.categories)
    if served.stored:
        entry["storageVersionHash"] = _hash(served)
    return [entry] + [
        {
            "name": f"{r.plural}/{sub.name}", "singularName": "", "namespaced": r.namespaced,
            **({"group": sub.group, "version": sub.version} if sub.group else {}),
            "kind": sub.kind or r.kind, "verbs": list(sub.verbs),
        }
        for _, sub in sorted(served.subs.items())
    ]  # fmt: skip


_KEPT_AS = {
    "customresourcedefinitions.apiextensions.k8s.io": "apiextensions.k8s.io/v1beta1",
}
"""What Kubernetes stores in another version than it serves: the name of the form is the same."""


def _hash(served: Served) -> str:
    """A name for the form in which objects are stored: it changes when the form does."""
    r = served.resource
    stored = served.hub or ("v1" if served.storage else _KEPT_AS.get(r.name, r.api_version))
    group, _, version = stored.rpartition("/")
    digest = hashlib.sha256(f"{group}/{version}/{r.kind}".encode()).digest()
    return base64.b64encode(digest[:8]).decode()


def _aggregated(group: str, versions: Mapping[str, list[Served]]) -> JSON:
    return {
        "metadata": {"name": group} if group else {},
        "versions": [
            {
                "version": version,
                "resources": [_resource(s) for s in served],
                "freshness": "Current",
            }
            for version, served in versions.items()
        ],
    }


def _elsewhere(group: str, version: str) -> JSON:
    """A group that somebody else serves: known for ours, else to be asked for there."""
    known = _OURS.get(f"{group}/{version}")
    told: JSON = {"version": version, "freshness": "Current" if known else "Stale"}
    if known:
        entries: list[JSON] = known["resources"]
        told["resources"] = [
            {
                "resource": entry["name"],
                "responseKind": {"group": group, "version": version, "kind": entry["kind"]},
                "scope": "Namespaced" if entry["namespaced"] else "Cluster",
                "singularResource": entry["singularName"],
                "verbs": entry["verbs"],
                "subresources": [
                    {"subresource": sub["name"].partition("/")[2], "verbs": sub["verbs"],
                     "responseKind": {"group": group, "version": version, "kind": sub["kind"]}}
                    for sub in entries if sub["name"].startswith(f"{entry['name']}/")
                ],
            }
            for entry in entries if "/" not in entry["name"]
        ]  # fmt: skip
    return {"metadata": {"name": group}, "versions": [told]}


def _resource(served: Served) -> JSON:
    r = served.resource
    entry: JSON = {
        "resource": r.plural,
        "responseKind": _response_kind(served, r.kind, "", ""),
        "scope": "Namespaced" if r.namespaced else "Cluster",
        "singularResource": r.singular,
        "verbs": list(served.verbs),
    }
    if r.short_names:
        entry["shortNames"] = list(r.short_names)
    if r.categories:
        entry["categories"] = list(r.categories)
    if served.subs:
        entry["subresources"] = [
            {
                "subresource": sub.name,
                "responseKind": _response_kind(served, sub.kind or r.kind, sub.group, sub.version),
                "verbs": list(sub.verbs),
            }
            for _, sub in sorted(served.subs.items())
        ]
    return entry


def _response_kind(served: Served, kind: str, group: str, version: str) -> JSON:
    if served.custom and not group and kind == served.resource.kind:
        group, version = served.resource.group, served.resource.version
    return {"group": group, "version": version, "kind": kind}
