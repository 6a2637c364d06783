"""Groups that another server answers: APIService objects lead there.

The service's Endpoints say where it listens; the user's name and groups go along in the headers
that a request-header authenticator reads, over TLS with our own client certificate.
"""

from __future__ import annotations

import base64
from urllib.parse import urlencode

from athanor.api.meta import JSON
from athanor.local.apiserver.core import Core, decode
from athanor.local.apiserver.route import Target
from athanor.wire.request import Forward, Request, User
from athanor.wire.status import ApiError

APISERVICES = "apiservices.apiregistration.k8s.io"


def forward(core: Core, request: Request, target: Target, user: User) -> Forward | None:
    """Where a request for a group goes that is not served here; None when nobody serves it."""
    found = core.latest(APISERVICES, "", f"{target.version}.{target.group}")
    service = ((found or {}).get("spec") or {}).get("service")
    if found is None or not service:
        return None
    address = _address(core, service)
    if not address:
        raise ApiError(
            "ServiceUnavailable",
            f"the server behind {target.group}/{target.version} is not there: service "
            f"{service.get('namespace')}/{service.get('name')} has no ready endpoints",
        )
    query = f"?{urlencode(request.query)}" if request.query else ""
    bundle = found["spec"].get("caBundle") or ""
    headers = {"X-Remote-User": user.name}
    if user.groups:
        headers["X-Remote-Group"] = ",".join(user.groups)
    return Forward(
        url=f"https://{address}{request.path}{query}",
        headers=headers,
        ca=base64.b64decode(bundle).decode() if bundle else "",
    )


def groups(core: Core) -> dict[str, list[str]]:
    """Group → versions of what others serve, for discovery."""
    found: dict[str, list[str]] = {}
    for row in core.store.rows(APISERVICES):
        spec = decode(row.body).get("spec") or {}
        if spec.get("service") and spec.get("group"):
            found.setdefault(spec["group"], []).append(spec["version"])
    return found


def _address(core: Core, service: JSON) -> str:
    endpoints = core.latest("endpoints", service.get("namespace", ""), service.get("name", ""))
    for subset in (endpoints or {}).get("subsets") or ():
        for one in subset.get("addresses") or ():
            for port in subset.get("ports") or ():
                return f"{one['ip']}:{port['port']}"
    return ""
