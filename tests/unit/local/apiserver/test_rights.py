"""Rights at work: the whole server with RBAC on, asked by administrators, users, pods and nodes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from athanor.api import labels
from athanor.kit.clock import FixedClock
from athanor.kit.ids import SeededIds
from athanor.local.apiserver.auth import bootstrap
from athanor.local.apiserver.auth.auth import Auth
from athanor.local.apiserver.handle import ApiServer
from athanor.local.store.store import Store
from athanor.wire.request import Request, Response, User

RBAC = "/apis/rbac.authorization.k8s.io/v1"
GROUP = "rbac.authorization.k8s.io"
ADMIN = User(name="admin", groups=("system:masters",))
JANE = User(name="jane")
NODE = User(name="system:node:n1", groups=("system:nodes",))
POD = {"spec": {"containers": [{"name": "c", "image": "host"}]}}
SELF_REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"

Ask = Callable[..., Awaitable[tuple[int, Any]]]


def _with(scenario: Callable[[ApiServer, Ask], Awaitable[None]]) -> None:
    async def main() -> None:
        store, clock, ids = Store.open(":memory:"), FixedClock(), SeededIds()
        auth = Auth(store, clock, b"k" * 32)
        server = ApiServer(store, clock=clock, ids=ids, authenticator=auth, authorizer=auth)
        server.core.observers.append(lambda s, old, new: auth.changed(s.key, old, new))
        await bootstrap.reconcile(store, "2026-01-01T00:00:00Z", ids.uid, auth.changed)

        async def ask(
            who: User | str | None, method: str, path: str, body: Any = None, **headers: str
        ) -> tuple[int, Any]:
            said = {"content-type": "application/json"}
            said |= {key.replace("_", "-"): value for key, value in headers.items()}
            if isinstance(who, str):
                said["authorization"] = f"Bearer {who}"
            answer = await server.handle(
                Request(
                    method=method, path=path, headers=said,
                    body=b"" if body is None else msgspec.json.encode(body),
                    peer=who if isinstance(who, User) else None,
                )
            )  # fmt: skip
            if not isinstance(answer, Response):
                return 200, None
            return answer.status, msgspec.json.decode(answer.body) if answer.body[:1] == b"{" else 0

        for name in ("team", "other"):
            assert (await ask(ADMIN, "POST", "/api/v1/namespaces", {"metadata": {"name": name}}))[
                0
            ] == 201
        await server.house.work.settle()
        try:
            await scenario(server, ask)
        finally:
            await server.close()
            await store.close()

    asyncio.run(main())


def _pods(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/pods"


def _binding(name: str, role: str, kind: str = "ClusterRole") -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": GROUP, "kind": kind, "name": role},
        "subjects": [{"kind": "User", "name": "jane", "apiGroup": GROUP}],
    }


def test_a_user_works_where_they_are_let_and_nowhere_else() -> None:
    async def scenario(server: ApiServer, ask: Ask) -> None:
        pod = {**POD, "metadata": {"name": "p"}}
        code, said = await ask(JANE, "POST", _pods("team"), pod)
        assert code == 403 and 'cannot create resource "pods"' in said["message"]
        bindings = f"{RBAC}/namespaces/team/rolebindings"
        assert (await ask(ADMIN, "POST", bindings, _binding("jane", "edit")))[0] == 201
        assert (await ask(JANE, "POST", _pods("team"), pod))[0] == 201
        assert (await ask(JANE, "GET", _pods("team")))[0] == 200
        assert (await ask(JANE, "GET", _pods("other")))[0] == 403
        assert (await ask(JANE, "GET", "/api/v1/pods"))[0] == 403
        assert (await ask(JANE, "PUT", _pods("team") + "/p/status", pod))[0] == 403
        assert (await ask(JANE, "GET", "/apis/athanor.dev/v1alpha1/queues"))[0] == 200
        assert (await ask(JANE, "POST", bindings, _binding("more", "admin")))[0] == 403
        assert (await ask(ADMIN, "DELETE", bindings + "/jane"))[0] == 200
        assert (await ask(JANE, "GET", _pods("team")))[0] == 403

    _with(scenario)


def test_nobody_but_the_scheduler_says_which_devices_a_pod_has() -> None:
    async def scenario(server: ApiServer, ask: Ask) -> None:
        bindings = f"{RBAC}/namespaces/team/rolebindings"
        assert (await ask(ADMIN, "POST", bindings, _binding("jane", "edit")))[0] == 201
        wish = {"annotations": {labels.DEVICES: "0,1", "mine": "x"},
                "labels": {labels.CHOSEN: "true"}}  # fmt: skip
        for who, held in ((JANE, None), (ADMIN, "0,1")):
            name = who.name
            made = {**POD, "metadata": {"name": name, **wish}}
            assert (await ask(who, "POST", _pods("team"), made))[0] == 201
            change = {"metadata": {"annotations": {labels.DEVICES: "7", "mine": "y"},
                                   "labels": {labels.CHOSEN: "false"}}}  # fmt: skip
            code, pod = await ask(
                JANE, "PATCH", f"{_pods('team')}/{name}", change,
                content_type="application/merge-patch+json",
            )  # fmt: skip
            notes = pod["metadata"]["annotations"]
            assert (code, notes.get(labels.DEVICES), notes["mine"]) == (200, held, "y")
            marked = pod["metadata"].get("labels", {}).get(labels.CHOSEN)
            assert marked == ("true" if held else None)

    _with(scenario)


def test_an_administrator_of_a_namespace_hands_out_only_what_is_theirs() -> None:
    async def scenario(server: ApiServer, ask: Ask) -> None:
        bindings = f"{RBAC}/namespaces/team/rolebindings"
        await ask(ADMIN, "POST", bindings, _binding("jane", "admin"))
        assert (await ask(JANE, "POST", bindings, _binding("view", "view")))[0] == 201
        code, said = await ask(JANE, "POST", bindings, _binding("all", "cluster-admin"))
        assert code == 403 and "not currently held" in said["message"]
        role = {"metadata": {"name": "r"}, "rules": [
            {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]}  # fmt: skip
        assert (await ask(JANE, "POST", f"{RBAC}/namespaces/team/roles", role))[0] == 403
        role["rules"] = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
        assert (await ask(JANE, "POST", f"{RBAC}/namespaces/team/roles", role))[0] == 201
        widened = {"rules": [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["delete"]}]}
        code, said = await ask(
            JANE, "PATCH", f"{RBAC}/namespaces/team/roles/r", widened,
            content_type="application/merge-patch+json",
        )  # fmt: skip
        assert code == 403 and 'Resources:["nodes"]' in said["message"]

    _with(scenario)


def test_a_pod_s_token_is_its_service_account() -> None:
    async def scenario(server: ApiServer, ask: Ask) -> None:
        path = "/api/v1/namespaces/team/serviceaccounts/default/token"
        code, made = await ask(ADMIN, "POST", path, {"spec": {"expirationSeconds": 3600}})
        assert code == 201
        token = made["status"]["token"]
        code, said = await ask(token, "GET", _pods("team"))
        assert code == 403 and "system:serviceaccount:team:default" in said["message"]
        binding = _binding("pods", "view")
        binding["subjects"] = [{"kind": "ServiceAccount", "name": "default", "namespace": "team"}]
        await ask(ADMIN, "POST", f"{RBAC}/namespaces/team/rolebindings", binding)
        assert (await ask(token, "GET", _pods("team")))[0] == 200
        review = {"spec": {"token": token}}
        _, said = await ask(ADMIN, "POST", "/apis/authentication.k8s.io/v1/tokenreviews", review)
        assert said["status"]["authenticated"] is True
        assert (await ask(token + "x", "GET", _pods("team")))[0] == 401
        assert (await ask(JANE, "POST", path, {}))[0] == 403

    _with(scenario)


def test_questions_about_rights() -> None:
    async def scenario(server: ApiServer, ask: Ask) -> None:
        wish = {"spec": {"resourceAttributes": {"verb": "list", "resource": "pods",
                                                "namespace": "team"}}}  # fmt: skip
        code, said = await ask(JANE, "POST", SELF_REVIEW, wish)
        assert (code, said["status"]["allowed"]) == (201, False)
        code, said = await ask(ADMIN, "POST", SELF_REVIEW, wish)
        assert said["status"]["allowed"] is True
        code, said = await ask(ADMIN, "POST", SELF_REVIEW, wish, impersonate_user="jane")
        assert said["status"]["allowed"] is False
        code, said = await ask(JANE, "POST", SELF_REVIEW, wish, impersonate_user="admin")
        assert code == 403
        path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
        code, said = await ask(JANE, "POST", path, {})
        assert said["status"]["userInfo"]["username"] == "jane"

    _with(scenario)


def test_without_a_name_one_may_only_see_that_the_server_is_there() -> None:
    async def scenario(server: ApiServer, ask: Ask) -> None:
        for path in ("/livez", "/readyz", "/version"):
            assert (await ask(None, "GET", path))[0] == 200
        for path in ("/api", "/metrics", _pods("team"), "/openapi/v3"):
            code, said = await ask(None, "GET", path)
            assert code == 403 and "system:anonymous" in said["message"]
        assert (await ask(None, "POST", SELF_REVIEW, {}))[0] == 403

    _with(scenario)


def test_a_node_is_confined_to_itself_and_its_pods() -> None:
    async def scenario(server: ApiServer, ask: Ask) -> None:
        for name in ("n1", "n2"):
            code, said = await ask(NODE, "POST", "/api/v1/nodes", {"metadata": {"name": name}})
            assert code == (201 if name == "n1" else 403), said
        bound = {**POD["spec"], "nodeName": "n1", "serviceAccountName": "default"}
        await ask(ADMIN, "POST", _pods("team"), {"metadata": {"name": "p"}, "spec": bound})
        status = {"status": {"phase": "Running"}}
        merge = {"content_type": "application/merge-patch+json"}
        path = _pods("team") + "/p/status"
        assert (await ask(NODE, "PATCH", path, status, **merge))[0] == 200
        other = User(name="system:node:n2", groups=("system:nodes",))
        assert (await ask(other, "PATCH", path, status, **merge))[0] == 403
        spec = {"spec": {"activeDeadlineSeconds": 5}}
        assert (await ask(NODE, "PATCH", _pods("team") + "/p", spec, **merge))[0] == 403
        token = "/api/v1/namespaces/team/serviceaccounts/default/token"
        bind = {"spec": {"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "p"}}}
        assert (await ask(NODE, "POST", token, bind))[0] == 201
        assert (await ask(NODE, "POST", token, {}))[0] == 403

    _with(scenario)


def test_who_submitted_it_cannot_be_chosen() -> None:
    async def scenario(server: ApiServer, ask: Ask) -> None:
        await ask(ADMIN, "POST", f"{RBAC}/namespaces/team/rolebindings", _binding("jane", "edit"))
        key, merge = "athanor.dev/user", {"content_type": "application/merge-patch+json"}
        meta = {"name": "p", "annotations": {key: "root"}}
        _, made = await ask(JANE, "POST", _pods("team"), {**POD, "metadata": meta})
        assert made["metadata"]["annotations"] == {key: "jane"}
        forged = {"metadata": {"annotations": {key: "root", "a": "b"}}}
        _, now = await ask(JANE, "PATCH", _pods("team") + "/p", forged, **merge)
        assert now["metadata"]["annotations"] == {key: "jane", "a": "b"}
        gone = {"metadata": {"annotations": None}}
        _, now = await ask(JANE, "PATCH", _pods("team") + "/p", gone, **merge)
        assert now["metadata"]["annotations"] == {key: "jane"}
        controllers = User(name="system:athanor-controllers", groups=("system:masters",))
        meta = {"name": "q", "annotations": {key: "jane"}}
        _, made = await ask(controllers, "POST", _pods("team"), {**POD, "metadata": meta})
        assert made["metadata"]["annotations"] == {key: "jane"}
        await ask(ADMIN, "POST", _pods("team"), {**POD, "metadata": {"name": "r"}})
        label = {"metadata": {"labels": {"a": "b"}}}
        _, now = await ask(JANE, "PATCH", _pods("team") + "/r", label, **merge)
        assert "annotations" not in now["metadata"]
        spec = {"spec": {"activeDeadlineSeconds": 5}}  # who changes what it does answers for it
        _, now = await ask(JANE, "PATCH", _pods("team") + "/r", spec, **merge)
        assert now["metadata"]["annotations"] == {key: "jane"}

    _with(scenario)


def test_a_gathered_role_follows_its_parts() -> None:
    async def scenario(server: ApiServer, ask: Ask) -> None:
        await ask(ADMIN, "POST", f"{RBAC}/namespaces/team/rolebindings", _binding("jane", "view"))
        widgets = "/apis/x.example.com/v1/namespaces/team/widgets"
        assert (await ask(JANE, "GET", widgets))[0] == 403
        rule = {"apiGroups": ["x.example.com"], "resources": ["widgets"], "verbs": ["list"]}
        labels = {"rbac.authorization.k8s.io/aggregate-to-view": "true"}
        part = {"metadata": {"name": "widgets", "labels": labels}, "rules": [rule]}
        assert (await ask(ADMIN, "POST", f"{RBAC}/clusterroles", part))[0] == 201
        assert (await ask(JANE, "GET", widgets))[0] == 404  # allowed; nothing is served there
        await server.house.work.settle()
        for name in ("view", "edit", "admin"):
            _, role = await ask(ADMIN, "GET", f"{RBAC}/clusterroles/{name}")
            assert any(r["resources"] == ["widgets"] for r in role["rules"]), name
        await ask(ADMIN, "DELETE", f"{RBAC}/clusterroles/widgets")
        assert (await ask(JANE, "GET", widgets))[0] == 403

    _with(scenario)
