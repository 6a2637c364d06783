"""What is no resource: discovery, version, health, OpenAPI."""

from __future__ import annotations

from tests.conformance.scenario import get

AGGREGATED = {"accept": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"}

SCENARIOS = {
    "legacy discovery": [
        get("/api", see={"kind": "APIVersions", "versions": ["v1"]}),
        get(
            "/apis/coordination.k8s.io",
            see={
                "kind": "APIGroup",
                "apiVersion": "v1",
                "name": "coordination.k8s.io",
                "preferredVersion": {"groupVersion": "coordination.k8s.io/v1", "version": "v1"},
            },
        ),
        get(
            "/apis/coordination.k8s.io/v1",
            see={
                "kind": "APIResourceList",
                "groupVersion": "coordination.k8s.io/v1",
                "resources": [
                    {
                        "name": "leases",
                        "singularName": "lease",
                        "namespaced": True,
                        "kind": "Lease",
                        "verbs": [
                            "create",
                            "delete",
                            "deletecollection",
                            "get",
                            "list",
                            "patch",
                            "update",
                            "watch",
                        ],
                    }
                ],
            },
        ),
    ],
    "aggregated discovery": [
        get(
            "/api",
            headers=AGGREGATED,
            see={
                "kind": "APIGroupDiscoveryList",
                "apiVersion": "apidiscovery.k8s.io/v2",
                "items": [{"versions": [{"version": "v1", "freshness": "Current"}]}],
            },
        ),
        get("/apis", headers=AGGREGATED, see={"kind": "APIGroupDiscoveryList"}),
    ],
    "version and health": [
        get("/version", see={"major": "1", "minor": "36", "gitVersion": "~v1\\.36\\..*"}),
        get("/livez", see="ok"),
        get("/readyz", see="ok"),
        get("/healthz/ping", see="ok"),
        get("/readyz?verbose", see="~\\[\\+\\]ping ok.*readyz check passed\n"),
        get("/nope", code=404, see="404 page not found\n"),
    ],
    "openapi": [
        get(
            "/openapi/v3", see={"paths": {"api/v1": {"serverRelativeURL": "~/openapi/v3/api/v1.*"}}}
        ),
        get("/openapi/v3/api/v1", see={"openapi": "3.0.0", "components": {"schemas": "<any>"}}),
    ],
}
