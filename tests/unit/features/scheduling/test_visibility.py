"""What may be seen of whose work: the whole server with RBAC on, the scheduler behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import msgspec

from athanor.api.meta import JSON
from athanor.assembly import bootstrap
from athanor.client.inproc import InProcess
from athanor.client.protocol import Client
from athanor.features.gangs.apply import controller as gangs
from athanor.features.scheduling.apply import controller as scheduling
from athanor.features.scheduling.core.snapshot import Snapshot
from athanor.features.scheduling.plan import Planner
from athanor.features.scheduling.visibility import ROOT, Visibility
from athanor.kit.ids import SeededIds
from athanor.local.apiserver.auth import bootstrap as roles
from athanor.local.apiserver.auth.auth import Auth
from athanor.local.apiserver.handle import ApiServer
from athanor.local.store.store import Store
from athanor.runtime.manager import Manager
from athanor.testing.nodes import SimulatedNode, forever
from athanor.testing.virtual import LoopClock, run
from athanor.wire import calls
from athanor.wire.request import Answer, Request, User
from athanor.wire.status import ApiError

RBAC = "rbac.authorization.k8s.io"
ADMIN = User(name="admin", groups=("system:masters", "system:authenticated"))
PEOPLE = {name: User(name=name, groups=("system:authenticated",)) for name in ("ann", "bob")}
SECRET = ("bobs-plan", "bob/", "bobs-running")

Get = Callable[[str, str], Awaitable[JSON]]


def gang(name: str, namespace: str, cpu: str, **spec: object) -> JSON:
    box = {"name": "main", "image": "host", "resources": {"requests": {"cpu": cpu}}}
    sets = [{"name": "worker", "count": 1, "template": {"spec": {"containers": [box]}}}]
    meta = {"name": name, "namespace": namespace}
    return {"apiVersion": "athanor.dev/v1alpha1", "kind": "Gang", "metadata": meta,
            "spec": {"podSets": sets, "queue": "shared", **spec}}  # fmt: skip


def binding(who: str) -> JSON:
    return {
        "apiVersion": f"{RBAC}/v1", "kind": "RoleBinding",
        "metadata": {"name": who, "namespace": who},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "edit"},
        "subjects": [{"apiGroup": RBAC, "kind": "User", "name": who}],
    }  # fmt: skip


@asynccontextmanager
async def world() -> AsyncIterator[Mapping[str, Client]]:
    clock, ids, store = LoopClock(asyncio.get_running_loop()), SeededIds(0), Store.open(":memory:")
    auth = Auth(store, clock, b"k" * 32)
    server = ApiServer(store, clock=clock, ids=ids, authenticator=auth, authorizer=auth)
    server.core.observers.append(lambda s, old, new: auth.changed(s.key, old, new))
    await roles.reconcile(store, "2026-01-01T00:00:00Z", ids.uid, auth.changed)
    await roles.gather(store, auth.rbac, auth.changed)
    planner = Planner()
    visibility = Visibility(planner)

    async def answer(request: Request) -> Answer:
        return visibility.answer(request)

    def connect(user: User) -> Client:
        return Client(InProcess(server.handle, user=user, backends={"localhost:443": answer}))

    admin = connect(ADMIN)
    await bootstrap.ensure(admin, bootstrap.manifests())
    for name in PEOPLE:
        await admin(calls.raw("POST", "/api/v1/namespaces", body={"metadata": {"name": name}}))
        path = f"/apis/{RBAC}/v1/namespaces/{name}/rolebindings"
        await admin(calls.raw("POST", path, body=binding(name)))
    shared = {"apiVersion": "athanor.dev/v1alpha1", "kind": "Queue",
              "metadata": {"name": "shared"}, "spec": {"pools": [{"pool": "default"}]}}  # fmt: skip
    await admin(calls.raw("POST", "/apis/athanor.dev/v1alpha1/queues", body=shared))
    manager = Manager(admin, [gangs(), scheduling(planner=planner)], clock, lambda: 0.5)
    node = SimulatedNode(connect(ADMIN), "n", clock, forever)
    tasks = [asyncio.ensure_future(manager.run()), asyncio.ensure_future(node.run())]
    try:
        await node.registered.wait()
        yield {"admin": admin, **{name: connect(user) for name, user in PEOPLE.items()}}
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.close()
        await store.close()


async def busy(clients: Mapping[str, Client]) -> None:
    """Bob runs on most of the node and waits with more; Ann waits behind him."""
    path = "/apis/athanor.dev/v1alpha1/namespaces/{}/gangs"
    for one in (gang("bobs-running", "bob", "6"), gang("bobs-plan", "bob", "7")):
        await clients["bob"](calls.raw("POST", path.format("bob"), body=one))
        await asyncio.sleep(2)
    await clients["ann"](calls.raw("POST", path.format("ann"), body=gang("mine", "ann", "4")))
    await asyncio.sleep(2)


async def refused(client: Client, path: str) -> str:
    try:
        await client(calls.raw("GET", path))
    except ApiError as error:
        return error.reason
    return ""


def test_one_sees_ones_own_place_and_verified_ways() -> None:
    async def main() -> None:
        async with world() as clients:
            await busy(clients)
            path = f"{ROOT}/namespaces/ann/gangs/mine"
            seen = await clients["ann"](calls.raw("GET", path))
            assert seen["kind"] == "GangVisibility" and seen["state"] == "Waiting"
            assert seen["position"] == {"queue": "shared", "place": 2, "waiting": 2}
            assert seen["reasons"][0]["code"] == "NoCapacity"
            assert seen["holders"] == [
                {"queue": "shared", "pool": "default", "resource": "cpu", "used": "6"}
            ]
            ways = await clients["ann"](calls.raw("GET", f"{path}/changes"))
            assert ways["planned"] >= 1 and ways.get("changes", []) == []
            bobs = f"{ROOT}/namespaces/bob/gangs/bobs-running"
            running = await clients["bob"](calls.raw("GET", bobs))
            assert running["state"] == "Running"
            assert [fact["code"] for fact in running["here"]] == ["Pool", "Nodes", "Claim"]

    run(main)


def test_nothing_of_others_can_be_seen_or_guessed() -> None:
    async def main() -> None:
        async with world() as clients:
            await busy(clients)
            ann = clients["ann"]
            there = f"{ROOT}/namespaces/bob/gangs/bobs-plan"
            nowhere = f"{ROOT}/namespaces/bob/gangs/no-such-plan"
            closed = [
                there, f"{there}/changes", f"{there}/start", nowhere, f"{nowhere}/changes",
                f"{ROOT}/namespaces/bob/gangs", f"{ROOT}/gangs", f"{ROOT}/queues/shared",
                f"{ROOT}/snapshots/latest",
            ]  # fmt: skip
            assert {path: await refused(ann, path) for path in closed} == dict.fromkeys(
                closed, "Forbidden"
            )
            # what RBAC takes for hers is not served under another spelling
            odd = [
                f"{ROOT}/namespaces/ann/snapshots/latest", f"{ROOT}/namespaces/ann/queues/shared",
                f"{ROOT}/namespaces/ann/gangs/..%2f..%2fbob%2fgangs%2fbobs-plan",
                f"{ROOT}/namespaces/ann//gangs/mine",
            ]  # fmt: skip
            assert {path: await refused(ann, path) for path in odd} == dict.fromkeys(
                odd, "NotFound"
            )
            readable = [
                f"{ROOT}/namespaces/ann/gangs", f"{ROOT}/namespaces/ann/gangs/mine",
                f"{ROOT}/namespaces/ann/gangs/mine/changes",
                f"{ROOT}/namespaces/ann/gangs/mine/start",
                "/apis/athanor.dev/v1alpha1/namespaces/ann/gangs/mine",
                "/apis/athanor.dev/v1alpha1/queues", "/apis/athanor.dev/v1alpha1/pools",
            ]  # fmt: skip
            for path in readable:
                text = msgspec.json.encode(await ann(calls.raw("GET", path))).decode()
                assert [word for word in SECRET if word in text] == []

    run(main)


def test_administrators_see_the_line_and_the_snapshot() -> None:
    async def main() -> None:
        async with world() as clients:
            await busy(clients)
            line = await clients["admin"](calls.raw("GET", f"{ROOT}/queues/shared"))
            assert [item["metadata"]["name"] for item in line["items"]] == ["bobs-plan", "mine"]
            held = await clients["admin"](calls.raw("GET", f"{ROOT}/snapshots/latest"))
            snapshot = Snapshot.from_json(msgspec.json.encode(held["snapshot"]))
            assert set(snapshot.gangs.names) == {"ann/mine", "bob/bobs-plan", "bob/bobs-running"}
            found = await clients["ann"](calls.raw("GET", ROOT))
            assert found["kind"] == "APIResourceList"

    run(main)


def test_who_has_to_go_hears_for_which_queue_not_for_whom() -> None:
    async def main() -> None:
        async with world() as clients:
            quota = {"pool": "default", "guaranteed": {"cpu": "8"}}
            owner = {"apiVersion": "athanor.dev/v1alpha1", "kind": "Queue",
                     "metadata": {"name": "owner"}, "spec": {"pools": [quota]}}  # fmt: skip
            await clients["admin"](
                calls.raw("POST", "/apis/athanor.dev/v1alpha1/queues", body=owner)
            )
            path = "/apis/athanor.dev/v1alpha1/namespaces/{}/gangs"
            await clients["ann"](calls.raw("POST", path.format("ann"), body=gang("m", "ann", "6")))
            await asyncio.sleep(2)
            bobs = gang("bobs-plan", "bob", "8", queue="owner")
            await clients["bob"](calls.raw("POST", path.format("bob"), body=bobs))
            told = ""
            for _ in range(100):
                found = await clients["ann"](calls.raw("GET", path.format("ann") + "/m"))
                told += msgspec.json.encode(found).decode()
                await asyncio.sleep(0.05)
            assert "makes room for work of queue owner" in told
            assert [word for word in SECRET if word in told] == []

    run(main)


async def about(client: Client, name: str) -> tuple[JSON, JSON]:
    """What is seen of one of Ann's gangs, and of when it starts."""
    path = f"{ROOT}/namespaces/ann/gangs/{name}"
    seen = await client(calls.raw("GET", path))
    return seen, await client(calls.raw("GET", f"{path}/start"))


def test_a_pool_without_nodes_is_given_some_by_the_labels_that_it_asks_for() -> None:
    async def main() -> None:
        async with world() as clients:
            root = "/apis/athanor.dev/v1alpha1"
            for kind, name, spec in (
                ("Pool", "bare", {"nodeSelector": {"athanor.dev/pool": "bare", "tier": "a"}}),
                ("Queue", "lonely", {"pools": [{"pool": "bare"}]}),
            ):
                made = {"apiVersion": "athanor.dev/v1alpha1", "kind": kind,
                        "metadata": {"name": name}, "spec": spec}  # fmt: skip
                path = f"{root}/{kind.lower()}s"
                await clients["admin"](calls.raw("POST", path, body=made))
            wanted = gang("mine", "ann", "4", queue="lonely")
            await clients["ann"](calls.raw("POST", f"{root}/namespaces/ann/gangs", body=wanted))
            await asyncio.sleep(2)
            seen, start = await about(clients["ann"], "mine")
            assert seen["reasons"][0]["message"] == "pool bare has no nodes"
            way = "kubectl label node NAME athanor.dev/pool=bare tier=a"
            assert seen["reasons"][0]["details"]["hint"] == way and "hints" not in seen
            path = f"{root}/namespaces/ann/gangs/mine"
            there = (await clients["ann"](calls.raw("GET", path)))["status"]["reasons"]
            assert there == seen["reasons"]  # where nobody serves visibility, it is known too
            assert start["message"] == "not before something is changed" and "half" not in start

    run(main)


def test_no_start_is_foretold_where_no_end_of_others_helps() -> None:
    async def main() -> None:
        async with world() as clients:
            await busy(clients)
            path = "/apis/athanor.dev/v1alpha1/namespaces/ann/gangs"
            picky = gang("picky", "ann", "1")
            picky["spec"]["podSets"][0]["template"]["spec"]["nodeSelector"] = {"zone": "none"}
            await clients["ann"](calls.raw("POST", path, body=picky))
            await asyncio.sleep(2)
            seen, start = await about(clients["ann"], "picky")
            assert seen["reasons"][0]["code"] == "NodesExcluded"
            assert start["message"] == "not before something is changed" and "half" not in start
            _, start = await about(clients["ann"], "mine")
            assert "half" in start

    run(main)
