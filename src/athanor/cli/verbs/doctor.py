"""athanor doctor: what this machine can isolate, ports, versions, leftovers."""

from __future__ import annotations

import sys

from athanor.cli import paint, show
from athanor.cli.failures import DONE, FAILED
from athanor.cli.verb import verb
from athanor.cli.world import World


@verb(output=True, examples="athanor doctor\nathanor doctor -o json")
def command(world: World) -> int:
    """Check what this machine can do, and what is left over.

    Changes nothing. Exits with 1 when something keeps the platform from working.
    """
    from athanor.assembly import doctor
    from athanor.assembly.layout import DataDir

    found = doctor.examine(DataDir(world.data))
    if world.output in ("json", "yaml"):
        show.document(world, {"findings": [finding._asdict() for finding in found]})
    else:
        colours = {"ok": paint.GREEN, "weak": paint.YELLOW, "bad": paint.RED}
        for finding in found:
            word = paint.paint(f"{finding.verdict:<4}", colours[finding.verdict], sys.stdout)
            show.line(f"{word}  {finding.area:<10} {finding.said}")
            if finding.hint:
                show.line(f"      try: {finding.hint}")
    return FAILED if any(finding.verdict == "bad" for finding in found) else DONE
