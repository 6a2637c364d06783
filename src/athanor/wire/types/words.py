"""What the built-in kinds and their most used fields mean, in our own short words.

`kubectl explain` shows these. Keys are `table.Type` and `table.Type.field`.
"""

from __future__ import annotations

from collections.abc import Mapping

COMMON: Mapping[str, str] = {
    "apiVersion": "Group and version of the API this object is written in.",
    "kind": "What sort of object this is.",
    "metadata": "Name, identity, labels and versions.",
}
"""Fields that mean the same wherever they stand."""

WORDS: Mapping[str, str] = {}
