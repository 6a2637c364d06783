"""Properties take the same examples every time, and as long as they need on a slow machine.

`ATHANOR_EXAMPLES` says how many (20; `make verify` takes 200).
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "steady",
    deadline=None,
    max_examples=int(os.environ.get("ATHANOR_EXAMPLES", "20")),
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("steady")
