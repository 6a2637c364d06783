"""What may be wrong with security contexts of pods and containers."""

from __future__ import annotations

import re

from athanor.api.meta import JSON
from athanor.local.apiserver.errors import duplicate, required, unsupported, wrong
from athanor.local.apiserver.kinds.pod_volumes import descending
from athanor.wire.status import Cause

_ID = "must be between 0 and 2147483647, inclusive"
_MOST_ID = 2**31 - 1
_IDS = ("runAsUser", "runAsGroup")
_SYSCTL = re.compile(r"([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?")
_SYSCTL_LENGTH = 253
_SYSCTL_RULE = (
    "must have at most 253 characters and match regex "
    r"^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"
)
_PROFILES = ("Localhost", "RuntimeDefault", "Unconfined")
_ALONE = "cannot set `allowPrivilegeEscalation` to false and "


def check_container(context: JSON, path: str, causes: list[Cause], *, host_users: bool) -> None:
    """The security context of a container."""
    for name in _IDS:
        _id(context.get(name), f"{path}.{name}", causes)
    if host_users and context.get("procMount") == "Unmasked":
        detail = "`hostUsers` must be false to use `Unmasked`"
        causes.append(wrong(f"{path}.procMount", "Unmasked", detail))
    _seccomp(context.get("seccompProfile"), f"{path}.seccompProfile", causes)
    if context.get("allowPrivilegeEscalation") is False:
        if context.get("privileged"):
            causes.append(wrong(path, context, f"{_ALONE}`privileged` to true"))
        if "CAP_SYS_ADMIN" in ((context.get("capabilities") or {}).get("add") or ()):
            causes.append(wrong(path, context, f"{_ALONE}`capabilities.Add` CAP_SYS_ADMIN"))
    _app_armor(context.get("appArmorProfile"), f"{path}.appArmorProfile", causes)


def check_pod(context: JSON, spec: JSON, path: str, causes: list[Cause]) -> None:
    """The security context of a pod."""
    for name in ("fsGroup", *_IDS):
        _id(context.get(name), f"{path}.{name}", causes)
    for i, group in enumerate(context.get("supplementalGroups") or ()):
        _id(group, f"{path}.supplementalGroups[{i}]", causes)
    if spec.get("shareProcessNamespace") and spec.get("hostPID"):
        detail = "ShareProcessNamespace and HostPID cannot both be enabled"
        causes.append(wrong(f"{path}.shareProcessNamespace", True, detail))
    seen = set[str]()
    for i, setting in enumerate(context.get("sysctls") or ()):
        at, name = f"{path}.sysctls[{i}].name", setting.get("name") or ""
        if not name:
            causes.append(required(at))
        elif len(name) > _SYSCTL_LENGTH or not _SYSCTL.fullmatch(name):
            causes.append(wrong(at, name, _SYSCTL_RULE))
        elif name in seen:
            causes.append(duplicate(at, name))
        seen.add(name)
    _seccomp(context.get("seccompProfile"), f"{path}.seccompProfile", causes)
    _app_armor(context.get("appArmorProfile"), f"{path}.appArmorProfile", causes)


def _id(number: int | None, path: str, causes: list[Cause]) -> None:
    if number is not None and not 0 <= number <= _MOST_ID:
        causes.append(wrong(path, number, _ID))


def _seccomp(profile: JSON | None, path: str, causes: list[Cause]) -> None:
    if profile is None:
        return
    kind, local = profile.get("type") or "", profile.get("localhostProfile")
    if kind not in _PROFILES:
        causes.append(unsupported(f"{path}.type", kind, _PROFILES))
    if kind == "Localhost" and local is None:
        detail = "must be set when seccomp type is Localhost"
        causes.append(required(f"{path}.localhostProfile", detail))
    elif kind == "Localhost":
        descending(local or "", f"{path}.localhostProfile", causes)
    elif local is not None:
        detail = "can only be set when seccomp type is Localhost"
        causes.append(wrong(f"{path}.localhostProfile", profile, detail))


def _app_armor(profile: JSON | None, path: str, causes: list[Cause]) -> None:
    if profile is None:
        return
    kind, local = profile.get("type") or "", profile.get("localhostProfile")
    if kind == "Localhost" and local is None:
        detail = "must be set when AppArmor type is Localhost"
        causes.append(required(f"{path}.localhostProfile", detail))
    elif kind != "Localhost" and local is not None:
        detail = "can only be set when AppArmor type is Localhost"
        causes.append(wrong(f"{path}.localhostProfile", local, detail))
    elif local is not None and local != local.strip():
        detail = "must not be padded with whitespace"
        causes.append(wrong(f"{path}.localhostProfile", local, detail))
