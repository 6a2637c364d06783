"""A container's environment: env, envFrom, the downward API, `$(VAR)` expansion.

The rules are the kubelet's: envFrom first, env over it, references only to what came before;
`$$(X)` stays `$(X)`; unknown references stay as they are.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping

from athanor.api.meta import JSON
from athanor.kit import quantity
from athanor.local.agent.plan.observed import Hold

_REFERENCE = re.compile(r"\$(\$|\([-._a-zA-Z0-9]+\))")

Lookup = Callable[[str, str], JSON | None]
"""(kind, name) → the ConfigMap or Secret in the pod's namespace, or None."""


class Missing(Exception):
    """Something that a container needs is not there; carries a kubelet's reason."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.hold = Hold("CreateContainerConfigError", message)


def environment(
    pod: JSON, container: JSON, lookup: Lookup, facts: Mapping[str, str], base: Mapping[str, str],
    fixed: Mapping[str, str],
) -> dict[str, str]:  # fmt: skip
    """The variables of a container over `base`. `facts`: podIP, hostIP, allocatable.cpu, ….

    What is `fixed` is the node's to say: the container's own value gives way. Raises Missing.
    """
    out: dict[str, str] = {**base, **fixed}
    for source in container.get("envFrom") or []:
        out |= _from(source, lookup)
    for entry in container.get("env") or []:
        if entry["name"] in fixed:
            continue
        value = entry.get("value")
        if value is not None or "valueFrom" not in entry:
            out[entry["name"]] = expand(value or "", out)
            continue
        found = _value_from(pod, container, entry["valueFrom"], lookup, facts)
        if found is not None:
            out[entry["name"]] = found
    return out


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace `$(NAME)` by its value where known."""

    def one(match: re.Match[str]) -> str:
        what = match[1]
        if what == "$":
            return "$"
        return variables.get(what[1:-1], match[0])

    return _REFERENCE.sub(one, text)


def data_of(found: JSON, kind: str) -> dict[str, bytes]:
    """The entries of a ConfigMap or Secret as bytes."""
    if kind == "Secret":
        return {k: base64.b64decode(v) for k, v in (found.get("data") or {}).items()}
    plain = {k: v.encode() for k, v in (found.get("data") or {}).items()}
    binary = {k: base64.b64decode(v) for k, v in (found.get("binaryData") or {}).items()}
    return plain | binary


def field(pod: JSON, path: str, facts: Mapping[str, str]) -> str:
    """A downward API field. Raises Missing for one that does not exist."""
    meta, spec = pod["metadata"], pod["spec"]
    found = re.fullmatch(r"metadata\.(labels|annotations)(?:\['(.+)'\])?", path)
    if found:
        entries: dict[str, str] = meta.get(found[1]) or {}
        if found[2] is not None:
            return entries.get(found[2], "")
        return "\n".join(f'{k}="{_quote(v)}"' for k, v in sorted(entries.items()))
    known = {
        "metadata.name": meta["name"],
        "metadata.namespace": meta.get("namespace", ""),
        "metadata.uid": meta.get("uid", ""),
        "spec.nodeName": spec.get("nodeName", ""),
        "spec.serviceAccountName": spec.get("serviceAccountName", "default"),
        "status.podIP": facts.get("podIP", ""),
        "status.podIPs": facts.get("podIP", ""),
        "status.hostIP": facts.get("hostIP", ""),
        "status.hostIPs": facts.get("hostIP", ""),
    }
    if path not in known:
        raise Missing(f"fieldPath {path!r} is not supported")
    return str(known[path])


def resource_field(container: JSON, ref: JSON, facts: Mapping[str, str]) -> str:
    """A container's request or limit, divided and rounded up; unset limits are the node's."""
    kind, _, name = ref["resource"].partition(".")
    resources = container.get("resources") or {}
    text = (resources.get(kind) or {}).get(name)
    if text is None and kind == "requests":
        text = (resources.get("limits") or {}).get(name, "0")
    if text is None:
        text = facts.get(f"allocatable.{name}", "0")
    divisor = quantity.milli(ref.get("divisor") or "1") or 1000
    return str(-(-quantity.milli(text) // divisor))


def _quote(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _from(source: JSON, lookup: Lookup) -> dict[str, str]:
    prefix = source.get("prefix", "")
    for key, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
        ref = source.get(key)
        if ref is None:
            continue
        found = lookup(kind, ref["name"])
        if found is None:
            if ref.get("optional"):
                return {}
            raise Missing(f'{kind.lower()} "{ref["name"]}" not found')
        entries = data_of(found, kind)
        return {prefix + k: v.decode(errors="replace") for k, v in entries.items()}
    return {}


def _value_from(
    pod: JSON, container: JSON, source: JSON, lookup: Lookup, facts: Mapping[str, str]
) -> str | None:
    if ref := source.get("fieldRef"):
        return field(pod, ref["fieldPath"], facts)
    if ref := source.get("resourceFieldRef"):
        spec = pod["spec"]
        named = [
            c
            for c in [*spec["containers"], *(spec.get("initContainers") or [])]
            if c["name"] == (ref.get("containerName") or container["name"])
        ]
        return resource_field(named[0] if named else container, ref, facts)
    for key, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
        ref = source.get(key)
        if ref is None:
            continue
        found = lookup(kind, ref["name"])
        entries = data_of(found, kind) if found is not None else {}
        if ref["key"] in entries:
            return entries[ref["key"]].decode(errors="replace")
        if ref.get("optional"):
            return None
        if found is None:
            raise Missing(f'{kind.lower()} "{ref["name"]}" not found')
        raise Missing(f"couldn't find key {ref['key']} in {kind} {ref['name']}")
    return None
