"""What every test run shares: garbage is looked for as seldom as in the real processes."""

from __future__ import annotations

import gc


def pytest_collection_finish() -> None:
    """What was imported stays; Python's own thresholds cost a tenth of all tests' time."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def pytest_sessionfinish() -> None:
    """What the tests left behind is searched once, not again by pytest and at the exit."""
    gc.collect()
    gc.freeze()
