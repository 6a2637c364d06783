"""Cluster addresses of Services: each gets one of its own. Nothing listens there on a laptop."""

from __future__ import annotations

import ipaddress
import zlib

from athanor.api.meta import JSON
from athanor.local.apiserver import errors, names
from athanor.local.apiserver.core import Core
from athanor.wire.status import ApiError

_SECOND = "10.96"
_RANGE = ipaddress.ip_network(f"{_SECOND}.0.0/16")
_ROOM = 256 * 254


def _refused(service: JSON, field: str, value: object, detail: str) -> ApiError:
    cause = errors.wrong(field, value, detail)
    return errors.invalid("Service", "", service["metadata"].get("name", ""), [cause])


def admit_update(core: Core, new: JSON, old: JSON, *, dry_run: bool) -> None:
    """Give a service an address that needs one only now."""
    if old["spec"].get("type") == "ExternalName" and new["spec"].get("type") != "ExternalName":
        admit_create(core, new, dry_run=dry_run)


def admit_create(core: Core, service: JSON, *, dry_run: bool) -> None:
    """Give a new service its clusterIP, unless it is headless or has none by its type."""
    spec = service["spec"]
    if spec.get("type") == "ExternalName" or spec.get("clusterIP") == "None":
        return
    taken = [row.body for row in core.store.rows("services")]
    if asked := spec.get("clusterIP"):
        if any(f'"clusterIP":"{asked}"'.encode() in body for body in taken):
            said = f"failed to allocate IP {asked}: provided IP is already allocated"
            raise _refused(service, "spec.clusterIPs", [asked], said)
        if problems := names.address(asked):
            raise _refused(service, "spec.clusterIPs[0]", asked, problems[0])
        if ipaddress.ip_address(asked) not in _RANGE:
            why = "the provided network does not match the current range"
            if dry_run:
                why = f"the provided IP ({asked}) is not in the valid range. The range of valid IPs"
                why = f"{why} is {_RANGE}"
            said = f"failed to allocate IP {asked}: {why}"
            raise _refused(service, "spec.clusterIPs", [asked], said)
        return
    start = zlib.crc32(service["metadata"]["uid"].encode())
    for step in range(_ROOM):
        place = (start + step) % _ROOM
        address = f"{_SECOND}.{place // 254}.{place % 254 + 1}"
        if not any(f'"{address}"'.encode() in body for body in taken):
            break
    spec["clusterIP"], spec["clusterIPs"] = address, [address]
