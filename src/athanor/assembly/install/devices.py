"""Which devices a pod has, on a cluster: an annotation that only the controllers write.

Nodes that joined with `athanor agent` give what it names, also to a pod that asks for no device, if
the pod has the label that goes with it. The same rule as our own server's
(`local.apiserver.admission.devices`), as a policy in CEL that the API server evaluates for pods
with that label alone: CEL costs each pod that it looks at a tenth of its creation.
"""

from __future__ import annotations

from collections.abc import Iterable

from athanor.api import labels
from athanor.api.meta import JSON
from athanor.assembly.install.parts import Wishes, head, trusted
from athanor.assembly.install.submitter import VERSION

NAME = "athanor-devices"
_NOTE = f"{{0}}.metadata.?annotations[?'{labels.DEVICES}'].orValue('')"
_MARK = f"{{0}}.metadata.?labels[?'{labels.CHOSEN}'].orValue('')"


def manifests(wishes: Wishes) -> Iterable[JSON]:
    """The policy, and that it holds everywhere."""
    rule = {
        "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"],
        "resources": ["pods"],
    }  # fmt: skip
    marked = {"matchExpressions": [{"key": labels.CHOSEN, "operator": "Exists"}]}
    kept = (f"{each.format('oldObject')} == {each.format('object')}" for each in (_NOTE, _MARK))
    same = " && ".join(["oldObject != null", *kept])
    message = (
        f"the label {labels.CHOSEN} and the annotation {labels.DEVICES} beside it are written by "
        "Athanor's controllers alone"
    )
    yield {
        **head(VERSION, "ValidatingAdmissionPolicy", NAME),
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [rule], "objectSelector": marked},
            "matchConditions": [{"name": "trusted-aside", "expression": f"!({trusted(wishes)})"}],
            "validations": [{"expression": same, "message": message, "reason": "Forbidden"}],
        },
    }
    yield {
        **head(VERSION, "ValidatingAdmissionPolicyBinding", NAME),
        "spec": {"policyName": NAME, "validationActions": ["Deny"]},
    }
