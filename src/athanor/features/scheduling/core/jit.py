"""How loops are compiled: kept on disk beside the source where that may be written.

Where it may not (a read-only image, a package of root's) numba looks for a folder of the user's,
and refuses to go on without one: then every start compiles anew. `$NUMBA_CACHE_DIR` names a folder.
"""

from __future__ import annotations

from collections.abc import Callable

from numba import njit


def loop(function: Callable[..., object]) -> object:
    """Compile a function when it is first called."""
    try:
        return njit(cache=True)(function)
    except RuntimeError:
        return njit(function)
