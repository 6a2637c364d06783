"""One small strategy per built-in kind: defaults, validation, immutability, status separation."""

from __future__ import annotations

from collections.abc import Mapping

from athanor.local.apiserver.kinds import pods, simple
from athanor.local.apiserver.kinds.base import Strategy

STRATEGIES: Mapping[str, Strategy] = {**simple.STRATEGIES, "pods": pods.STRATEGY}
"""By the resource's name; a kind that is not here has nothing special."""
