"""Who asks, what they may, and how a refusal reads."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import msgspec
import pytest

from athanor.api.meta import JSON
from athanor.kit.clock import FixedClock
from athanor.kit.ids import SeededIds
from athanor.local.apiserver.auth import bootstrap, escalation, reviews
from athanor.local.apiserver.auth.auth import Auth, attributes_of
from athanor.local.apiserver.auth.rules import Attributes
from athanor.local.apiserver.route import Target, route
from athanor.local.store.model import Key
from athanor.local.store.store import Store
from athanor.wire.request import Request, User
from athanor.wire.status import ApiError

RBAC = "rbac.authorization.k8s.io"
JANE = User(name="jane", groups=("system:authenticated",))
ROOT = User(name="root", groups=("system:masters", "system:authenticated"))


class World:
    """A store with the bootstrap roles, and Auth over it."""

    def __init__(self) -> None:
        self.store = Store.open(":memory:")
        self.clock = FixedClock()
        self.auth = Auth(self.store, self.clock, b"k" * 32)
        asyncio.run(self.reconcile())

    async def reconcile(self) -> int:
        ids = SeededIds()
        written = await bootstrap.reconcile(
            self.store, "2026-01-01T00:00:00Z", ids.uid, self.auth.changed
        )
        return written + await bootstrap.gather(self.store, self.auth.rbac, self.auth.changed)

    def put(self, resource: str, obj: JSON) -> JSON:
        meta = obj["metadata"]
        meta.setdefault("uid", f"uid-{meta['name']}")
        key = Key(resource, meta.get("namespace", ""), meta["name"])
        row = self.store.get(key)
        old = msgspec.json.decode(row.body) if row else None

        def encode(revision: int) -> bytes:
            meta["resourceVersion"] = str(revision)
            return msgspec.json.encode(obj)

        asyncio.run(_put(self.store, key, encode, row.revision if row else 0))
        self.auth.changed(resource, old, obj)
        return obj

    def remove(self, resource: str, obj: JSON) -> None:
        meta = obj["metadata"]
        key = Key(resource, meta.get("namespace", ""), meta["name"])
        asyncio.run(_remove(self.store, key, int(meta["resourceVersion"]), obj))
        self.auth.changed(resource, obj, None)

    def role(self, name: str, namespace: str, *rules: JSON) -> JSON:
        made = {"metadata": {"name": name, "namespace": namespace}, "rules": list(rules)}
        return self.put(f"roles.{RBAC}", made)

    def bind(self, name: str, namespace: str, role: tuple[str, str], *who: JSON) -> JSON:
        meta = {"name": name} | ({"namespace": namespace} if namespace else {})
        ref = {"apiGroup": RBAC, "kind": role[0], "name": role[1]}
        kind = "rolebindings" if namespace else "clusterrolebindings"
        return self.put(f"{kind}.{RBAC}", {"metadata": meta, "roleRef": ref, "subjects": list(who)})

    def may(self, user: User, method: str, path: str) -> bool:
        return self.auth.why(user, attributes_of(_target(method, path))) is not None


async def _put(store: Store, key: Key, encode: object, expect: int) -> None:
    await store.put(key, encode, expect=expect)  # type: ignore[arg-type]


async def _remove(store: Store, key: Key, expect: int, obj: JSON) -> None:
    await store.remove(key, lambda _: msgspec.json.encode(obj), expect=expect)


def _target(method: str, path: str) -> Target:
    return route(Request(method=method, path=path))


def _user(name: str) -> JSON:
    return {"kind": "User", "apiGroup": RBAC, "name": name}


def _rule(groups: Iterable[str], resources: Iterable[str], verbs: Iterable[str]) -> JSON:
    return {"apiGroups": list(groups), "resources": list(resources), "verbs": list(verbs)}


@pytest.mark.parametrize(
    ("method", "path", "message"),
    [
        (
            "GET",
            "/api/v1/namespaces/default/pods",
            'pods is forbidden: User "jane" cannot list resource "pods" in API group "" in the '
            'namespace "default"',
        ),
        (
            "GET",
            "/api/v1/namespaces/default/pods/x/log",
            'pods "x" is forbidden: User "jane" cannot get resource "pods/log" in API group "" in '
            'the namespace "default"',
        ),
        (
            "DELETE",
            f"/apis/{RBAC}/v1/clusterroles/view",
            f'clusterroles.{RBAC} "view" is forbidden: User "jane" cannot delete resource '
            f'"clusterroles" in API group "{RBAC}" at the cluster scope',
        ),
        ("GET", "/foo", 'forbidden: User "jane" cannot get path "/foo"'),
    ],
)
def test_a_refusal_reads_as_kubernetes_words_it(method: str, path: str, message: str) -> None:
    with pytest.raises(ApiError) as refused:
        World().auth.authorize(JANE, _target(method, path))
    assert (refused.value.reason, refused.value.message) == ("Forbidden", message)


def test_rights_follow_bindings_and_roles_as_they_change() -> None:
    world = World()
    pods = "/api/v1/namespaces/team/pods"
    role = world.role("reader", "team", _rule([""], ["pods"], ["list"]))
    assert not world.may(JANE, "GET", pods)
    binding = world.bind("jane", "team", ("Role", "reader"), _user("jane"))
    assert world.may(JANE, "GET", pods)
    assert not world.may(JANE, "GET", "/api/v1/namespaces/other/pods")
    assert not world.may(JANE, "DELETE", pods + "/x")
    role["rules"] = [_rule([""], ["pods"], ["delete"])]
    world.put(f"roles.{RBAC}", role)
    assert world.may(JANE, "DELETE", pods + "/x") and not world.may(JANE, "GET", pods)
    world.remove(f"rolebindings.{RBAC}", binding)
    assert not world.may(JANE, "DELETE", pods + "/x")


def test_subresources_names_and_wildcards() -> None:
    world = World()
    named = {**_rule([""], ["configmaps"], ["get", "list"]), "resourceNames": ["only"]}
    world.role("some", "team", named, _rule(["*"], ["*/scale", "pods/log"], ["*"]))
    world.bind("jane", "team", ("Role", "some"), _user("jane"))
    assert world.may(JANE, "GET", "/api/v1/namespaces/team/configmaps/only")
    assert not world.may(JANE, "GET", "/api/v1/namespaces/team/configmaps/other")
    assert not world.may(JANE, "GET", "/api/v1/namespaces/team/configmaps")
    assert world.may(JANE, "PUT", "/apis/apps/v1/namespaces/team/deployments/a/scale")
    assert world.may(JANE, "GET", "/api/v1/namespaces/team/pods/a/log")
    assert not world.may(JANE, "GET", "/api/v1/namespaces/team/pods/a")


def test_edit_and_view_are_gathered_and_cover_our_kinds() -> None:
    world = World()
    world.bind("jane", "team", ("ClusterRole", "edit"), _user("jane"))
    gangs = "/apis/athanor.dev/v1alpha1/namespaces/team/gangs"
    assert world.may(JANE, "POST", gangs) and world.may(JANE, "GET", gangs)
    assert not world.may(JANE, "PUT", f"{gangs}/a/status")
    assert not world.may(JANE, "POST", f"/apis/{RBAC}/v1/namespaces/team/roles")
    assert world.may(JANE, "GET", "/apis/athanor.dev/v1alpha1/queues")
    assert not world.may(JANE, "POST", "/apis/athanor.dev/v1alpha1/queues")
    row = world.store.get(Key(f"clusterroles.{RBAC}", "", "edit"))
    assert row is not None and len(msgspec.json.decode(row.body)["rules"]) > 8


def test_bootstrap_writes_once_and_repairs() -> None:
    world = World()
    assert asyncio.run(world.reconcile()) == 0
    row = world.store.get(Key(f"clusterroles.{RBAC}", "", "system:discovery"))
    assert row is not None
    damaged = msgspec.json.decode(row.body) | {"rules": []}
    world.put(f"clusterroles.{RBAC}", damaged)
    assert not world.may(JANE, "GET", "/api")
    assert asyncio.run(world.reconcile()) == 1
    assert world.may(JANE, "GET", "/api")


def test_who_asks() -> None:
    auth = World().auth
    nobody = auth.authenticate(Request(method="GET", path="/"))
    assert (nobody.name, nobody.groups) == ("system:anonymous", ("system:unauthenticated",))
    known = auth.authenticate(Request(method="GET", path="/", peer=User(name="a", groups=("g",))))
    assert known.groups == ("g", "system:authenticated")
    for value in ("Bearer nonsense", "Bearer a.b.c", "Bearer " + "é" * 9):
        with pytest.raises(ApiError) as refused:
            auth.authenticate(Request(method="GET", path="/", headers={"authorization": value}))
        assert refused.value.code == 401


def test_nobody_may_only_look_whether_the_server_is_there() -> None:
    world = World()
    nobody = world.auth.authenticate(Request(method="GET", path="/"))
    for path in ("/livez", "/readyz", "/healthz", "/version"):
        assert world.may(nobody, "GET", path)
    for path in ("/api", "/apis", "/metrics", "/openapi/v3", "/api/v1/pods"):
        assert not world.may(nobody, "GET", path)


def test_impersonation_needs_the_right_to_it() -> None:
    world = World()
    headers = {"impersonate-user": "jane", "impersonate-group": "dev, ops"}
    made = world.auth.authenticate(Request(method="GET", path="/", headers=headers, peer=ROOT))
    assert made == User(name="jane", groups=("dev", "ops", "system:authenticated"))
    with pytest.raises(ApiError) as refused:
        world.auth.authenticate(Request(method="GET", path="/", headers=headers, peer=JANE))
    assert refused.value.message == (
        'users "jane" is forbidden: User "jane" cannot impersonate resource "users" in API group '
        '"" at the cluster scope'
    )
    account = {"impersonate-user": "system:serviceaccount:team:bot"}
    made = world.auth.authenticate(Request(method="GET", path="/", headers=account, peer=ROOT))
    assert "system:serviceaccounts:team" in made.groups


def _account(world: World) -> JSON:
    return world.put("serviceaccounts", {"metadata": {"name": "bot", "namespace": "team"}})


def test_a_token_names_its_account_and_dies_with_it_and_with_its_pod() -> None:
    world = World()
    account = _account(world)
    pod = world.put(
        "pods", {"metadata": {"name": "p", "namespace": "team"}, "spec": {"nodeName": "n"}}
    )
    tokens, now = world.auth.tokens, world.clock.now()
    ask = {"spec": {"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "p"}}}
    token, answer = tokens.request("team", "bot", ask, now=now, jti="1")
    bearer = Request(method="GET", path="/", headers={"authorization": f"Bearer {token}"})
    user = world.auth.authenticate(bearer)
    assert user.name == "system:serviceaccount:team:bot" and user.uid == "uid-bot"
    assert user.extra["authentication.kubernetes.io/pod-name"] == ("p",)
    assert answer["spec"]["expirationSeconds"] == 3600
    world.clock.advance(3599)
    world.auth.authenticate(bearer)
    world.remove("pods", pod)
    with pytest.raises(ApiError, match="Unauthorized"):
        world.auth.authenticate(bearer)
    free, _ = tokens.request("team", "bot", {}, now=world.clock.now(), jti="2")
    again = Request(method="GET", path="/", headers={"authorization": f"Bearer {free}"})
    world.auth.authenticate(again)
    world.put("serviceaccounts", {**account, "metadata": {**account["metadata"], "uid": "other"}})
    with pytest.raises(ApiError, match="Unauthorized"):
        world.auth.authenticate(again)


def test_tokens_expire_keep_to_their_audience_and_cannot_be_altered() -> None:
    world = World()
    _account(world)
    tokens, now = world.auth.tokens, world.clock.now()
    token, _ = tokens.request("team", "bot", {"spec": {"audiences": ["vault"]}}, now=now, jti="1")
    with pytest.raises(Exception, match="audiences"):
        tokens.check(token, now)
    assert tokens.check(token, now, ["vault"])[0].uid == "uid-bot"
    with pytest.raises(Exception, match="expired"):
        tokens.check(token, now + 3600, ["vault"])
    head, body, signature = token.split(".")
    for broken in (f"{head}.{body}.", f"{head}.{body[:-2]}.{signature}", f".{body}.{signature}"):
        with pytest.raises(Exception, match="invalid bearer token"):
            tokens.check(broken, now, ["vault"])


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"expirationSeconds": 5}, "may not specify a duration less than 10 minutes"),
        ({"expirationSeconds": 1 << 33}, "may not specify a duration larger than 2^32 seconds"),
        ({"expirationSeconds": "x"}, "must be a whole number"),
        ({"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "no"}}, 'pods "no" not'),
        ({"boundObjectRef": {"kind": "Foo", "apiVersion": "v1"}}, "/v1, Kind=Foo"),
    ],
)
def test_a_wrong_token_request_says_what_is_wrong(spec: JSON, message: str) -> None:
    world = World()
    _account(world)
    with pytest.raises(ApiError) as refused:
        world.auth.tokens.request("team", "bot", {"spec": spec}, now=0.0, jti="1")
    assert message in refused.value.message and refused.value.code < 500


def test_a_node_reads_what_its_pods_use_and_writes_its_own() -> None:
    world = World()
    node = User(name="system:node:n1", groups=("system:nodes", "system:authenticated"))
    spec = {
        "nodeName": "n1",
        "volumes": [{"secret": {"secretName": "s"}}],
        "containers": [{"env": [{"valueFrom": {"configMapKeyRef": {"name": "c"}}}]}],
    }
    pod = world.put("pods", {"metadata": {"name": "p", "namespace": "team"}, "spec": spec})
    team = "/api/v1/namespaces/team"
    for path in (f"{team}/secrets/s", f"{team}/configmaps/c", f"{team}/pods/p", "/api/v1/nodes"):
        assert world.may(node, "GET", path), path
    for path in (f"{team}/secrets/other", f"{team}/secrets", "/api/v1/secrets"):
        assert not world.may(node, "GET", path), path
    assert world.may(node, "PATCH", f"{team}/pods/p/status")
    assert world.may(node, "PUT", "/api/v1/nodes/n1/status")
    assert not world.may(node, "PUT", "/api/v1/nodes/n2/status")
    for name, spec in (("other", {"nodeName": "n2"}), ("unbound", {})):
        world.put("pods", {"metadata": {"name": name, "namespace": "team"}, "spec": spec})
        assert not world.may(node, "PATCH", f"{team}/pods/{name}/status")
        assert not world.may(node, "DELETE", f"{team}/pods/{name}")
    assert world.may(node, "DELETE", f"{team}/pods/gone"), "it is told that there is none"
    lease = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/"
    assert world.may(node, "PUT", lease + "n1") and not world.may(node, "PUT", lease + "n2")
    assert world.may(node, "POST", f"{team}/serviceaccounts/default/token")
    world.remove("pods", pod)
    assert not world.may(node, "GET", f"{team}/secrets/s")


def test_nobody_grants_what_they_do_not_hold() -> None:
    world = World()
    world.role(
        "maker", "team", _rule([RBAC], ["roles", "rolebindings"], ["create"]),
        _rule([""], ["pods"], ["get"]),
    )  # fmt: skip
    world.bind("maker", "team", ("Role", "maker"), _user("jane"))
    more: JSON = {
        "metadata": {"name": "more", "namespace": "team"},
        "rules": [_rule([""], ["pods", "secrets"], ["get", "list"]), _rule("*", "*", "*")],
    }
    with pytest.raises(ApiError) as refused:
        escalation.check(world.auth, JANE, f"roles.{RBAC}", more)
    assert refused.value.message == (
        f'roles.{RBAC} "more" is forbidden: user "jane" (groups=["system:authenticated"]) is '
        "attempting to grant RBAC permissions not currently held:\n"
        '{APIGroups:[""], Resources:["pods"], Verbs:["list"]}\n'
        '{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list"]}\n'
        '{APIGroups:["*"], Resources:["*"], Verbs:["*"]}'
    )
    less = {**more, "rules": [_rule([""], ["pods"], ["get"])]}
    escalation.check(world.auth, JANE, f"roles.{RBAC}", less)
    escalation.check(world.auth, ROOT, f"roles.{RBAC}", more)
    binding = {
        "metadata": {"name": "b", "namespace": "team"},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [_user("jane")],
    }
    with pytest.raises(ApiError, match="not currently held"):
        escalation.check(world.auth, JANE, f"rolebindings.{RBAC}", binding)
    changed = {**binding, "roleRef": {"kind": "Role", "name": "maker", "apiGroup": RBAC}}
    with pytest.raises(ApiError, match="cannot change roleRef"):
        escalation.check(world.auth, ROOT, f"rolebindings.{RBAC}", changed, binding)


def _review(world: World, kind: str, spec: JSON, user: User = JANE) -> JSON:
    asker = reviews.Asker(user=user, namespace="team", seconds=world.clock.now())
    answered: JSON = reviews.review(world.auth, asker, kind, {"kind": kind, "spec": spec})["status"]
    return answered


def test_access_reviews_answer_and_say_why() -> None:
    world = World()
    live = {"nonResourceAttributes": {"path": "/healthz", "verb": "get"}}
    told = _review(world, "SelfSubjectAccessReview", live)
    assert told == {
        "allowed": True,
        "reason": 'RBAC: allowed by ClusterRoleBinding "system:discovery" of ClusterRole '
        '"system:discovery" to Group "system:authenticated"',
    }
    pods = {"resourceAttributes": {"verb": "list", "resource": "pods", "namespace": "team"}}
    assert _review(world, "SelfSubjectAccessReview", pods) == {"allowed": False}
    assert _review(world, "SubjectAccessReview", {**pods, "groups": ["system:masters"]}) == {
        "allowed": True
    }
    rules = _review(world, "SelfSubjectRulesReview", {"namespace": "team"})
    assert rules["nonResourceRules"] and not rules["incomplete"]
    assert _review(world, "SelfSubjectReview", {})["userInfo"]["username"] == "jane"
    assert _review(world, "TokenReview", {"token": "x"}) == {
        "user": {}, "error": "invalid bearer token",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("SelfSubjectAccessReview", {}),
        ("SelfSubjectAccessReview", {"resourceAttributes": {}, "nonResourceAttributes": {}}),
        ("SelfSubjectAccessReview", {"resourceAttributes": 5}),
        ("SelfSubjectAccessReview", {"resourceAttributes": {"verb": 5}}),
        ("SubjectAccessReview", {"resourceAttributes": {"verb": "get"}}),
        ("SubjectAccessReview", {"groups": "x", "resourceAttributes": {}}),
        ("LocalSubjectAccessReview", {"user": "a", "resourceAttributes": {"namespace": "b"}}),
        ("SelfSubjectRulesReview", {}),
        ("TokenReview", {}),
    ],
)
def test_a_wrong_review_is_refused(kind: str, spec: JSON) -> None:
    with pytest.raises(ApiError) as refused:
        _review(World(), kind, spec)
    assert 400 <= refused.value.code < 500 and refused.value.message


def test_a_check_is_remembered_until_something_changes() -> None:
    world = World()
    asked = Attributes(verb="get", path="/api")
    assert world.auth.rbac.find(JANE, asked) is world.auth.rbac.find(JANE, asked)
