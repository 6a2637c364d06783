"""One small strategy per built-in kind: defaults, validation, immutability, status separation."""

from __future__ import annotations

from collections.abc import Mapping

from athanor.local.apiserver.kinds import (
    apiservices,
    cluster,
    config,
    definitions,
    events,
    limits,
    network,
    pods,
    quotas,
    rbac,
    volumes,
)
from athanor.local.apiserver.kinds.base import Strategy

STRATEGIES: Mapping[str, Strategy] = {
    "pods": pods.STRATEGY,
    **apiservices.STRATEGIES,
    **cluster.STRATEGIES,
    **config.STRATEGIES,
    **definitions.STRATEGIES,
    **events.STRATEGIES,
    **limits.STRATEGIES,
    **network.STRATEGIES,
    **quotas.STRATEGIES,
    **rbac.STRATEGIES,
    **volumes.STRATEGIES,
}
"""By the resource's name; a kind that is not here has nothing special."""
