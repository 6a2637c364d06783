"""Groups that somebody else serves: forwarded with the caller's identity, once authorized."""

from __future__ import annotations

import asyncio

import msgspec

from athanor.api.meta import JSON
from athanor.kit.clock import FixedClock
from athanor.kit.ids import SeededIds
from athanor.local.apiserver.handle import ApiServer
from athanor.local.store.store import Store
from athanor.wire.request import Answer, Forward, Request, Response, User

ADMIN = User(
    name="admin", groups=("system:masters", "system:authenticated"), extra={"a.b/c": ("1", "2")}
)
SERVICE: JSON = {
    "metadata": {"name": "visibility", "namespace": "default"},
    "spec": {"ports": [{"port": 443, "name": "https"}]},
}
SLICE: JSON = {
    "metadata": {
        "name": "visibility-1", "namespace": "default",
        "labels": {"kubernetes.io/service-name": "visibility"},
    },
    "addressType": "IPv4",
    "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}],
    "ports": [{"name": "https", "port": 7443}],
}  # fmt: skip
API_SERVICE: JSON = {
    "metadata": {"name": "v1alpha1.visibility.athanor.dev"},
    "spec": {
        "group": "visibility.athanor.dev", "version": "v1alpha1", "groupPriorityMinimum": 100,
        "versionPriority": 1, "service": {"name": "visibility", "namespace": "default"},
    },
}  # fmt: skip


def test_a_group_served_elsewhere() -> None:
    async def main() -> None:
        store = Store.open(":memory:")
        server = ApiServer(store, clock=FixedClock(), ids=SeededIds())

        async def ask(method: str, path: str, body: JSON | None = None, query: str = "") -> Answer:
            raw = b"" if body is None else msgspec.json.encode(body)
            pairs = (("watch", query),) if query else ()
            return await server.handle(
                Request(method=method, path=path, body=raw, query=pairs, peer=ADMIN)
            )

        group = "/apis/visibility.athanor.dev/v1alpha1"
        await ask("POST", "/api/v1/namespaces", {"metadata": {"name": "default"}})
        missing = await ask("GET", group + "/queues/a")
        assert isinstance(missing, Response) and missing.status == 404
        await ask("POST", "/apis/apiregistration.k8s.io/v1/apiservices", API_SERVICE)
        nowhere = await ask("GET", group + "/queues/a")
        assert isinstance(nowhere, Response) and nowhere.status == 503
        await ask("POST", "/api/v1/namespaces/default/services", SERVICE)
        await ask("POST", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", SLICE)
        onward = await ask("GET", group + "/queues/a", query="x y")
        assert isinstance(onward, Forward)
        assert onward.url == f"https://127.0.0.1:7443{group}/queues/a?watch=x+y"
        assert onward.headers["X-Remote-User"] == "admin"
        assert onward.headers["X-Remote-Extra-a.b%2Fc"] == "1, 2"  # a header's name has no slash
        assert isinstance(await ask("GET", group), Forward)
        await server.house.work.settle()
        listed = await ask("GET", "/apis")
        assert isinstance(listed, Response) and b"visibility.athanor.dev/v1alpha1" in listed.body
        path = "/apis/apiregistration.k8s.io/v1/apiservices/v1alpha1.visibility.athanor.dev"
        shown = await ask("GET", path)
        assert isinstance(shown, Response)
        condition = msgspec.json.decode(shown.body)["status"]["conditions"][0]
        assert (condition["type"], condition["status"]) == ("Available", "True")
        await ask("DELETE", path)
        gone = await ask("GET", group)
        assert isinstance(gone, Response) and gone.status == 404
        await server.close()
        await store.close()

    asyncio.run(main())
