"""Questions of chance that nobody has asked yet: both servers are asked now, and compared.

`python -m tests.conformance.fresh SEED…` prints what differs and is not declared. What it finds is
mended, or becomes a question of its own (`questions/`) whose difference is declared.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import structs

from tests.conformance import compare, run, worlds
from tests.conformance.kube import plane
from tests.conformance.questions import generated
from tests.conformance.scenario import Step

_DECLARED = ("storageClassName",)
"""Where any question may meet a declared difference: the default class of claims."""


async def answers(kubeconfig: str, questions: Mapping[str, Sequence[Step]]) -> dict[str, Any]:
    """What a server says to each."""
    some = asyncio.Semaphore(compare.AT_ONCE)
    async with run.world(kubeconfig) as transport, run.world(kubeconfig, bare=True) as nobody:
        await compare.stage(transport, generated)

        async def one(steps: Sequence[Step]) -> Any:
            async with some:
                return await compare.ask(transport, nobody, steps, [])

        said = await asyncio.gather(*(one(steps) for steps in questions.values()))
    return dict(zip(questions, said, strict=True))


def differing(seed: str, ours: str, theirs: str) -> int:
    """Ask both a seed's questions; prints the differences, answers in how many questions."""
    questions = {
        title: [structs.replace(step, omit=(*step.omit, *_DECLARED)) for step in steps]
        for title, steps in generated.every(f" of {seed}")
    }
    mine = asyncio.run(answers(ours, questions))
    real = asyncio.run(answers(theirs, questions))
    count = 0
    for title, steps in questions.items():
        wrong = [
            (step, a, b) for step, a, b in zip(steps, mine[title], real[title], strict=True)
            if not compare.same(a, b)
        ]  # fmt: skip
        count += bool(wrong)
        for step, a, b in wrong:
            asked = f"{step.method} {step.path} {step.media} {json.dumps(step.body, default=str)}"
            print(f"== {title}\n  {asked}\n  ours   {json.dumps(a)}\n  theirs {json.dumps(b)}")
    print(f"seed {seed}: {count} of {len(questions)} questions differ", flush=True)
    return count


def main() -> int:
    """Read the command line."""
    seeds = sys.argv[1:]
    if not seeds:
        print(__doc__, file=sys.stderr)
        return 2
    with (
        tempfile.TemporaryDirectory() as folder,
        worlds.server(Path(folder)) as ours,
        plane.running() as theirs,
    ):
        return min(1, sum(differing(seed, str(ours), str(theirs)) for seed in seeds))


if __name__ == "__main__":
    sys.exit(main())
