"""What is no resource: /version, /livez, /readyz, /healthz, /metrics, and the list of paths."""

from __future__ import annotations

import functools
import platform
from collections.abc import Callable, Mapping
from importlib.metadata import version as installed

import msgspec

from athanor.local.apiserver.catalog import Catalog
from athanor.wire.request import Request, Response

Check = Callable[[], str]
"""Answers "" when well, else what is wrong."""

KUBERNETES = "v1.36.3"
"""The Kubernetes version whose rules are served."""


@functools.cache
def version() -> Response:
    """`/version`: Kubernetes' own form; ours is the build part of `gitVersion`."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    _, minor, _ = KUBERNETES.split(".")
    said = {
        "major": "1", "minor": minor, "emulationMajor": "1", "emulationMinor": minor,
        "minCompatibilityMajor": "1", "minCompatibilityMinor": str(int(minor) - 1),
        "gitVersion": f"{KUBERNETES}+athanor.{installed('athanor')}", "gitCommit": "",
        "gitTreeState": "clean", "buildDate": "1970-01-01T00:00:00Z", "goVersion": "none",
        "compiler": "cpython", "platform": f"{platform.system().lower()}/{machine}",
    }  # fmt: skip
    return Response(body=msgspec.json.encode(said))


def health(request: Request, checks: Mapping[str, Check]) -> Response | None:
    """/livez, /readyz, /healthz: `ok`, or which check fails; each check has a path of its own."""
    parts = [p for p in request.path.split("/") if p]
    word = parts[0]
    excluded = {value for key, value in request.query if key == "exclude"}
    if len(parts) > 1:
        one = checks.get("/".join(parts[1:]))
        if one is None:
            return None
        checks, quiet = {parts[-1]: one}, True
    else:
        quiet = request.param("verbose") is None
    lines, failed = [], False
    for name, check in checks.items():
        wrong = "" if name in excluded else check()
        failed = failed or bool(wrong)
        note = "excluded: ok" if name in excluded else "ok"
        lines.append(f"[-]{name} failed: {wrong}" if wrong else f"[+]{name} {note}")
    if failed:
        text = "\n".join((*lines, f"{word} check failed"))
    else:
        text = "ok" if quiet else "\n".join((*lines, f"{word} check passed"))
    return Response(
        status=500 if failed else 200,
        body=text.encode() + (b"" if text == "ok" else b"\n"),
        content_type="text/plain; charset=utf-8",
        headers={"Cache-Control": "no-cache, private", "X-Content-Type-Options": "nosniff"},
    )


def paths(catalog: Catalog) -> Response:
    """`/`: every path that is served outside of resources."""
    found = {"/api", "/apis", "/healthz", "/livez", "/metrics", "/openapi/v3", "/readyz"}
    found.add("/version")
    for served in catalog.all():
        found.add(served.resource.prefix)
        if served.resource.group:
            found.add(f"/apis/{served.resource.group}")
    return Response(body=msgspec.json.encode({"paths": sorted(found)}))
