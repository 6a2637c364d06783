"""Who submitted an object, on a cluster: an annotation that the API server itself writes.

The same rule as our own server's (`local.apiserver.admission.submitter`), as a policy in CEL that
the API server evaluates: no webhook. Limits per user go by it. Pods are not touched, so pods of
other people's controllers have no submitter here. Kubernetes before 1.36 does not serve the kind:
there nobody's submitter is known, and all who are not known count as one user.
"""

from __future__ import annotations

from collections.abc import Iterable

from athanor.api import labels
from athanor.api.meta import GROUP, JSON
from athanor.assembly.install.parts import Wishes, head, trusted

VERSION = "admissionregistration.k8s.io/v1"
NAME = "athanor-submitter"
STAMPED = ("gangs", "trainingjobs", "crons", "sweeps", "workflows", "workspaces")
KEY = labels.USER
_HELD = f"has({{0}}.metadata.annotations) && '{KEY}' in {{0}}.metadata.annotations"
_SAID = f"{{0}}.metadata.annotations['{KEY}']"
_OLD, _NEW = "oldObject", "object"


def manifests(wishes: Wishes) -> Iterable[JSON]:
    """The policy, and that it holds everywhere."""
    was = f"{_OLD} != null && {_HELD.format(_OLD)} ? {_SAID.format(_OLD)} : ''"
    fresh = (
        f"{_OLD} == null || has({_NEW}.spec) && (!has({_OLD}.spec) || {_NEW}.spec != {_OLD}.spec)"
    )
    right = "variables.was != '' ? variables.was : variables.fresh ? request.userInfo.username : ''"
    rule = {
        "apiGroups": [GROUP], "apiVersions": ["*"], "operations": ["CREATE", "UPDATE"],
        "resources": list(STAMPED),
    }  # fmt: skip
    yield {
        **head(VERSION, "MutatingAdmissionPolicy", NAME),
        "spec": {
            "failurePolicy": "Fail",
            "reinvocationPolicy": "IfNeeded",
            "matchConstraints": {"resourceRules": [rule]},
            "matchConditions": [{"name": "trusted-aside", "expression": f"!({trusted(wishes)})"}],
            "variables": [
                {"name": "was", "expression": was},
                {"name": "fresh", "expression": fresh},
                {"name": "right", "expression": right},
                {"name": "held", "expression": _HELD.format(_NEW)},
            ],
            "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": _patch()}}],
        },
    }
    yield {**head(VERSION, "MutatingAdmissionPolicyBinding", NAME), "spec": {"policyName": NAME}}


def _patch() -> str:
    path = f"'/metadata/annotations/' + jsonpatch.escapeKey('{KEY}')"
    add = f"JSONPatch{{op: 'add', path: {path}, value: variables.right}}"
    whole = f"{{'{KEY}': variables.right}}"
    first = f"JSONPatch{{op: 'add', path: '/metadata/annotations', value: {whole}}}"
    remove = f"JSONPatch{{op: 'remove', path: {path}}}"
    return (
        f"variables.right == '' ? (variables.held ? [{remove}] : []) : "
        f"has({_NEW}.metadata.annotations) ? [{add}] : [{first}]"
    )
