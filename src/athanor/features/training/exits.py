"""Exit codes under restart policy ExitCode: which are worth a new try, and what each one means.

Codes above 128 are deaths by signal (shell convention). A job may add codes of its own
(`runPolicy.retryableExitCodes`); faults of the platform never come here: they cost no retry.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

RETRYABLE: Mapping[int, str] = {
    75: "a temporary failure, says the program itself (EX_TEMPFAIL)",
    130: "interrupted (SIGINT)",
    134: "aborted (SIGABRT): collective libraries end so when a peer is gone",
    137: "killed (SIGKILL)",
    138: "asked for a new try by the program (SIGUSR1)",
    141: "a peer closed its connection (SIGPIPE)",
    143: "told to end (SIGTERM)",
}
"""Ends that may pass."""

PERMANENT: Mapping[int, str] = {
    1: "an error of the program",
    2: "wrong usage",
    126: "the command cannot be executed",
    127: "the command was not found",
    128: "an invalid exit code",
    132: "an instruction that this processor lacks (SIGILL)",
    135: "memory that could not be mapped, often /dev/shm too small (SIGBUS)",
    136: "an arithmetic error (SIGFPE)",
    139: "memory that is not the program's (SIGSEGV)",
}
"""Ends that would only come again."""

PERMANENT_REASONS = frozenset({"OOMKilled", "DeadlineExceeded", "StartError"})
"""What the node says of ends that would only come again, whatever their code."""

SIGNALS = 128


def retryable(code: int | None, reason: str, own: Collection[int] = ()) -> bool:
    """Whether a rank that ended so is worth a new try; `own` are codes the job adds."""
    if reason in PERMANENT_REASONS:
        return False
    if code is None or code in own or code in RETRYABLE:
        return True
    return code > SIGNALS and code not in PERMANENT


def table() -> str:
    """Both tables as Markdown, for the documentation."""
    lines = ["| exit code | new try | meaning |", "|---|---|---|"]
    every = {**RETRYABLE, **PERMANENT}
    lines += [
        f"| {code} | {'yes' if code in RETRYABLE else 'no'} | {every[code]} |"
        for code in sorted(every)
    ]
    lines += ["| other up to 128 | no | an error of the program |"]
    return "\n".join([*lines, "| other above 128 | yes | a death by signal |"]) + "\n"
