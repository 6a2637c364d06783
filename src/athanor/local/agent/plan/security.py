"""What a pod asks of its identity and rights, held against what this node gives: nothing silently.

Pods run as their namespace's user without any capability, on a read-only system; that cannot be
widened. What asks for just that, or for less, is honoured; anything else is refused by name.
"""

from __future__ import annotations

from collections.abc import Iterator

from athanor.api.meta import JSON

_WAY_OUT = "the namespace's annotation athanor.dev/uid, which administrators write, chooses it"
_HOST = {"hostPID": "the machine's processes", "hostIPC": "the machine's shared memory"}


def objection(pod: JSON, container: JSON, uid: int, gid: int, *, host_network: bool = True) -> str:
    """Why this container cannot run here as it asks to, or "".

    `host_network`: whether this pod may be in the machine's own network.
    """
    if pod["spec"].get("hostNetwork") and not host_network:
        return (
            "hostNetwork: only administrators' pods share this machine's network, where much "
            "trusts whoever reaches its loopback; leave it out"
        )
    return next(_objections(pod["spec"], container, uid, gid), "")


def _objections(spec: JSON, container: JSON, uid: int, gid: int) -> Iterator[str]:
    whole, own = spec.get("securityContext") or {}, container.get("securityContext") or {}
    for field, what in _HOST.items():
        if spec.get(field):
            yield f"{field}: pods do not share {what} here; leave it out"
    user = own.get("runAsUser", whole.get("runAsUser"))
    if user is not None and user != uid:
        yield f"runAsUser {user}: pods of this namespace run as user {uid} here; {_WAY_OUT}"
    group = own.get("runAsGroup", whole.get("runAsGroup"))
    if group is not None and group != gid:
        yield f"runAsGroup {group}: pods of this namespace run as group {gid} here; {_WAY_OUT}"
    extra = {whole.get("fsGroup"), *(whole.get("supplementalGroups") or [])} - {None, gid}
    for number in sorted(extra):
        yield (
            f"group {number} (fsGroup, supplementalGroups): pods get no group but {gid} here, "
            "which their volumes belong to; leave it out"
        )
    if own.get("privileged"):
        yield "privileged: pods get no rights over the machine here; leave it out"
    wished = (own.get("capabilities") or {}).get("add") or []
    if wished:
        yield f"capabilities {', '.join(wished)}: pods get none here; leave them out"
    if names := [one["name"] for one in whole.get("sysctls") or []]:
        yield f"sysctls {', '.join(names)}: the kernel's settings stay as they are; leave them out"
    profile = (own.get("seccompProfile") or whole.get("seccompProfile") or {}).get("type")
    if profile == "Localhost":
        yield "seccompProfile Localhost: this node has its own filter only; use RuntimeDefault"
