"""Which devices a pod has, on a cluster: an annotation that only the controllers write.

Nodes that joined with `athanor agent` give what it names, also to a pod that asks for no device.
The same rule as our own server's (`local.apiserver.admission.devices`), as a policy in CEL that the
API server evaluates; it looks at pods that have the annotation, and lets all others pass.
"""

from __future__ import annotations

from collections.abc import Iterable

from athanor.api import labels
from athanor.api.meta import JSON
from athanor.assembly.install.parts import Wishes, head, trusted
from athanor.assembly.install.submitter import VERSION

NAME = "athanor-devices"
KEY = labels.DEVICES
_HAS = f"has({{0}}.metadata.annotations) && '{KEY}' in {{0}}.metadata.annotations"
_SAID = f"{{0}}.metadata.annotations['{KEY}']"
_OLD, _NEW = "oldObject", "object"


def manifests(wishes: Wishes) -> Iterable[JSON]:
    """The policy, and that it holds everywhere."""
    rule = {
        "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"],
        "resources": ["pods"],
    }  # fmt: skip
    same = f"{_OLD} != null && {_HAS.format(_OLD)} && {_SAID.format(_OLD)} == {_SAID.format(_NEW)}"
    message = f"the annotation {KEY} is written by Athanor's controllers alone"
    yield {
        **head(VERSION, "ValidatingAdmissionPolicy", NAME),
        "spec": {
            "failurePolicy": "Ignore",
            "matchConstraints": {"resourceRules": [rule]},
            "matchConditions": [
                {"name": "has-it", "expression": _HAS.format(_NEW)},
                {"name": "trusted-aside", "expression": f"!({trusted(wishes)})"},
            ],
            "validations": [{"expression": same, "message": message, "reason": "Forbidden"}],
        },
    }
    yield {
        **head(VERSION, "ValidatingAdmissionPolicyBinding", NAME),
        "spec": {"policyName": NAME, "validationActions": ["Deny"]},
    }
