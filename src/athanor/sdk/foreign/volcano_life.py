"""Volcano's lifecycle policies (event → action) as restart policies, exit codes, success rules."""

from __future__ import annotations

from msgspec import Struct

from athanor.api.training import RestartPolicy
from athanor.sdk.foreign.given import Given

FAILED = ("PodFailed", "*")
ENDS = ("AbortJob", "TerminateJob")
AGAIN = ("RestartPod", "RestartTask", "RestartJob", "RestartPartition")
ALONE = "a rank that fails starts again alone, or all of them where ranks need each other"


class Life(Struct):
    """What becomes of a task's pods. `failed`: "" unless a policy is about pods that fail.

    `completes`: the job has succeeded when all pods of a task have.
    """

    failed: RestartPolicy | str = ""
    codes: tuple[int, ...] = ()
    completes: bool = False

    def within(self, whole: Life) -> Life:
        """A task's life, where the job says what the task does not."""
        return Life(
            self.failed or whole.failed, self.codes + whole.codes,
            self.completes or whole.completes,
        )  # fmt: skip


def read(part: Given) -> Life:
    """The policies of a job or a task; the first that is about an event holds."""
    life = Life()
    for number, policy in enumerate(part.parts("policies")):
        where = f"policies[{number}]"
        action = policy.take("action", "")
        event = policy.take("event", "")
        events = [*([event] if event else []), *policy.take("events", [])]
        if (code := policy.number("exitCode")) is not None:
            part.note(where, _code(life, code, action))
        for each in events:
            if said := _event(life, str(each), action):
                part.note(where, said)
    return life


def _code(life: Life, code: int, action: str) -> str:
    """What becomes of an exit code's policy."""
    if action not in AGAIN or not 1 <= code <= 255:
        return f"{action} on exit code {code}: left out"
    life.codes += (code,)
    return f"{action} on exit code {code}: {ALONE}; so for codes of something passing (75, 137, …)"


def _event(life: Life, event: str, action: str) -> str:
    """What becomes of a policy, "" when it means the same here."""
    if event in FAILED and action in (*AGAIN, *ENDS) and not life.failed:
        life.failed = "Never" if action in ENDS else "OnFailure"
        if event == "PodFailed" and action in (*ENDS, "RestartPod"):
            return ""
        return f"{action} on {event}: {ALONE if action in AGAIN else 'when a pod fails'}"
    if event == "TaskCompleted" and action == "CompleteJob":
        life.completes = True
        return ""
    if event == "PodEvicted" and action in AGAIN:
        return f"{action} on {event}: not needed, a fault of the platform costs no retry"
    return f"{action} on {event}: left out"
