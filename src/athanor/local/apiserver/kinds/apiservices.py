"""APIService: who answers for an aggregated group."""

from __future__ import annotations

from collections.abc import Mapping

from athanor.api.meta import JSON
from athanor.local.apiserver import names
from athanor.local.apiserver.errors import required, wrong
from athanor.local.apiserver.kinds.base import Strategy
from athanor.wire.status import Cause

MOST_GROUP, MOST_VERSION = 20_000, 1_000
"""Priorities stay below these."""


def _default(obj: JSON) -> None:
    spec = obj.setdefault("spec", {})
    if spec.get("service") is not None and not spec["service"].get("port"):
        spec["service"]["port"] = 443


def _create(obj: JSON) -> None:
    obj["status"] = {}


def _check(obj: JSON) -> list[Cause]:
    spec, causes = obj["spec"], list[Cause]()
    name, group, version = obj["metadata"].get("name"), spec.get("group"), spec.get("version")
    called = f"{version or ''}.{group or ''}"
    if name != called:
        detail = f'must be `spec.version+"."+spec.group`: "{called}"'
        causes.append(wrong("metadata.name", name or "", detail))
    if group:
        causes += [wrong("spec.group", group, p) for p in names.subdomain(group)]
    elif version != "v1":
        causes.append(required("spec.group", "only v1 may have an empty group and it better be "
                                             "legacy kube"))  # fmt: skip
    if problems := names.label_1035(version or ""):
        causes += [wrong("spec.version", version or "", p) for p in problems]
    for field, most in (("groupPriorityMinimum", MOST_GROUP), ("versionPriority", MOST_VERSION)):
        value = spec.get(field) or 0
        if not 0 < value <= most:
            detail = f"must be positive and less than {most}"
            causes.append(wrong(f"spec.{field}", value, detail))
    return causes + _service(spec)


def _service(spec: JSON) -> list[Cause]:
    service, causes = spec.get("service"), list[Cause]()
    insecure = bool(spec.get("insecureSkipTLSVerify"))
    if service is None:
        if spec.get("caBundle"):
            detail = "local APIServices may not have a caBundle"
            causes.append(wrong("spec.caBundle", "<redacted>", detail))
        if insecure:
            detail = "local APIServices may not have insecureSkipTLSVerify"
            causes.append(wrong("spec.insecureSkipTLSVerify", insecure, detail))
        return causes
    causes += [
        required(f"spec.service.{field}") for field in ("namespace", "name")
        if not service.get(field)
    ]  # fmt: skip
    if insecure and spec.get("caBundle"):
        detail = "may not be true if caBundle is present"
        causes.append(wrong("spec.insecureSkipTLSVerify", insecure, detail))
    return causes


STRATEGIES: Mapping[str, Strategy] = {
    "apiservices.apiregistration.k8s.io": Strategy(
        default=_default,
        create=_create,
        check=_check,
        unconditional=False,
        name=names.path_segment,
    )
}
