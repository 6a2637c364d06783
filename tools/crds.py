"""Writes `deploy/crds` from the Structs; `--check` says whether that would change anything."""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

from athanor.api import crd
from athanor.api.registry import OURS

TARGET = Path(__file__).parent.parent / "deploy" / "crds"


def files() -> dict[str, str]:
    """File name → text, one file a kind."""
    return {
        f"{resource.plural}.yaml": "# Written by `make crds` from src/athanor/api. Do not edit.\n"
        + yaml.safe_dump(crd.manifest(resource), sort_keys=False, width=100)
        for resource in OURS
    }


def main() -> int:
    """Write the files, or with --check compare them; 1 when one is out of date."""
    TARGET.mkdir(parents=True, exist_ok=True)
    outdated = [
        name
        for name, text in files().items()
        if not (TARGET / name).exists() or (TARGET / name).read_text() != text
    ]
    if "--check" in sys.argv[1:]:
        print("\n".join(f"deploy/crds/{name} is out of date: run make crds" for name in outdated))
        return int(bool(outdated))
    for name, text in files().items():
        (TARGET / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
