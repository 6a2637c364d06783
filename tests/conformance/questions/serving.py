"""What a server says of itself: discovery, OpenAPI, health, versions; and paths that are not."""

from __future__ import annotations

from tests.conformance.scenario import Step, get, post, put

CMS = "/api/v1/namespaces/{ns}/configmaps"
AGGREGATED = {"accept": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"}
GROUPS = (
    "coordination.k8s.io", "events.k8s.io", "discovery.k8s.io", "scheduling.k8s.io",
    "storage.k8s.io", "rbac.authorization.k8s.io", "authentication.k8s.io",
    "authorization.k8s.io", "apiextensions.k8s.io", "apiregistration.k8s.io",
)  # fmt: skip

SCENARIOS = {
    **{f"the group {group}": [get(f"/apis/{group}"), get(f"/apis/{group}/v1")] for group in GROUPS},
    "the core group": [
        get("/api", omit=("serverAddressByClientCIDRs",)),
        get("/api/v1"),
    ],
    "groups that are not": [
        get("/apis/nope.example.com", code=404),
        get("/apis/coordination.k8s.io/v9", code=404),
        get("/api/v2", code=404),
        get("/apis/coordination.k8s.io/v1/nope", code=404),
        get("/api/v1/namespaces/{ns}/nope", code=404),
        get("/api/v1/namespaces/{ns}/nodes", code=404),
        get("/api/v1/nodes/x/nope", code=404),
        get("/nope", code=404),
        get("/api/v1/namespaces/{ns}/configmaps/a/b/c/d", code=404),
    ],
    "methods of paths": [
        post("/version", {}, code=(405, 404)),
        Step(method="OPTIONS", path=CMS, code=(405, 404, 200)),
        Step(method="HEAD", path=CMS, code=200),
        put(CMS, {}, code=405),
        Step(method="PATCH", path=CMS, body={}, media="merge", code=405),
        post("/api/v1/namespaces/{ns}/status", {}, code=(404, 405)),
    ],
    "health": [
        get("/healthz"),
        get("/livez"),
        get("/readyz"),
        get("/healthz/ping"),
        get("/livez/ping"),
        get("/readyz/ping"),
        get("/healthz/nope", code=404),
        get("/livez?exclude=ping"),
    ],
    "namespaced and not": [
        post("/api/v1/namespaces/{ns}/nodes", {"metadata": {"name": "x"}}, code=404),
        post(
            "/api/v1/nodes?dryRun=All",
            {"metadata": {"name": "x", "namespace": "{ns}"}},
            code=(400, 422),
        ),
        post("/api/v1/pods", {"metadata": {"name": "x"}}, code=(400, 405)),
        get("/api/v1/pods/x", code=404),
        post(CMS, {"metadata": {"name": "x", "namespace": ""}}),
    ],
}
