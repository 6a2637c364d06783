"""Cluster addresses of Services: each gets one of its own. Nothing listens there on a laptop."""

from __future__ import annotations

import ipaddress
import zlib

from athanor.api.meta import JSON
from athanor.local.apiserver import errors
from athanor.local.apiserver.core import Core

_SECOND = "10.96"
_RANGE = ipaddress.ip_network(f"{_SECOND}.0.0/16")
_ROOM = 256 * 254


def _is_outside(asked: str) -> bool:
    """Whether a text is an address that no service has; what is none is said elsewhere."""
    try:
        return ipaddress.ip_address(asked) not in _RANGE
    except ValueError:
        return False


def admit_update(core: Core, new: JSON, old: JSON) -> None:
    """Give a service an address that needs one only now."""
    if old["spec"].get("type") == "ExternalName" and new["spec"].get("type") != "ExternalName":
        admit_create(core, new)


def admit_create(core: Core, service: JSON) -> None:
    """Give a new service its clusterIP, unless it is headless or has none by its type."""
    spec = service["spec"]
    if spec.get("type") == "ExternalName" or spec.get("clusterIP") == "None":
        return
    taken = [row.body for row in core.store.rows("services")]
    if asked := spec.get("clusterIP"):
        if any(f'"clusterIP":"{asked}"'.encode() in body for body in taken):
            said = f"failed to allocate IP {asked}: provided IP is already allocated"
            cause = errors.wrong("spec.clusterIPs", [asked], said)
            raise errors.invalid("Service", "", service["metadata"].get("name", ""), [cause])
        if _is_outside(asked):
            said = (
                f"failed to allocate IP {asked}: the provided IP ({asked}) is not in the valid "
                f"range. The range of valid IPs is {_RANGE}"
            )
            cause = errors.wrong("spec.clusterIPs", [asked], said)
            raise errors.invalid("Service", "", service["metadata"].get("name", ""), [cause])
        return
    start = zlib.crc32(service["metadata"]["uid"].encode())
    for step in range(_ROOM):
        place = (start + step) % _ROOM
        address = f"{_SECOND}.{place // 254}.{place % 254 + 1}"
        if not any(f'"{address}"'.encode() in body for body in taken):
            break
    spec["clusterIP"], spec["clusterIPs"] = address, [address]
