"""What a kube-apiserver does and this server refuses: one list, for the docs and for the tests.

Each refusal has an example request; a test sends it and compares the answer. Nothing is refused
silently: every answer is a `Status` that says so.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from athanor.local.apiserver.route import Target
from athanor.wire.request import Request


class Refusal(Struct, frozen=True, kw_only=True):
    """One thing that is not supported: what, why, the way out, an example's answer.

    `names` are groups, resources, `resource/subresource`s and paths that are answered 404 for it.
    """

    what: str
    why: str
    instead: str
    method: str
    path: str
    code: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    names: tuple[str, ...] = ()

    def example(self) -> Request:
        """The example as a request."""
        return Request(method=self.method, path=self.path, headers=self.headers, body=self.body)


class Departure(Struct, frozen=True, kw_only=True):
    """One thing that is served, but not as a kube-apiserver serves it, and why."""

    what: str
    why: str


DEPARTURES: tuple[Departure, ...] = (
    Departure(
        what="CEL rules are neither type-checked nor estimated when they are defined",
        why="the engine finds out when a rule runs; a rule that fails then refuses the object",
    ),
    Departure(
        what="The annotation `athanor.dev/user` on what people make",
        why="queues count what each person uses, and pods must say whose they are",
    ),
    Departure(
        what="A default StorageClass `local`",
        why="claims find storage on a machine that nobody has set up for it",
    ),
    Departure(
        what="Managed fields of writers that do not name themselves",
        why="only `fieldManager=…` and applies are remembered: a list of every client's fields "
        "would double what is stored",
    ),
    Departure(
        what="Lists at resourceVersion=0 without pages",
        why="`limit` is kept at any version; Kubernetes' watch cache ignores it at 0",
    ),
    Departure(
        what="Waiting for a version that is not there yet",
        why="a watch of a version of the future is told so at once",
    ),
    Departure(
        what="Taints of nodes by their conditions",
        why="no node life cycle controller would take `not-ready` away again",
    ),
)
"""In the order of the docs. Each scenario that differs names its entry (docs/parity.md)."""

_JSON = {"content-type": "application/json"}
_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_CRD_WITH_A_WEBHOOK = (
    b'{"metadata":{"name":"foos.example.com"},"spec":{"group":"example.com","scope":"Cluster",'
    b'"names":{"plural":"foos","kind":"Foo"},"conversion":{"strategy":"Webhook","webhook":{'
    b'"conversionReviewVersions":["v1"],"clientConfig":{"url":"https://example.com"}}},'
    b'"versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":'
    b'{"type":"object"}}}]}}'
)
_CRD_WITH_A_MACRO = (
    b'{"metadata":{"name":"foos.example.com"},"spec":{"group":"example.com","scope":"Cluster",'
    b'"names":{"plural":"foos","kind":"Foo"},"versions":[{"name":"v1","served":true,'
    b'"storage":true,"schema":{"openAPIV3Schema":{"type":"object","x-kubernetes-validations":['
    b'{"rule":"self.?spec.hasValue()"}]}}}]}}'
)
_CRD_IN_PROTOBUF = (
    b"k8s\x00\x0a\x33\x0a\x17apiextensions.k8s.io/v1\x12\x18CustomResourceDefinition"
    b"\x12\x00\x1a\x00\x22\x00"
)

REFUSALS: tuple[Refusal, ...] = (
    Refusal(
        what="Workload kinds of `apps` (Deployment, StatefulSet, DaemonSet, ReplicaSet)",
        why="the laptop serves what AI work needs",
        instead="a TrainingJob or Gang; those kinds on a Kubernetes cluster",
        method="GET", path="/apis/apps/v1/namespaces/default/deployments", code=404,
        names=("apps",),
    ),
    Refusal(
        what="batch/v1 Job and CronJob",
        why="planned",
        instead="a TrainingJob",
        method="POST", path="/apis/batch/v1/namespaces/default/jobs", code=404,
        names=("batch",),
        headers=_JSON, body=b"{}",
    ),
    Refusal(
        what="Answers in protobuf or CBOR for clients that accept nothing else",
        why="JSON is the one encoding of answers",
        instead="accept application/json, as every client library does",
        method="GET", path="/api/v1/pods", code=406,
        headers={"accept": "application/vnd.kubernetes.protobuf"},
    ),
    Refusal(
        what="Bodies in CBOR",
        why="no client writes it unless the server offers it",
        instead="application/json",
        method="POST", path="/api/v1/namespaces/default/configmaps", code=415,
        headers={"content-type": "application/cbor"}, body=b"\xd9\xd9\xf7\xa0",
    ),
    Refusal(
        what="CustomResourceDefinitions and APIServices in protobuf",
        why="schemas have no useful protobuf form",
        instead="application/json; other kinds' protobuf bodies are read",
        method="POST", path=_CRDS, code=415,
        headers={"content-type": "application/vnd.kubernetes.protobuf"}, body=_CRD_IN_PROTOBUF,
    ),
    Refusal(
        what="Admission webhooks and admission policies",
        why="nothing foreign stands in a request's path",
        instead="CEL rules in CustomResourceDefinitions",
        method="GET",
        path="/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations", code=404,
        names=("admissionregistration.k8s.io",),
    ),
    Refusal(
        what="Proxying to pods, services and nodes through the API server",
        why="nobody asked yet",
        instead="port-forward",
        method="GET", path="/api/v1/namespaces/default/pods/p/proxy/", code=404,
        names=("pods/proxy", "services/proxy", "nodes/proxy"),
    ),
    Refusal(
        what="Ephemeral containers and resizing of running pods",
        why="planned",
        instead="exec; a new pod",
        method="PATCH", path="/api/v1/namespaces/default/pods/p/ephemeralcontainers", code=404,
        names=("pods/ephemeralcontainers", "pods/resize"),
        headers={"content-type": "application/strategic-merge-patch+json"}, body=b"{}",
    ),
    Refusal(
        what="OpenAPI v2",
        why="kubectl reads v3 since 1.27; where it still asks for v2 it is told of no schemas",
        instead="/openapi/v3",
        method="GET", path="/openapi/v2", code=404,
    ),
    Refusal(
        what="Watches under /api/v1/watch",
        why="deprecated since Kubernetes 1.11",
        instead="?watch=1",
        method="GET", path="/api/v1/watch/pods", code=404,
        names=("watch",),
    ),
    Refusal(
        what="Component statuses",
        why="deprecated since Kubernetes 1.19",
        instead="/readyz?verbose",
        method="GET", path="/api/v1/componentstatuses", code=404,
        names=("componentstatuses",),
    ),
    Refusal(
        what="Publishing of token keys (/openid/v1/jwks)",
        why="tokens are for this server alone",
        instead="TokenReview",
        method="GET", path="/openid/v1/jwks", code=404,
        names=("/openid/v1/jwks", "/.well-known/openid-configuration"),
    ),
    Refusal(
        what="Services of type NodePort and LoadBalancer",
        why="a laptop has no nodes' network to open",
        instead="ClusterIP or headless Services; port-forward",
        method="POST", path="/api/v1/namespaces/default/services", code=422,
        headers=_JSON,
        body=b'{"apiVersion":"v1","kind":"Service","metadata":{"name":"s"},'
        b'"spec":{"type":"NodePort","ports":[{"port":80}]}}',
    ),
    Refusal(
        what="Conversion webhooks of CustomResourceDefinitions",
        why="nothing foreign stands in a request's path",
        instead="several versions with conversion strategy None",
        method="POST", path=_CRDS, code=422, headers=_JSON, body=_CRD_WITH_A_WEBHOOK,
    ),
    Refusal(
        what="CEL: optional selection (`self.?a`), macros over two variables, `sortBy`, "
        "`flatten`, format.*, the authorizer",
        why="the engine does not know them",
        instead="has(self.a) and the other functions of CEL in Kubernetes",
        method="POST", path=_CRDS, code=422, headers=_JSON, body=_CRD_WITH_A_MACRO,
    ),
    Refusal(
        what="Kinds of the core and storage groups that only a cluster's machinery has "
        "(ReplicationController, PodTemplate, CSIDriver, VolumeAttachment, …)",
        why="the laptop serves what AI work needs; discovery does not list them",
        instead="those kinds on a Kubernetes cluster",
        method="GET", path="/apis/storage.k8s.io/v1/csidrivers", code=404,
    ),
    Refusal(
        what="RuntimeClasses",
        why="pods are processes: the name of a class is kept and means nothing",
        instead="a class on a Kubernetes cluster; there a name that is none refuses the pod",
        method="GET", path="/apis/node.k8s.io/v1/runtimeclasses", code=404,
    ),
    Refusal(
        what="PodDisruptionBudgets",
        why="evictions are never held back",
        instead="minCount of a Gang's pod sets",
        method="GET", path="/apis/policy/v1/poddisruptionbudgets", code=404,
        names=("policy",),
    ),
    Refusal(
        what="Stored objects of more than 1.5 MiB, as with etcd",
        why="every watcher pays for them",
        instead="volumes or object storage for data",
        method="POST", path="/api/v1/namespaces/default/configmaps", code=413, headers=_JSON,
        body=b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"},"data":{"k":"'
        + b"x" * 3_200_000 + b'"}}',
    ),
)  # fmt: skip
"""In the order of the docs."""

_BY_NAME = {name: refusal for refusal in REFUSALS for name in refusal.names}


def told(target: Target) -> str:
    """Why there is nothing where a request goes, and what to use, when that is listed; else ""."""
    sub = f"{target.resource}/{target.subresource}"
    for name in (target.path, target.group, target.resource, sub):
        if refusal := _BY_NAME.get(name):
            return f"not served here: {refusal.what} ({refusal.why}); use {refusal.instead}"
    return ""
