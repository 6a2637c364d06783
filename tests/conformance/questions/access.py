"""Who may what: roles, bindings, reviews, impersonation, tokens."""

from __future__ import annotations

from typing import Any

from tests.conformance.scenario import Step, delete, get, patch, post, put

RBAC = "/apis/rbac.authorization.k8s.io/v1"
AUTH = "/apis/authorization.k8s.io/v1"
AUTHN = "/apis/authentication.k8s.io/v1"
NS = "/api/v1/namespaces/{ns}"
CMS = NS + "/configmaps"
ME = {"impersonate-user": "user-{n}"}
GROUPED = {"impersonate-user": "user-{n}", "impersonate-group": "group-{n}"}


def _role(name: str, *rules: Any, cluster: bool = False, **more: Any) -> Step:
    where = f"{RBAC}/clusterroles" if cluster else f"{RBAC}/namespaces/{{ns}}/roles"
    return post(where, {"metadata": {"name": name}, "rules": list(rules)}, **more)


def _rule(verbs: str, resources: str, groups: str = "", **more: Any) -> dict[str, Any]:
    return {"apiGroups": groups.split(","), "resources": resources.split(), "verbs": verbs.split(),
            **more}  # fmt: skip


def _bound(name: str, role: str, kind: str = "Role", cluster: bool = False, subject: Any = None,
           **more: Any) -> Step:  # fmt: skip
    where = f"{RBAC}/clusterrolebindings" if cluster else f"{RBAC}/namespaces/{{ns}}/rolebindings"
    subject = subject or {"kind": "User", "name": "user-{n}",
                          "apiGroup": "rbac.authorization.k8s.io"}  # fmt: skip
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role}
    return post(where, {"metadata": {"name": name}, "roleRef": ref, "subjects": [subject]}, **more)


def _may(user: str, code: Any = 201, groups: Any = (), **attributes: Any) -> Step:
    spec = {"user": user, "groups": list(groups), "resourceAttributes": attributes}
    return post(f"{AUTH}/subjectaccessreviews", {"spec": spec}, code=code)


def _as(path: str, code: Any, headers: Any = None) -> Step:
    return get(path, code=code, headers={**ME, **(headers or {})}, within=10)


SCENARIOS = {
    "nobody may anything": [
        _as(CMS, 403),
        _as(CMS + "/x", 403),
        _as("/api/v1/configmaps", 403),
        _as("/apis/rbac.authorization.k8s.io/v1/clusterroles/x", 403),
        post(CMS, {"metadata": {"name": "a"}}, code=403, headers=ME),
        delete(CMS + "/x", code=403, headers=ME),
        delete(CMS, code=403, headers=ME),
        patch(CMS + "/x", {}, code=403, headers=ME),
        _as(NS + "/pods/x/log", 403),
        post(NS + "/pods/x/exec", None, code=403, headers=ME),
        _as("/metrics", 403),
        _as("/nonsense", 403),
    ],
    "what everybody may": [
        Step(method="HEAD", path="/version", headers=ME),
        Step(method="HEAD", path="/api", headers=ME),
        Step(method="HEAD", path="/healthz", headers=ME),
        Step(method="HEAD", path="/livez", headers=ME),
        post(f"{AUTH}/selfsubjectaccessreviews", {"spec": {"resourceAttributes": {
            "verb": "get", "resource": "pods", "namespace": "{ns}"}}}, headers=ME),
        post(f"{AUTHN}/selfsubjectreviews", {}, headers=ME),
        post(f"{AUTH}/subjectaccessreviews", {"spec": {"user": "x", "resourceAttributes": {
            "verb": "get", "resource": "pods"}}}, headers=ME, code=403),
    ],
    "a role opens what it says": [
        _role("r", _rule("get list", "configmaps"), _rule("create", "pods")),
        _bound("b", "r"),
        _as(CMS + "?labelSelector=none", 200),
        _as(CMS + "/none", 404),
        _as(NS + "/secrets", 403),
        post(CMS, {"metadata": {"name": "a"}}, code=403, headers=ME),
        get(CMS + "?watch=1&timeoutSeconds=1", code=403, headers=ME),
        post(NS + "/pods", {"metadata": {"name": "a"}, "spec": {"containers": [
            {"name": "c", "image": "x"}]}}, headers=ME),
        _as("/api/v1/configmaps", 403),
    ],
    "rules by name": [
        _role("r", _rule("get update", "configmaps", resourceNames=["a"])),
        _bound("b", "r"),
        post(CMS, {"metadata": {"name": "a"}}),
        _as(CMS + "/a", 200),
        _as(CMS + "/b", 403),
        _as(CMS, 403),
        get(CMS + "?fieldSelector=metadata.name=a", code=403, headers=ME),
        _may("user-{n}", namespace="{ns}", verb="get", resource="configmaps", name="a"),
        _may("user-{n}", namespace="{ns}", verb="get", resource="configmaps"),
    ],
    "listing by name": [
        _role("r", _rule("list watch", "configmaps", resourceNames=["a"])),
        _bound("b", "r"),
        post(CMS, {"metadata": {"name": "a"}}),
        _as(CMS + "?fieldSelector=metadata.name=a", 200),
        _as(CMS + "?fieldSelector=metadata.name=b", 403),
    ],
    "subresources are apart": [
        _role("r", _rule("get", "pods/log"), _rule("update patch", "pods/status")),
        _bound("b", "r"),
        _as(NS + "/pods/none/log", 404),
        _as(NS + "/pods/none", 403),
        patch(NS + "/pods/none/status", {}, code=404, headers=ME),
        patch(NS + "/pods/none", {}, code=403, headers=ME),
        _may("user-{n}", namespace="{ns}", verb="get", resource="pods", subresource="log"),
    ],
    "stars": [
        _role("r", _rule("*", "configmaps"), _rule("get", "*/scale", "*")),
        _bound("b", "r"),
        _as(CMS + "/none", 404),
        delete(CMS + "/none", code=404, headers=ME),
        _may("user-{n}", namespace="{ns}", verb="get", group="apps", resource="deployments",
             subresource="scale"),
        _may("user-{n}", namespace="{ns}", verb="deletecollection", resource="configmaps"),
        _may("user-{n}", namespace="{ns}", verb="get", resource="secrets"),
    ],
    "groups and accounts": [
        _role("r", _rule("get", "configmaps")),
        _bound("b", "r", subject={"kind": "Group", "name": "group-{n}",
                                  "apiGroup": "rbac.authorization.k8s.io"}),
        _bound("c", "r", subject={"kind": "ServiceAccount", "name": "default",
                                  "namespace": "{ns}"}),
        _as(CMS + "/none", 404, GROUPED),
        _as(CMS + "/none", 403),
        get(CMS + "/none", code=404, within=5, headers={
            "impersonate-user": "system:serviceaccount:{ns}:default"}),
        _may("system:serviceaccount:{ns}:default", namespace="{ns}", verb="get",
             resource="configmaps"),
        _may("", groups=["group-{n}"], namespace="{ns}", verb="get", resource="configmaps"),
    ],
    "a cluster role in one namespace": [
        _role("{ns}-r", _rule("get", "configmaps"), cluster=True),
        _bound("b", "{ns}-r", "ClusterRole"),
        _as(CMS + "/none", 404),
        _as("/api/v1/namespaces/default/configmaps/none", 403),
        delete(f"{RBAC}/clusterroles/{{ns}}-r"),
    ],
    "a cluster role everywhere": [
        _role("{ns}-r", _rule("get", "persistentvolumes configmaps"),
              {"nonResourceURLs": ["/here/*"], "verbs": ["get"]}, cluster=True),
        _bound("{ns}-b", "{ns}-r", "ClusterRole", cluster=True),
        _as("/api/v1/persistentvolumes/none", 404),
        _as("/api/v1/namespaces/default/configmaps/none", 404),
        _as("/here/x", 404),
        _as("/there", 403),
        post(f"{AUTH}/subjectaccessreviews", {"spec": {
            "user": "user-{n}", "nonResourceAttributes": {
            "path": "/here/y", "verb": "get"}}}),
        delete(f"{RBAC}/clusterrolebindings/{{ns}}-b"),
        _as("/api/v1/persistentvolumes/none", 403),
        delete(f"{RBAC}/clusterroles/{{ns}}-r"),
    ],
    "roles that are gathered": [
        post(f"{RBAC}/clusterroles", {"metadata": {"name": "{ns}-all"}, "rules": [],
             "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"part": "{ns}"}}]}}),
        post(f"{RBAC}/clusterroles", {"metadata": {"name": "{ns}-one", "labels": {"part": "{ns}"}},
                                      "rules": [_rule("get", "configmaps")]}),
        get(f"{RBAC}/clusterroles/{{ns}}-all", within=10, see={"rules": ["<any>"]}),
        delete(f"{RBAC}/clusterroles/{{ns}}-one"),
        delete(f"{RBAC}/clusterroles/{{ns}}-all"),
    ],
    "nobody gives what he has not": [
        _role("r", _rule("create get", "roles rolebindings", "rbac.authorization.k8s.io"),
              _rule("get", "configmaps")),
        _bound("b", "r"),
        get(f"{RBAC}/namespaces/{{ns}}/roles/none", code=404, within=10, headers=ME),
        _role("mine", _rule("get", "configmaps"), headers=ME),
        _role("more", _rule("get", "secrets"), headers=ME, code=403),
        _role("most", _rule("*", "*", "*"), headers=ME, code=403),
        _bound("mine", "mine", headers=ME),
        _bound("admin", "cluster-admin", "ClusterRole", headers=ME, code=403),
        _bound("none", "none", headers=ME, code=(403, 404)),
    ],
    "escalating and binding": [
        _role("r", _rule("create escalate bind", "roles rolebindings",
                         "rbac.authorization.k8s.io")),
        _bound("b", "r"),
        get(f"{RBAC}/namespaces/{{ns}}/roles/none", code=403, headers=ME),
        _role("more", _rule("get", "secrets"), headers=ME, within=10),
        _bound("more", "more", headers=ME),
        _as(NS + "/secrets/none", 404),
    ],
    "changing a binding's role": [
        _role("r", _rule("get", "configmaps")),
        _bound("b", "r"),
        patch(f"{RBAC}/namespaces/{{ns}}/rolebindings/b", {"roleRef": {"name": "q"}}, code=422),
        put(f"{RBAC}/namespaces/{{ns}}/rolebindings/b", {"metadata": {"name": "b"}, "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"}, "subjects": []}),
        _as(CMS + "/none", 403),
    ],
    "impersonation": [
        get(CMS, headers={"impersonate-group": "g"}, code=400),
        get(CMS, headers={"impersonate-uid": "1"}, code=(400, 403, 500)),
        post(f"{AUTHN}/selfsubjectreviews", {}, headers={
            **GROUPED, "impersonate-uid": "7", "impersonate-extra-scopes": "a"}),
        post(f"{AUTHN}/selfsubjectreviews", {}, headers={
            "impersonate-user": "system:serviceaccount:{ns}:default"}),
        post(f"{AUTHN}/selfsubjectreviews", {}, headers={"impersonate-user": "system:anonymous"}),
        post(f"{AUTHN}/selfsubjectreviews", {}, headers={"impersonate-user": "system:admin",
                                                         "impersonate-group": "system:masters"}),
    ],
    "wrong reviews": [
        post(f"{AUTH}/subjectaccessreviews", {"spec": {}}, code=(400, 422)),
        post(f"{AUTH}/subjectaccessreviews", {"spec": {"user": "x"}}, code=(400, 422)),
        post(f"{AUTH}/subjectaccessreviews", {"spec": {"user": "x", "resourceAttributes": {},
             "nonResourceAttributes": {}}}, code=(201, 400, 422)),
        post(f"{AUTH}/subjectaccessreviews", {"metadata": {"name": "x"}, "spec": {
            "user": "x", "resourceAttributes": {"verb": "get"}}}, code=(201, 400, 422)),
        post(f"{AUTH}/selfsubjectaccessreviews", {"spec": {}}, code=(400, 422)),
        post(f"{AUTH}/selfsubjectrulesreviews", {"spec": {}}, code=(201, 400, 422)),
        post(f"{AUTH}/namespaces/{{ns}}/localsubjectaccessreviews", {"spec": {
            "user": "x", "resourceAttributes": {"verb": "get", "namespace": "other"}}},
            code=(400, 422)),
        post(f"{AUTH}/namespaces/{{ns}}/localsubjectaccessreviews", {"spec": {
            "user": "x", "nonResourceAttributes": {"verb": "get", "path": "/"}}}, code=(400, 422)),
        post(f"{AUTHN}/tokenreviews", {"spec": {}}, code=(201, 400, 422)),
        post(f"{AUTHN}/tokenreviews", {"spec": {"token": "nonsense"}}),
        get(f"{AUTHN}/tokenreviews", code=405),
        get(f"{AUTH}/subjectaccessreviews/x", code=(404, 405)),
    ],
    "local reviews": [
        _role("r", _rule("get", "configmaps")),
        _bound("b", "r"),
        _as(CMS + "/none", 404),
        post(f"{AUTH}/namespaces/{{ns}}/localsubjectaccessreviews", {"spec": {
            "user": "user-{n}", "resourceAttributes": {
                "verb": "get", "resource": "configmaps", "namespace": "{ns}"}}}),
        post(f"{AUTH}/namespaces/{{ns}}/localsubjectaccessreviews", {"spec": {
            "user": "other", "resourceAttributes": {
                "verb": "get", "resource": "configmaps", "namespace": "{ns}"}}}),
    ],
    "tokens of accounts": [
        post(NS + "/serviceaccounts/default/token", {"spec": {}},
             save={"token": "status.token"}),
        post(f"{AUTHN}/tokenreviews", {"spec": {"token": "{token}"}}),
        get(CMS + "/none", code=403, headers={"authorization": "Bearer {token}"}),
        post(f"{AUTHN}/selfsubjectreviews", {}, headers={"authorization": "Bearer {token}"}),
        post(f"{AUTHN}/tokenreviews", {"spec": {"token": "{token}", "audiences": ["other"]}}),
        post(NS + "/serviceaccounts/default/token", {"spec": {"audiences": ["other"]}},
             save={"token": "status.token"}),
        post(f"{AUTHN}/tokenreviews", {"spec": {"token": "{token}", "audiences": ["other"]}}),
        post(f"{AUTHN}/tokenreviews", {"spec": {"token": "{token}"}}),
        get(CMS + "/none", code=401, headers={"authorization": "Bearer {token}"}),
    ],
    "tokens that are bound": [
        post(NS + "/pods", {"metadata": {"name": "a"}, "spec": {"containers": [
            {"name": "c", "image": "x"}]}}, save={"uid": "metadata.uid"}),
        post(NS + "/serviceaccounts/default/token", {"spec": {"boundObjectRef": {
            "kind": "Pod", "apiVersion": "v1", "name": "a", "uid": "{uid}"}}},
             save={"token": "status.token"}),
        post(f"{AUTHN}/tokenreviews", {"spec": {"token": "{token}"}}),
        delete(NS + "/pods/a"),
        post(NS + "/serviceaccounts/default/token", {"spec": {"boundObjectRef": {
            "kind": "Pod", "apiVersion": "v1", "name": "a"}}}, code=404),
        post(NS + "/serviceaccounts/default/token", {"spec": {"boundObjectRef": {
            "kind": "ConfigMap", "apiVersion": "v1", "name": "a"}}}, code=(400, 422)),
    ],
    "wrong token requests": [
        post(NS + "/serviceaccounts/none/token", {"spec": {}}, code=404),
        post(NS + "/serviceaccounts/default/token", {"spec": {"expirationSeconds": 5}}, code=422),
        post(NS + "/serviceaccounts/default/token", {"spec": {"expirationSeconds": "x"}}, code=400),
        post(NS + "/serviceaccounts/default/token", {"metadata": {"name": "other"}, "spec": {}},
             code=400),
        get(NS + "/serviceaccounts/default/token", code=405),
        post(NS + "/serviceaccounts/default/token?dryRun=All", {"spec": {}}),
    ],
    "a token of an account that is gone": [
        post(NS + "/serviceaccounts", {"metadata": {"name": "s"}}),
        post(NS + "/serviceaccounts/s/token", {"spec": {}}, save={"token": "status.token"}),
        delete(NS + "/serviceaccounts/s"),
        get(CMS, code=401, headers={"authorization": "Bearer {token}"}, within=15),
    ],
    "credentials that are wrong": [
        get(CMS, code=401, headers={"authorization": "Bearer nonsense"}),
        get(CMS, code=401, headers={"authorization": "Basic eDp5"}),
        get("/version", code=401, headers={"authorization": "Bearer nonsense"}),
    ],
    "accounts come back": [
        delete(NS + "/serviceaccounts/default"),
        get(NS + "/serviceaccounts/default", within=10),
    ],
}  # fmt: skip
