"""Names that resolve inside a pod: its own, its gang's, the Services of its namespace.

The text is a hosts(5) file; there is no DNS server. A Service's name leads to its ready pods.
Ranks on other nodes are known from the Endpoints of their gang's Service, as a cluster's DNS
server knows them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from athanor.api.meta import JSON

DOMAIN = "svc.cluster.local"
_API = "kubernetes.default"


def hosts(pod: JSON, address: str, gateway: str, shared: str, machine: str = "") -> str:
    """The hosts file of a pod. `shared`: the lines of its subdomain and of Services; `machine`:
    the name of the machine whose network it shares, which programs look up to say where they are.
    """
    lines = ["127.0.0.1\tlocalhost", "::1\tlocalhost ip6-localhost ip6-loopback"]
    if gateway:
        lines.append(f"{gateway}\t{_API}.svc {_API} kubernetes {_API}.{DOMAIN}")
    lines.append(f"{address}\t{' '.join([*_own_names(pod), *filter(None, [machine])])}")
    lines += [
        f"{alias['ip']}\t{' '.join(alias.get('hostnames') or [])}"
        for alias in pod["spec"].get("hostAliases") or []
    ]
    return "\n".join(lines) + "\n" + shared


def group(subdomain: str, pods: Iterable[tuple[JSON, str]]) -> str:
    """The lines that all pods of a subdomain share. `pods`: those of the namespace, addresses."""
    if not subdomain:
        return ""
    mine = [(pod, at) for pod, at in pods if pod["spec"].get("subdomain") == subdomain]
    return "".join(f"{at}\t{' '.join(_own_names(pod))}\n" for pod, at in mine)


def elsewhere(endpoints: JSON, here: Collection[str]) -> str:
    """The lines of a gang's ranks on other nodes; `here` are the host names of those on this."""
    meta = endpoints["metadata"]
    found = {
        address["hostname"]: address["ip"]
        for subset in endpoints.get("subsets") or []
        for kind in ("addresses", "notReadyAddresses")
        for address in subset.get(kind) or []
        if address.get("hostname") and address["hostname"] not in here
    }
    return "".join(
        f"{at}\t{' '.join(_names(own, meta['name'], meta['namespace']))}\n"
        for own, at in sorted(found.items())
    )


def services(known: Iterable[JSON], namespace: str, pods: list[tuple[JSON, str]]) -> str:
    """The lines of a namespace's Services."""
    labelled: dict[tuple[str, str], list[tuple[JSON, str]]] = {}
    for one in pods:
        for label in (one[0]["metadata"].get("labels") or {}).items():
            labelled.setdefault(label, []).append(one)
    return "".join(
        line + "\n"
        for service in known
        if service["metadata"]["namespace"] == namespace
        for line in _service(service, namespace, _candidates(service, labelled))
    )


def _candidates(
    service: JSON, labelled: Mapping[tuple[str, str], list[tuple[JSON, str]]]
) -> list[tuple[JSON, str]]:
    """The pods that have one label of the selector, the rarest: thousands need not be looked at."""
    selector = service["spec"].get("selector") or {}
    return min((labelled.get(pair, []) for pair in selector.items()), key=len, default=[])


def hostname(pod: JSON) -> str:
    """What a pod calls itself, at most 63 characters."""
    return str(pod["spec"].get("hostname") or pod["metadata"]["name"])[:63]


def ready(pod: JSON) -> bool:
    """Whether Services lead to a pod."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def matches(selector: Mapping[str, str], pod: JSON) -> bool:
    """Whether a Service's selector picks a pod."""
    labels = pod["metadata"].get("labels") or {}
    return bool(selector) and all(labels.get(k) == v for k, v in selector.items())


def _own_names(pod: JSON) -> list[str]:
    return _names(hostname(pod), pod["spec"].get("subdomain") or "", pod["metadata"]["namespace"])


def _names(own: str, subdomain: str, namespace: str) -> list[str]:
    if not subdomain:
        return [own]
    short = f"{own}.{subdomain}"
    full = f"{short}.{namespace}"
    return [f"{full}.{DOMAIN}", f"{full}.svc", full, short, own]


def _service(service: JSON, namespace: str, pods: list[tuple[JSON, str]]) -> list[str]:
    meta, spec = service["metadata"], service["spec"]
    if meta["name"] == "kubernetes":
        return []
    names = f"{meta['name']} {meta['name']}.{namespace} {meta['name']}.{namespace}.{DOMAIN}"
    early = spec.get("publishNotReadyAddresses") or spec.get("clusterIP") == "None"
    return [
        f"{at}\t{names}"
        for pod, at in pods
        if matches(spec.get("selector") or {}, pod) and (early or ready(pod))
    ]
