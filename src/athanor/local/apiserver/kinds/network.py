"""Service, Endpoints, EndpointSlice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from athanor.api.meta import JSON
from athanor.local.apiserver import names
from athanor.local.apiserver.errors import (
    Words,
    duplicate,
    not_allowed,
    required,
    unsupported,
    wrong,
)
from athanor.local.apiserver.kinds.base import Strategy
from athanor.local.apiserver.metadata import labels
from athanor.wire.status import Cause

_PORT_RANGE = "must be between 1 and 65535, inclusive"
_DAY = 86400
_ADDRESSES = ("FQDN", "IPv4", "IPv6")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_FAMILIES = ("IPv4", "IPv6")
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
    if spec.get("clusterIP") == "":
        del spec["clusterIP"]
    if not spec.get("sessionAffinity"):
        spec["sessionAffinity"] = "None"
    if spec["sessionAffinity"] == "None":
        spec.pop("sessionAffinityConfig", None)
    elif spec["sessionAffinity"] == "ClientIP":
        client = spec.setdefault("sessionAffinityConfig", {}).setdefault("clientIP", {})
        client.setdefault("timeoutSeconds", 10800)
    if spec.get("clusterIP") and not spec.get("clusterIPs"):
        spec["clusterIPs"] = [spec["clusterIP"]]
    if spec["type"] == "ExternalName":
        spec.pop("internalTrafficPolicy", None)
        return
    if _is_open(spec) and not spec.get("externalTrafficPolicy"):
        spec["externalTrafficPolicy"] = "Cluster"
    spec.setdefault("internalTrafficPolicy", "Cluster")


def _families(spec: JSON) -> None:
    """Which addresses a service has, where it does not say so."""
    if spec["type"] == "ExternalName":
        return
    if spec.get("clusterIP") == "None" and not spec.get("selector"):
        spec.setdefault("ipFamilies", ["IPv4", "IPv6"])
        spec.setdefault("ipFamilyPolicy", "RequireDualStack")
    spec.setdefault("ipFamilies", ["IPv4"])
    spec.setdefault("ipFamilyPolicy", "SingleStack")


def _is_open(spec: JSON) -> bool:
    """Whether something outside reaches the service."""
    return spec["type"] in ("NodePort", "LoadBalancer") or bool(
        spec["type"] == "ClusterIP" and spec.get("externalIPs")
    )


def _new_service(obj: JSON) -> None:
    _families(obj["spec"])
    obj["status"] = {"loadBalancer": {}}


def _update_service(new: JSON, old: JSON) -> None:
    """An address left out is kept, as `kubectl apply` of a bare manifest expects."""
    spec, was = new["spec"], old.get("spec") or {}
    inward = [one.get("type") != "ExternalName" for one in (spec, was)]
    if inward == [True, True]:
        for name in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if not spec.get(name) and was.get(name):
                spec[name] = was[name]
    elif inward == [False, True]:
        for name in _INWARD:
            if spec.get(name) == was.get(name) or not spec.get(name):
                spec.pop(name, None)
    if spec.get("ipFamilyPolicy") == "SingleStack" and spec.get("ipFamilies"):
        spec["ipFamilies"] = spec["ipFamilies"][:1]
    _families(spec)


_INWARD = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy")
"""What a service without an address of its own does not have."""


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
    named = set[str]()
    for i, port in enumerate(ports):
        path, name = f"spec.ports[{i}]", port.get("name") or ""
        if len(ports) > 1 and not name:
            causes.append(required(f"{path}.name"))
        elif name:
            causes += [wrong(f"{path}.name", name, problem) for problem in names.label(name)]
        if name and name in named:
            causes.append(duplicate(f"{path}.name", name))
        named.add(name)
        if not 1 <= port.get("port", 0) <= 65535:
            causes.append(wrong(f"{path}.port", port.get("port", 0), _PORT_RANGE))
        if (protocol := port.get("protocol")) not in _PROTOCOLS:
            causes.append(unsupported(f"{path}.protocol", protocol, _PROTOCOLS))
        target = port.get("targetPort")
        if isinstance(target, int) and not 1 <= target <= 65535:
            causes.append(wrong(f"{path}.targetPort", target, _PORT_RANGE))
        elif isinstance(target, str):
            causes += [wrong(f"{path}.targetPort", target, p) for p in names.port_name(target)]
    return causes + _check_words(spec) + _repeated(ports) + _check_ways(spec)


_PORT = '{{"Name":"","Protocol":"{1}","AppProtocol":null,"Port":{0},"TargetPort":0,"NodePort":0}}'


def _repeated(ports: Sequence[JSON]) -> list[Cause]:
    causes, seen = list[Cause](), set[tuple[int, str]]()
    for i, port in enumerate(ports):
        here = (port.get("port", 0), port.get("protocol", "TCP"))
        if here in seen:
            causes.append(duplicate(f"spec.ports[{i}]", Words(_PORT.format(*here))))
        seen.add(here)
    return causes


def _warnings_service(obj: JSON) -> Sequence[str]:
    """What is said and means nothing, or soon will not."""
    spec, said = obj["spec"], list[str]()
    outside, headless = spec.get("externalIPs"), spec.get("clusterIP") == "None"
    named = spec["type"] == "ExternalName"
    if headless and outside:
        said.append("spec.externalIPs is ignored for headless services")
    if headless and spec.get("sessionAffinity") != "None":
        said.append("spec.SessionAffinity is ignored for headless services")
    if outside and not headless and not named:
        said.append(
            "spec.externalIPs is deprecated and may no longer be implemented in some clusters"
        )
    if outside and named:
        said.append('spec.externalIPs is ignored when spec.type is "ExternalName"')
    if spec.get("externalName") and not named:
        said.append('spec.externalName is ignored when spec.type is not "ExternalName"')
    if spec.get("trafficDistribution") == "PreferClose":
        said.append('spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"')
    return said


def _check_words(spec: JSON) -> list[Cause]:
    """Addresses, labels, times and names of a service."""
    causes = labels(spec.get("selector") or {}, "spec.selector")
    for i, address in enumerate(spec.get("externalIPs") or ()):
        causes += [wrong(f"spec.externalIPs[{i}]", address, p) for p in names.address(address)]
    headless = spec.get("clusterIP") == "None" and not spec.get("selector")
    for i, family in enumerate(spec.get("ipFamilies") or ()):
        if family not in _FAMILIES:
            causes.append(unsupported(f"spec.ipFamilies[{i}]", family, _FAMILIES))
        elif family != "IPv4" and not headless:
            detail = "not configured on this cluster"
            causes.append(wrong(f"spec.ipFamilies[{i}]", family, detail))
    if spec["type"] == "ExternalName":
        detail = "may not be set for ExternalName services"
        causes += [
            not_allowed(f"spec.{field}", detail)
            for field in ("clusterIPs", "ipFamilies", "ipFamilyPolicy")
            if spec.get(field)
        ]
        name = spec.get("externalName", "")
        causes += (
            [wrong("spec.externalName", name, p) for p in names.subdomain(name)]
            if name
            else [required("spec.externalName")]
        )
    client = (spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}
    seconds = client.get("timeoutSeconds")
    if seconds is not None and not 0 < seconds <= _DAY:
        field = "spec.sessionAffinityConfig.clientIP.timeoutSeconds"
        causes.append(wrong(field, seconds, f"must be greater than 0 and less than {_DAY}"))
    return causes


def _check_ways(spec: JSON) -> list[Cause]:
    """How traffic from outside goes: looked at last."""
    if not _is_open(spec) and (policy := spec.get("externalTrafficPolicy")):
        detail = "may only be set for externally-accessible services"
        return [wrong("spec.externalTrafficPolicy", policy, detail)]
    return []


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


def _check_endpoints(obj: JSON) -> list[Cause]:
    causes = list[Cause]()
    for i, subset in enumerate(obj.get("subsets") or ()):
        path = f"subsets[{i}]"
        if not subset.get("addresses") and not subset.get("notReadyAddresses"):
            causes.append(required(path, "must specify `addresses` or `notReadyAddresses`"))
        for group in ("addresses", "notReadyAddresses"):
            for j, address in enumerate(subset.get(group) or ()):
                said = address.get("ip", "")
                at, problems = f"{path}.{group}[{j}].ip", names.endpoint_address(said)
                causes += [wrong(at, said, problem) for problem in problems]
                if problems and problems == names.address(said):
                    causes.append(wrong(at, said, "must be a valid IP address"))
        ports = subset.get("ports") or ()
        for j, port in enumerate(ports):
            if len(ports) > 1 and not port.get("name"):
                causes.append(required(f"{path}.ports[{j}].name"))
            if not 1 <= port.get("port", 0) <= 65535:
                causes.append(wrong(f"{path}.ports[{j}].port", port.get("port", 0), _PORT_RANGE))
    return causes


def _status_service(new: JSON, _: JSON) -> None:
    new.setdefault("status", {}).setdefault("loadBalancer", {})


def _default_slice(obj: JSON) -> None:
    for field in ("endpoints", "ports"):
        if not obj.get(field):
            obj[field] = None
    for port in obj["ports"] or ():
        port.setdefault("name", "")
        if not port.get("protocol"):
            port["protocol"] = "TCP"
    for endpoint in obj.get("endpoints") or ():
        endpoint.setdefault("conditions", {})


def _check_slice(obj: JSON) -> list[Cause]:
    causes, kind, named = list[Cause](), obj.get("addressType"), set[str]()
    if not kind:
        causes.append(required("addressType"))
    elif kind not in _ADDRESSES:
        causes.append(unsupported("addressType", kind, _ADDRESSES))
    for i, port in enumerate(obj.get("ports") or ()):
        name = port.get("name") or ""
        causes += [wrong(f"ports[{i}].name", name, p) for p in names.label(name) if name]
        if name in named:
            causes.append(duplicate(f"ports[{i}].name", name))
        named.add(name)
    for i, endpoint in enumerate(obj.get("endpoints") or ()):
        addresses = endpoint.get("addresses") or ()
        if not addresses:
            detail = "must contain at least 1 address"
            causes.append(required(f"endpoints[{i}].addresses", detail))
        for j, said in enumerate(addresses):
            path = f"endpoints[{i}].addresses[{j}]"
            # pods without a network of their own have addresses of the loopback's
            check = names.subdomain if kind == "FQDN" else names.address
            problems = check(said) if kind in _ADDRESSES else ()
            causes += [wrong(path, said, problem) for problem in problems]
        if (host := endpoint.get("hostname")) is not None:
            path = f"endpoints[{i}].hostname"
            causes += [wrong(path, host, problem) for problem in names.label(host)]
    return causes


def _update_slice(new: JSON, old: JSON) -> list[Cause]:
    if new.get("addressType") != old.get("addressType"):
        return [wrong("addressType", new.get("addressType") or "", "field is immutable")]
    return []


STRATEGIES: Mapping[str, Strategy] = {
    "services": Strategy(
        default=_default_service, create=_new_service, update=_update_service,
        check=_check_service, check_update=_update_check_service, name=names.label,
        status=_status_service,
        answers_object=True, create_on_update=True, changes_first=True,
        warnings=_warnings_service, warns_updates=True,
    ),
    "endpoints": Strategy(
        default=_default_endpoints, check=_check_endpoints, create_on_update=True
    ),
    "endpointslices.discovery.k8s.io": Strategy(
        default=_default_slice, check=_check_slice, check_update=_update_slice, generation=True,
        counts_labels=True,
    ),
}  # fmt: skip
