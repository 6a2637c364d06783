"""Where a pod's containers run on this node: user, folders, walls; and the paths pods see."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from athanor.local.agent.permits import Permit

LIBRARY = "/opt/athanor/lib"  # where pods find athanor_progress
API_PORT = 443  # of the API server as pods see it, at their gateway
HOME = "/home/athanor"
TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"


class Place(Struct, frozen=True, kw_only=True):
    """What this node gives every container of a pod."""

    uid: int
    gid: int
    folder: Path  # the pod's own
    data: Path  # the platform's: hidden from pods
    library: Path  # holds athanor_progress
    apart: bool  # own namespaces: paths in the pod are not the machine's
    walls: tuple[str, ...]
    permit: Permit  # what else of the machine it may be given
    cgroups: frozenset[str]
    process_limit: int = 4096
