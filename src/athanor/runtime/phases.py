"""How a controller writes the status of what it owns: a difference, and an event of a new phase."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from athanor.api.meta import ObjectMeta, to_manifest
from athanor.api.registry import Resource
from athanor.api.sweeps import SweepStatus
from athanor.api.training import TrainingJobStatus
from athanor.api.workflows import WorkflowStatus
from athanor.api.workspaces import WorkspaceStatus
from athanor.runtime.plan import Action, Patch, Record, difference, head

Status = TrainingJobStatus | SweepStatus | WorkflowStatus | WorkspaceStatus


_ENDED = {"Succeeded": "has succeeded", "Failed": "has failed", "Evicting": "has to go"}


def said(word: str, phase: str) -> str:
    """`the job is running`, `the gang has failed`."""
    return f"the {word} {_ENDED.get(phase, f'is {phase.lower()}')}"


def status_write(
    resource: Resource, meta: ObjectMeta, before: Status, after: Status, *, word: str,
    others: Sequence[str] = (),
) -> Iterator[Action]:  # fmt: skip
    """What makes an object's status `after`, and tells of a new phase; nothing if nothing differs.

    `word` is what people call the object; `others` are fields that somebody else writes.
    """
    patch = difference(to_manifest(before), to_manifest(after))
    patch = {name: value for name, value in patch.items() if name not in others}
    if not patch:
        return
    yield Patch(
        resource=resource, name=meta.name, namespace=meta.namespace, body={"status": patch},
        subresource="status",
    )  # fmt: skip
    if after.phase != before.phase:
        yield Record(
            about=head(resource, meta.namespace, meta.name, meta.uid), reason=after.phase,
            type="Warning" if after.phase == "Failed" else "Normal",
            message=after.message or said(word, after.phase),
        )  # fmt: skip
