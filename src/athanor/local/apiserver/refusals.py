"""What a kube-apiserver does and this server refuses, as data: the docs are generated from it.

Each refusal is answered with a Status that says so; none is silent.
"""

from __future__ import annotations

from msgspec import Struct


class Refusal(Struct, frozen=True, kw_only=True):
    """One thing that is not served: what, how it is answered, and what to do instead."""

    what: str
    answer: str
    instead: str


REFUSALS: tuple[Refusal, ...] = (
    Refusal(
        what="protobuf answers",
        answer="406 NotAcceptable when a client accepts nothing but protobuf",
        instead="accept application/json; every client library does. Protobuf bodies of built-in "
        "kinds, which kubectl sends, are read",
    ),
    Refusal(
        what="CBOR",
        answer="415 UnsupportedMediaType for bodies, 406 NotAcceptable for answers",
        instead="send and accept application/json",
    ),
    Refusal(
        what="workload kinds of other groups: apps, batch, autoscaling, networking.k8s.io, policy",
        answer="404 NotFound: the server could not find the requested resource",
        instead="a TrainingJob or Gang here; those kinds on a Kubernetes cluster",
    ),
    Refusal(
        what="LimitRange, ReplicationController, PodTemplate, ComponentStatus",
        answer="404 NotFound: the server could not find the requested resource",
        instead="ResourceQuota for limits of a namespace",
    ),
    Refusal(
        what="Services of type NodePort and LoadBalancer",
        answer="422 Invalid, spec.type",
        instead="ClusterIP or headless Services; names resolve to pods. Or port-forward",
    ),
    Refusal(
        what="pods/ephemeralcontainers, pods/resize, pods/proxy, services/proxy, nodes/proxy",
        answer="404 NotFound: the server could not find the requested resource",
        instead="exec, port-forward; a new pod",
    ),
    Refusal(
        what="admission webhooks and ValidatingAdmissionPolicies",
        answer="404 NotFound for their kinds",
        instead="CEL rules in CustomResourceDefinitions",
    ),
    Refusal(
        what="several served versions of a CustomResourceDefinition, conversion webhooks",
        answer="404 NotFound for versions other than the storage version",
        instead="one version",
    ),
    Refusal(
        what="PodDisruptionBudgets",
        answer="404 NotFound; evictions are never held back",
        instead="minAvailable semantics of a Gang's minCount",
    ),
    Refusal(
        what="OpenAPI v2",
        answer="404 NotFound for /openapi/v2",
        instead="/openapi/v3 (kubectl 1.27 or newer)",
    ),
    Refusal(
        what="JSON requests of more than 3 MiB, stored objects of more than 1.5 MiB",
        answer="413 RequestEntityTooLarge",
        instead="volumes or object storage for data",
    ),
)
