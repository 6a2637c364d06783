"""What an update of a pod may change (core/v1 `ValidatePodUpdate`)."""

from __future__ import annotations

from collections.abc import Sequence

from athanor.api.meta import JSON
from athanor.local.apiserver.errors import not_allowed, unsupported, wrong
from athanor.wire.status import Cause

_MAY_CHANGE = (
    "pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only "
    "additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set "
    "to 1 if it was previously negative)"
)
_ADDITIONS = "only additions are allowed (no mutations or deletions)"
_GROUPS = ("containers", "initContainers")
_FREE = ("activeDeadlineSeconds", "tolerations", "schedulingGates", *_GROUPS)
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def check_update(new: JSON, old: JSON) -> Sequence[Cause]:
    """A pod's spec is fixed, but for images, its deadline, more tolerations, fewer gates."""
    spec, was = new.get("spec") or {}, old.get("spec") or {}
    if spec == was:
        return ()
    causes: list[Cause] = []
    for group in _GROUPS:
        if len(spec.get(group) or []) != len(was.get(group) or []):
            detail = "pod updates may not add or remove containers"
            return [not_allowed(f"spec.{group}", detail)]
    deadline, before = spec.get("activeDeadlineSeconds"), was.get("activeDeadlineSeconds")
    if before is not None and deadline is None:
        detail = "must not update from a positive integer to nil value"
        causes.append(wrong("spec.activeDeadlineSeconds", None, detail))
    elif before is not None and deadline > before:
        detail = "must be less than or equal to previous value"
        return [wrong("spec.activeDeadlineSeconds", deadline, detail)]
    now = [_lasting(t) for t in spec.get("tolerations") or []]
    if any(_lasting(t) not in now for t in was.get("tolerations") or []):
        detail = "existing toleration can not be modified except its tolerationSeconds"
        causes.append(not_allowed("spec.tolerations", detail))
    causes += _gates(spec, was)
    free = _FREE if deadline is not None or before is None else _FREE[1:]
    kept, kept_before = _fixed(spec, free), _fixed(was, free)
    if was.get("schedulingGates"):
        causes += _moved(kept, kept_before)
    if kept != kept_before:
        causes.append(not_allowed("spec", _MAY_CHANGE))
    return causes


def _lasting(toleration: JSON) -> JSON:
    return {k: v for k, v in toleration.items() if k != "tolerationSeconds"}


def _gates(spec: JSON, was: JSON) -> list[Cause]:
    known = {gate.get("name") for gate in was.get("schedulingGates") or ()}
    return [
        not_allowed(
            f"spec.schedulingGates[{i}].name",
            f"only deletion is allowed, but found new scheduling gate '{gate.get('name')}'",
        )
        for i, gate in enumerate(spec.get("schedulingGates") or ())
        if gate.get("name") not in known
    ]


def _fixed(spec: JSON, free: Sequence[str]) -> JSON:
    kept: JSON = {k: v for k, v in spec.items() if k not in free}
    for group in _GROUPS:
        kept[group] = [{k: v for k, v in c.items() if k != "image"} for c in spec.get(group) or []]
    if kept.get("terminationGracePeriodSeconds") == 1:
        kept["terminationGracePeriodSeconds"] = -1
    return kept


def _moved(kept: JSON, before: JSON) -> list[Cause]:
    """What a pod that is held by gates may narrow: where it runs. Takes it out of both."""
    causes = list[Cause]()
    now, was = kept.pop("nodeSelector", None) or {}, before.pop("nodeSelector", None) or {}
    if any(now.get(key) != value for key, value in was.items()):
        detail = "only additions to spec.nodeSelector are allowed (no mutations or deletions)"
        causes.append(wrong("spec.nodeSelector", now, detail))
    affinity, affinity_before = (dict(one.pop("affinity", None) or {}) for one in (kept, before))
    nodes, nodes_before = (
        one.pop("nodeAffinity", None) or {} for one in (affinity, affinity_before)
    )
    if affinity or affinity_before:
        kept["affinity"], before["affinity"] = affinity, affinity_before
    terms, terms_before = (
        (one.get(_REQUIRED) or {}).get("nodeSelectorTerms") or [] for one in (nodes, nodes_before)
    )
    path = f"spec.affinity.nodeAffinity.{_REQUIRED}.nodeSelectorTerms"
    if terms_before and len(terms) != len(terms_before):
        detail = "no additions/deletions to non-empty NodeSelectorTerms list are allowed"
        return [*causes, wrong(path, terms, detail)]
    for i, term in enumerate(terms_before):
        if any(
            (terms[i].get(group) or [])[: len(asked or [])] != (asked or [])
            for group, asked in term.items()
        ):
            causes.append(wrong(f"{path}[{i}]", terms[i], _ADDITIONS))
    return causes


def check_status(new: JSON, old: JSON) -> Sequence[Cause]:
    """A pod's status update may not move it to another node."""
    phase = (new.get("status") or {}).get("phase")
    words = ("Pending", "Running", "Succeeded", "Failed", "Unknown")
    if phase and phase not in words:
        return [unsupported("status.phase", phase, words)]
    return ()
