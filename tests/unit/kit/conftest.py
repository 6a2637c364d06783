"""Fixtures of the tests of serving."""

from __future__ import annotations

from tests.unit.kit.serving import world

__all__ = ["world"]
