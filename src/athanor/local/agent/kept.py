"""Numbers that a node has given out by name, kept on disk: who had one has it after a restart."""

from __future__ import annotations

import json
import logging
from pathlib import Path

log = logging.getLogger(__name__)


def read(path: Path) -> dict[str, int]:
    """What was written last; nothing where nothing was, or where the file is damaged."""
    try:
        found: dict[str, int] = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:  # the machine went down while it was written
        log.warning("%s is damaged (%s) and written anew", path, error)
        return {}
    return found
