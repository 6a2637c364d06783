"""Runs stages of the examination, side by side where they do not disturb each other.

`python -m tests.run STAGE…` with check, pytest, golden, conformance, acceptance, acceptance-kube,
demo, smoke.
Prints one line a stage; what did not run is printed as NOT RUN with the reason. Fails if any
stage failed. A stage says "not run" by exit code 3.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parent.parent
BIN = ROOT / ".venv" / "bin"
PYTEST = [f"{BIN}/python", "-m", "pytest", "-rs"]
# other people's clients may leave a connection for the garbage collector; that is not ours to mend
FOREIGN = ["-W", "ignore::pytest.PytestUnraisableExceptionWarning", "-W", "ignore::ResourceWarning"]
QUICK = ["tests/tidy", "tests/unit", "tests/properties", "tests/golden", "tests/sim"]

STAGES: dict[str, list[list[str]]] = {
    "check": [
        [f"{BIN}/ruff", "check", "."],
        [f"{BIN}/ruff", "format", "--check", "."],
        [f"{BIN}/lint-imports", "--no-logo"],
        [f"{BIN}/mypy"],
    ],
    "pytest": [[*PYTEST, "-n", "3", "--dist", "worksteal", *QUICK]],
    "golden": [[*PYTEST, "tests/golden"]],
    "conformance": [[*PYTEST, *FOREIGN, "tests/conformance"]],
    "acceptance": [[*PYTEST, *FOREIGN, "tests/acceptance"]],
    "acceptance-kube": [[*PYTEST, *FOREIGN, "tests/nodes"]],
    "smoke": [[*PYTEST, *FOREIGN, "tests/conformance", "tests/acceptance", "-m", "smoke"]],
    "demo": [["make", "--no-print-directory", "demo"]],
}
BESIDE = ("check",)
"""Stages that only read the sources run beside the others."""
NOT_RUN = 3
SKIPPED = re.compile(r"^SKIPPED \[\d+\] (.*)$", re.MULTILINE)


def run(command: Sequence[str], *, beside: bool = False) -> tuple[int, float, str]:
    """Exit code, seconds and output of one command; output is shown as it comes, that of one
    `beside` another when it has ended."""
    start = time.monotonic()
    # test modules are compiled once, not by every worker of every run
    kept = {name: v for name, v in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=kept
    )
    lines = []
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line)
        if not beside:
            print(line, end="", flush=True)
    output = "".join(lines)
    if beside:
        print(output, end="", flush=True)
    return process.wait(), time.monotonic() - start, output


def main(stages: Sequence[str]) -> int:
    """Runs the stages; the exit code says whether all that ran passed."""
    unknown = [stage for stage in stages if stage not in STAGES]
    if unknown or not stages:
        print(f"unknown stage {unknown}; there are: {', '.join(STAGES)}", file=sys.stderr)
        return 2
    side = [(stage, command) for stage in stages if stage in BESIDE for command in STAGES[stage]]
    rest = [(s, command) for s in stages if s not in BESIDE for command in STAGES[s]]
    with ThreadPoolExecutor(1) as other:
        started = [other.submit(run, command, beside=True) for _, command in side]
        ended = [run(command) for _, command in rest]
    table: list[str] = []
    failed = False
    for (stage, command), (code, seconds, output) in zip(
        [*side, *rest], [*(one.result() for one in started), *ended], strict=True
    ):
        name = f"{stage}: {' '.join(Path(word).name for word in command[:3])}"
        verdict = {0: "passed", NOT_RUN: "NOT RUN"}.get(code, f"FAILED ({code})")
        failed |= code not in (0, NOT_RUN)
        table.append(f"{verdict:10} {seconds:6.1f} s  {name}")
        table += [f"NOT RUN               {why}" for why in SKIPPED.findall(output)]
    print("\n" + "\n".join(table))
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
