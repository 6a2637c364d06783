"""Fixtures of the tests of the clients."""

from __future__ import annotations

from tests.unit.kit.serving import world

__all__ = ["world"]
