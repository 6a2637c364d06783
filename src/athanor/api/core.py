"""The built-in Kubernetes kinds as far as our controllers and the node agent read them.

Views, not full schemas: what a pod template says beyond these fields travels as plain JSON.
Field meanings are those of the Kubernetes 1.36 API reference.
"""

from __future__ import annotations

from msgspec import field

from athanor.api.meta import JSON, Base, Condition, Object, ObjectReference


class Taint(Base, frozen=True, kw_only=True):
    """Keeps pods off a node unless they tolerate it."""

    key: str
    value: str = ""
    effect: str = "NoSchedule"


class Toleration(Base, frozen=True, kw_only=True):
    """Lets a pod onto (or stay on) a tainted node."""

    key: str = ""
    operator: str = "Equal"
    value: str = ""
    effect: str = ""
    toleration_seconds: int | None = None


class NodeSpec(Base, frozen=True, kw_only=True):
    """What an administrator or controller wants of a node."""

    unschedulable: bool = False
    taints: list[Taint] = field(default_factory=list)
    pod_cidr: str = ""
    provider_id: str = ""


class NodeAddress(Base, frozen=True, kw_only=True):
    """Where a node is reached."""

    type: str
    address: str


class NodeStatus(Base, frozen=True, kw_only=True):
    """What a node has, and how it is."""

    capacity: dict[str, str] = field(default_factory=dict)
    allocatable: dict[str, str] = field(default_factory=dict)
    conditions: list[Condition] = field(default_factory=list)
    addresses: list[NodeAddress] = field(default_factory=list)


class Node(Object, frozen=True, kw_only=True):
    """A machine that runs pods."""

    spec: NodeSpec = field(default_factory=NodeSpec)
    status: NodeStatus = field(default_factory=NodeStatus)


class ResourceRequirements(Base, frozen=True, kw_only=True):
    """Requests and limits of a container: resource name → quantity."""

    requests: dict[str, str] = field(default_factory=dict)
    limits: dict[str, str] = field(default_factory=dict)


class ContainerPort(Base, frozen=True, kw_only=True):
    """A port that a container says it listens on."""

    container_port: int
    name: str = ""
    host_port: int | None = None
    protocol: str = "TCP"


class Container(Base, frozen=True, kw_only=True):
    """One container of a pod. Probes, hooks, env sources and mounts stay JSON: the agent's."""

    name: str
    image: str = ""
    command: list[str] = field(default_factory=list)
    args: list[str] = field(default_factory=list)
    working_dir: str = ""
    env: list[JSON] = field(default_factory=list)
    env_from: list[JSON] = field(default_factory=list)
    ports: list[ContainerPort] = field(default_factory=list)
    resources: ResourceRequirements = field(default_factory=ResourceRequirements)
    volume_mounts: list[JSON] = field(default_factory=list)
    restart_policy: str = ""
    liveness_probe: JSON | None = None
    readiness_probe: JSON | None = None
    startup_probe: JSON | None = None
    lifecycle: JSON | None = None
    security_context: JSON | None = None
    stdin: bool = False
    tty: bool = False
    termination_message_path: str = ""


class PodSpec(Base, frozen=True, kw_only=True):
    """What a pod is to run, and where it may."""

    containers: list[Container] = field(default_factory=list)
    init_containers: list[Container] = field(default_factory=list)
    volumes: list[JSON] = field(default_factory=list)
    node_name: str = ""
    node_selector: dict[str, str] = field(default_factory=dict)
    affinity: JSON | None = None
    tolerations: list[Toleration] = field(default_factory=list)
    topology_spread_constraints: list[JSON] = field(default_factory=list)
    scheduler_name: str = ""
    scheduling_gates: list[JSON] = field(default_factory=list)
    restart_policy: str = "Always"
    termination_grace_period_seconds: int | None = None
    active_deadline_seconds: int | None = None
    hostname: str = ""
    subdomain: str = ""
    host_network: bool = False
    service_account_name: str = ""
    automount_service_account_token: bool | None = None
    priority_class_name: str = ""
    priority: int | None = None
    preemption_policy: str = ""
    security_context: JSON | None = None
    share_process_namespace: bool | None = None
    resources: ResourceRequirements | None = None
    overhead: dict[str, str] = field(default_factory=dict)
    resource_claims: list[JSON] = field(default_factory=list)


class ContainerStateWaiting(Base, frozen=True, kw_only=True):
    """Not started yet, or between two starts."""

    reason: str = ""
    message: str = ""


class ContainerStateRunning(Base, frozen=True, kw_only=True):
    """Running since."""

    started_at: str | None = None


class ContainerStateTerminated(Base, frozen=True, kw_only=True):
    """How a container ended."""

    exit_code: int
    signal: int | None = None
    reason: str = ""
    message: str = ""
    started_at: str | None = None
    finished_at: str | None = None
    container_id: str = ""


class ContainerState(Base, frozen=True, kw_only=True):
    """Exactly one of the three is set."""

    waiting: ContainerStateWaiting | None = None
    running: ContainerStateRunning | None = None
    terminated: ContainerStateTerminated | None = None


class ContainerStatus(Base, frozen=True, kw_only=True):
    """The node's report on one container."""

    name: str
    state: ContainerState = field(default_factory=ContainerState)
    last_state: ContainerState = field(default_factory=ContainerState)
    ready: bool = False
    started: bool | None = None
    restart_count: int = 0
    image: str = ""
    image_id: str = ""
    container_id: str = ""


class PodIP(Base, frozen=True, kw_only=True):
    """One address of a pod."""

    ip: str


class PodCondition(Condition, frozen=True, kw_only=True):
    """One observation of a pod, and when somebody last looked at what it says."""

    last_probe_time: str | None = None


class PodStatus(Base, frozen=True, kw_only=True):
    """The node's report on a pod."""

    phase: str = ""
    reason: str = ""
    message: str = ""
    conditions: list[PodCondition] = field(default_factory=list)
    host_ip: str = ""
    pod_ip: str = ""
    pod_ips: list[PodIP] = field(default_factory=list)
    start_time: str | None = None
    container_statuses: list[ContainerStatus] = field(default_factory=list)
    init_container_statuses: list[ContainerStatus] = field(default_factory=list)
    qos_class: str = ""


class Pod(Object, frozen=True, kw_only=True):
    """A group of containers that share a node, a network and volumes."""

    spec: PodSpec = field(default_factory=PodSpec)
    status: PodStatus = field(default_factory=PodStatus)


class Namespace(Object, frozen=True, kw_only=True):
    """A tenant's room for names."""

    spec: JSON = field(default_factory=dict)
    status: JSON = field(default_factory=dict)


class Service(Object, frozen=True, kw_only=True):
    """A name for a set of pods."""

    spec: JSON = field(default_factory=dict)
    status: JSON = field(default_factory=dict)


class ConfigMap(Object, frozen=True, kw_only=True):
    """Configuration for pods."""

    data: dict[str, str] = field(default_factory=dict)
    binary_data: dict[str, str] = field(default_factory=dict)
    immutable: bool | None = None


class Secret(Object, frozen=True, kw_only=True):
    """Confidential data for pods; values are base64."""

    data: dict[str, str] = field(default_factory=dict)
    type: str = ""
    immutable: bool | None = None


class ServiceAccount(Object, frozen=True, kw_only=True):
    """An identity for pods and controllers."""


class PersistentVolumeClaim(Object, frozen=True, kw_only=True):
    """A wish for storage."""

    spec: JSON = field(default_factory=dict)
    status: JSON = field(default_factory=dict)


class PersistentVolume(Object, frozen=True, kw_only=True):
    """A piece of storage."""

    spec: JSON = field(default_factory=dict)
    status: JSON = field(default_factory=dict)


class StorageClass(Object, frozen=True, kw_only=True):
    """How volumes of a class are made, and when (storage.k8s.io)."""

    provisioner: str = ""
    volume_binding_mode: str = "Immediate"
    allowed_topologies: list[JSON] = field(default_factory=list)


class Event(Object, frozen=True, kw_only=True):
    """Something that happened to an object, for whoever watches it (core/v1)."""

    involved_object: ObjectReference = field(default_factory=ObjectReference)
    reason: str = ""
    message: str = ""
    type: str = "Normal"
    count: int = 1
    first_timestamp: str | None = None
    last_timestamp: str | None = None
    event_time: str | None = None
    source: JSON = field(default_factory=dict)
    reporting_component: str = ""
    reporting_instance: str = ""


class LeaseSpec(Base, frozen=True, kw_only=True):
    """Who holds a lease, since when, for how long. Times are RFC 3339 with microseconds."""

    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    acquire_time: str | None = None
    renew_time: str | None = None
    lease_transitions: int | None = None


class Lease(Object, frozen=True, kw_only=True):
    """A heartbeat or a lock (coordination.k8s.io)."""

    spec: LeaseSpec = field(default_factory=LeaseSpec)


class PriorityClass(Object, frozen=True, kw_only=True):
    """A named priority (scheduling.k8s.io)."""

    value: int = 0
    global_default: bool = False
    preemption_policy: str = "PreemptLowerPriority"
    description: str = ""


class LimitRange(Object, frozen=True, kw_only=True):
    """Bounds and usual amounts of what is made in a namespace."""

    spec: JSON = field(default_factory=dict)


class ResourceQuota(Object, frozen=True, kw_only=True):
    """Limits on what a namespace may hold."""

    spec: JSON = field(default_factory=dict)
    status: JSON = field(default_factory=dict)
