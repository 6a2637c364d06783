"""Pods: defaults, quality of service, what status updates keep (core/v1 `SetDefaults_Pod`)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from athanor.api.meta import JSON
from athanor.kit.quantity import NANO, Quantity, canonical, parse
from athanor.local.apiserver.kinds.base import Strategy
from athanor.local.apiserver.kinds.pod_checks import check, check_new
from athanor.local.apiserver.kinds.pod_placing import TOLERATED
from athanor.local.apiserver.kinds.pod_updates import check_status, check_update
from athanor.local.apiserver.kinds.pod_warnings import warnings
from athanor.wire.rations import quality

_SPEC_DEFAULTS: tuple[tuple[str, str | int | bool], ...] = (
    ("restartPolicy", "Always"),
    ("terminationGracePeriodSeconds", 30),
    ("dnsPolicy", "ClusterFirst"),
    ("schedulerName", "default-scheduler"),
    ("enableServiceLinks", True),
)
_PROBE_DEFAULTS = (
    ("timeoutSeconds", 1),
    ("periodSeconds", 10),
    ("successThreshold", 1),
    ("failureThreshold", 3),
)
_HOOKED = frozenset(("livenessProbe", "readinessProbe", "startupProbe", "lifecycle"))
_MODE = 0o644
_SOURCES_WITH_MODE = ("configMap", "secret", "downwardAPI", "projected")


def containers(spec: JSON) -> Iterator[JSON]:
    """Init containers, then the others, then ephemeral ones."""
    for name in ("initContainers", "containers", "ephemeralContainers"):
        yield from spec.get(name) or ()


def default(pod: JSON) -> None:
    """Fill in what a pod leaves out, in place."""
    spec = pod.setdefault("spec", {})
    default_spec(spec)
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if account:
        spec["serviceAccountName"] = spec["serviceAccount"] = account


def default_spec(spec: JSON) -> None:
    """Fill in a pod's spec, in place."""
    for volume in spec.get("volumes") or ():
        _volume(volume)
    host = bool(spec.get("hostNetwork"))
    for container in containers(spec):
        _container(container, host_network=host)
    for name, value in _SPEC_DEFAULTS:
        given = spec.get(name)
        if not given and given != 0 and given is not False:
            spec[name] = value
    if spec["terminationGracePeriodSeconds"] < 0:
        spec["terminationGracePeriodSeconds"] = 1
    if spec.get("securityContext") is None:
        spec["securityContext"] = {}


def _container(container: JSON, *, host_network: bool) -> None:
    if container.get("resources") is None:
        container["resources"] = {}
    resources = container["resources"]
    for group in ("requests", "limits"):
        if amounts := resources.get(group):
            canonical_amounts(amounts)
        elif group in resources:
            del resources[group]
    if limits := resources.get("limits"):
        requests = resources.setdefault("requests", {})
        for name, amount in limits.items():
            requests.setdefault(name, amount)
    if not container.get("terminationMessagePath"):
        container["terminationMessagePath"] = "/dev/termination-log"
    if not container.get("terminationMessagePolicy"):
        container["terminationMessagePolicy"] = "File"
    if not container.get("imagePullPolicy"):
        container["imagePullPolicy"] = _pull_policy(container.get("image") or "")
    for port in container.get("ports") or ():
        if not port.get("protocol"):
            port["protocol"] = "TCP"
        if port.get("hostPort") == 0:
            del port["hostPort"]
        if host_network and not port.get("hostPort"):
            port["hostPort"] = port.get("containerPort", 0)
    for variable in container.get("env") or ():
        if "valueFrom" in variable:
            _field_ref((variable["valueFrom"] or {}).get("fieldRef"))
            if amount := (variable["valueFrom"] or {}).get("resourceFieldRef"):
                amount.setdefault("divisor", "0")
    if _HOOKED.isdisjoint(container):
        return
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if (probe := container.get(name)) is not None:
            _probe(probe)
    for hook in (container.get("lifecycle") or {}).values():
        if isinstance(hook, dict):
            _http(hook)


def canonical_amounts(amounts: JSON) -> None:
    """Amounts as Kubernetes writes them back: `0.5` is `500m`."""
    for name, amount in amounts.items():
        amounts[name] = _canonical(amount)


@lru_cache(maxsize=1024)
def _canonical(amount: str | int) -> str:
    """Nothing is counted finer than in thousandths: what is, is rounded up."""
    nano, form = parse(amount)
    return str(Quantity(-(-nano // _MILLI) * _MILLI, form))


_MILLI = NANO // 1000


def _pull_policy(image: str) -> str:
    if "@" in image:
        return "IfNotPresent"
    _, colon, tag = image.rpartition("/")[2].partition(":")
    return "Always" if not colon or tag == "latest" else "IfNotPresent"


def _probe(probe: JSON) -> None:
    _http(probe)
    for name, value in _PROBE_DEFAULTS:
        if not probe.get(name):
            probe[name] = value
    if (grpc := probe.get("grpc")) is not None:
        grpc.setdefault("service", "")


def _http(handler: JSON) -> None:
    if (get := handler.get("httpGet")) is not None:
        if not get.get("path"):
            get["path"] = "/"
        if not get.get("scheme"):
            get["scheme"] = "HTTP"


def _field_ref(reference: JSON | None) -> None:
    if reference is not None and not reference.get("apiVersion"):
        reference["apiVersion"] = "v1"


def _volume(volume: JSON) -> None:
    if not any(value is not None for key, value in volume.items() if key != "name"):
        volume["emptyDir"] = {}
    for name in _SOURCES_WITH_MODE:
        source = volume.get(name)
        if source is not None and source.get("defaultMode") is None:
            source["defaultMode"] = _MODE
    if (volume.get("emptyDir") or {}).get("sizeLimit"):
        volume["emptyDir"]["sizeLimit"] = canonical(volume["emptyDir"]["sizeLimit"])
    if (path := volume.get("hostPath")) is not None:
        path.setdefault("type", "")
    for source in (volume.get("projected") or {}).get("sources") or ():
        token = source.get("serviceAccountToken")
        if token is not None and not token.get("expirationSeconds"):
            token["expirationSeconds"] = 3600
        for item in (source.get("downwardAPI") or {}).get("items") or ():
            _field_ref(item.get("fieldRef"))
    for item in (volume.get("downwardAPI") or {}).get("items") or ():
        _field_ref(item.get("fieldRef"))


def default_tolerations(spec: JSON) -> None:
    """Five minutes on a node that is not ready or cannot be reached."""
    have = spec.get("tolerations")
    if not have:
        spec["tolerations"] = [dict(one) for one in TOLERATED]
        return
    missing = [
        dict(one)
        for one in TOLERATED
        if not any(
            t.get("effect") in (None, "", "NoExecute")
            and (t.get("key") == one["key"] or (not t.get("key") and t.get("operator") == "Exists"))
            for t in have
        )
    ]
    if missing:
        spec["tolerations"] = [*have, *missing]


def _create(pod: JSON) -> None:
    spec = pod["spec"]
    pod["status"] = {"phase": "Pending", "qosClass": quality(spec)}
    if spec.get("schedulingGates"):
        made = pod["metadata"]["creationTimestamp"]
        pod["status"]["conditions"] = [{**_GATED, "lastTransitionTime": made}]


_GATED: JSON = {
    "type": "PodScheduled", "status": "False", "lastProbeTime": None, "lastTransitionTime": None,
    "reason": "SchedulingGated",
    "message": "Scheduling is blocked due to non-empty scheduling gates",
}  # fmt: skip
"""The condition of a pod that its gates hold."""


_CONTAINERS_STATUS = (
    "containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses",
)  # fmt: skip


def _status(new: JSON, old: JSON) -> None:
    status = new.get("status")
    if not isinstance(status, dict):
        status = new["status"] = {}
    if not status.get("qosClass"):
        status["qosClass"] = quality(new.get("spec") or {})
    if status.get("podIP") and not status.get("podIPs"):
        status["podIPs"] = [{"ip": status["podIP"]}]
    for condition in status.get("conditions") or ():
        condition.setdefault("lastProbeTime", None)
        condition.setdefault("lastTransitionTime", None)
    for group in _CONTAINERS_STATUS:
        for one in status.get(group) or ():
            one.setdefault("state", {})
            one.setdefault("lastState", {})


def _update(new: JSON, old: JSON) -> None:
    default_tolerations(new.setdefault("spec", {}))


STRATEGY = Strategy(
    default=default,
    create=_create,
    update=_update,
    status=_status,
    check=check,
    check_new=check_new,
    check_update=check_update,
    check_status=check_status,
    warnings=warnings,
    generation=True,
    graceful=True,
    answers_object=True,
)
