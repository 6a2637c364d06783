"""Pods without namespaces: what stands in for mounts and names, said in the pod's own words.

Where a machine allows no mount namespace, a volume cannot appear at its mount path, and names of
replicas cannot resolve. So paths and names that a container's command and variables mention are
replaced by where things really are. What a program has built in cannot be helped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

LOOPBACK = "127.0.0.1"


class Translation:
    """Replaces mount paths by real paths, and the names of a subdomain by the loopback address."""

    def __init__(self, paths: Mapping[str, str], subdomain: str) -> None:
        """`paths`: mount path → path on this machine."""
        self._rules: list[tuple[re.Pattern[str], str]] = []
        for inside in sorted(paths, key=len, reverse=True):
            if inside != paths[inside]:
                pattern = re.compile(
                    r"(?<![\w./-])" + re.escape(inside.rstrip("/")) + r"(?![\w.-])"
                )
                self._rules.append((pattern, paths[inside]))
        if subdomain:
            own = re.escape(subdomain)
            name = rf"(?<![\w.-]){own}(?:-[a-z0-9]+)*-\d+\.{own}"  # a gang's ranks, nothing else
            full = re.compile(name + r"(?:\.[a-z0-9-]+(?:\.svc(?:\.cluster\.local)?)?)?(?![\w-])")
            self._rules.append((full, LOOPBACK))

    def text(self, text: str) -> str:
        """One text with everything replaced."""
        for pattern, to in self._rules:
            text = pattern.sub(to.replace("\\", r"\\"), text)
        return text

    def words(self, words: Sequence[str]) -> list[str]:
        """A command line."""
        return [self.text(word) for word in words]

    def values(self, variables: Mapping[str, str]) -> dict[str, str]:
        """Variables; their names stay."""
        return {name: self.text(value) for name, value in variables.items()}
