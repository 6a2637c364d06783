"""Service, Endpoints, EndpointSlice."""

from __future__ import annotations

from collections.abc import Mapping

from athanor.api.meta import JSON
from athanor.local.apiserver import names
from athanor.local.apiserver.errors import not_allowed, required, unsupported, wrong
from athanor.local.apiserver.kinds.base import Strategy
from athanor.wire.status import Cause

_PORT_RANGE = "must be between 1 and 65535, inclusive"
_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")


def _default_service(obj: JSON) -> None:
    spec = obj.setdefault("spec", {})
    for port in spec.get("ports") or ():
        if not port.get("protocol"):
            port["protocol"] = "TCP"
        if port.get("targetPort") in (None, "", 0):
            port["targetPort"] = port.get("port", 0)
    if not spec.get("type"):
        spec["type"] = "ClusterIP"
    if not spec.get("sessionAffinity"):
        spec["sessionAffinity"] = "None"
    if spec["type"] == "ExternalName":
        return
    if spec.get("clusterIP") and not spec.get("clusterIPs"):
        spec["clusterIPs"] = [spec["clusterIP"]]
    spec.setdefault("ipFamilies", ["IPv4"])
    spec.setdefault("ipFamilyPolicy", "SingleStack")
    spec.setdefault("internalTrafficPolicy", "Cluster")


def _new_service(obj: JSON) -> None:
    obj["status"] = {"loadBalancer": {}}


def _update_service(new: JSON, old: JSON) -> None:
    """An address left out is kept, as `kubectl apply` of a bare manifest expects."""
    spec, was = new["spec"], old.get("spec") or {}
    for name in ("clusterIP", "clusterIPs"):
        if not spec.get(name) and was.get(name) and spec.get("type") == was.get("type"):
            spec[name] = was[name]


def _check_service(obj: JSON) -> list[Cause]:
    spec, causes = obj["spec"], list[Cause]()
    ports = spec.get("ports") or []
    if spec["type"] not in _TYPES:
        causes.append(unsupported("spec.type", spec["type"], _TYPES))
    elif spec["type"] in ("NodePort", "LoadBalancer"):
        detail = f"this server has no node ports or load balancers, so no {spec['type']} services"
        causes.append(not_allowed("spec.type", detail))
    if not ports and spec.get("clusterIP") != "None" and spec["type"] != "ExternalName":
        causes.append(required("spec.ports"))
    for i, port in enumerate(ports):
        path = f"spec.ports[{i}]"
        if len(ports) > 1 and not port.get("name"):
            causes.append(required(f"{path}.name"))
        elif port.get("name"):
            causes += [wrong(f"{path}.name", port["name"], p) for p in names.label(port["name"])]
        if not 1 <= port.get("port", 0) <= 65535:
            causes.append(wrong(f"{path}.port", port.get("port", 0), _PORT_RANGE))
        target = port.get("targetPort")
        if isinstance(target, int) and not 1 <= target <= 65535:
            causes.append(wrong(f"{path}.targetPort", target, _PORT_RANGE))
    return causes


def _update_check_service(new: JSON, old: JSON) -> list[Cause]:
    before, after = old.get("spec") or {}, new["spec"]
    was = before.get("clusterIP")
    if was and after.get("type") == before.get("type") and after.get("clusterIP") != was:
        detail = "may not change once set"
        return [wrong("spec.clusterIPs[0]", after.get("clusterIPs") or [], detail)]
    return []


def _default_endpoints(obj: JSON) -> None:
    if not obj.get("subsets"):
        obj.pop("subsets", None)
    for subset in obj.get("subsets") or ():
        for port in subset.get("ports") or ():
            if not port.get("protocol"):
                port["protocol"] = "TCP"


def _default_slice(obj: JSON) -> None:
    for port in obj.get("ports") or ():
        port.setdefault("name", "")
        if not port.get("protocol"):
            port["protocol"] = "TCP"
    for endpoint in obj.get("endpoints") or ():
        endpoint.setdefault("conditions", {})


def _update_slice(new: JSON, old: JSON) -> list[Cause]:
    if new.get("addressType") != old.get("addressType"):
        return [wrong("addressType", new.get("addressType"), "field is immutable")]
    return []


STRATEGIES: Mapping[str, Strategy] = {
    "services": Strategy(
        default=_default_service, create=_new_service, update=_update_service,
        check=_check_service, check_update=_update_check_service, name=names.label_1035,
        answers_object=True,
    ),
    "endpoints": Strategy(default=_default_endpoints),
    "endpointslices.discovery.k8s.io": Strategy(
        default=_default_slice, check_update=_update_slice, generation=True
    ),
}  # fmt: skip
