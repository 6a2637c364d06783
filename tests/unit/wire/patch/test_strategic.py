"""Strategic merge patches on a PodTemplate: what a Kubernetes 1.36 server made of each of them.

`strategic.json` holds the object and, per patch, the members of metadata and of template.spec
that changed (or went), or the server's message.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from athanor.wire.patch.strategic import strategic
from athanor.wire.status import ApiError
from athanor.wire.types.catalog import schema_of

SCHEMA = schema_of("", "v1", "PodTemplate") or {}
KNOWN = json.loads((Path(__file__).parent / "strategic.json").read_text())
DOC = KNOWN["doc"]


def _expected(vector: dict[str, Any]) -> dict[str, Any]:
    meta = {**DOC["metadata"], **vector.get("metadata", {})}
    spec = {**DOC["template"]["spec"], **vector.get("spec", {})}
    for key in vector.get("gone", ()):
        del meta[key]
    for key in vector.get("specGone", ()):
        del spec[key]
    return {**DOC, "metadata": meta, "template": {**DOC["template"], "spec": spec}}


@pytest.mark.parametrize("vector", KNOWN["vectors"], ids=lambda v: json.dumps(v["patch"])[:80])
def test_as_the_server_said(vector: dict[str, Any]) -> None:
    before = copy.deepcopy((DOC, vector["patch"]))
    if (message := vector.get("error")) is not None:
        with pytest.raises(ApiError) as caught:
            strategic(DOC, vector["patch"], SCHEMA)
        assert (caught.value.reason, caught.value.message) == ("BadRequest", message)
    else:
        assert strategic(DOC, vector["patch"], SCHEMA) == _expected(vector)
    assert before == (DOC, vector["patch"])


@pytest.mark.parametrize("patch", [[], 1, None])
def test_no_object(patch: Any) -> None:
    with pytest.raises(ApiError, match="error decoding patch"):
        strategic(DOC, patch, SCHEMA)


@pytest.mark.parametrize(
    "patch",
    [
        {"metadata": {"$setElementOrder/labels": ["x"]}},
        {"metadata": {"$setElementOrder/finalizers": "x"}},
        {"metadata": {"$deleteFromPrimitiveList/finalizers": "x"}},
        {"metadata": {"$retainKeys": "x"}},
        {"metadata": {"$patch": ["x"]}},
        {"template": {"spec": {"$setElementOrder/tolerations": [{"key": "k1"}]}}},
        {"template": {"spec": {"$setElementOrder/containers": [{"nome": "k1"}]}}},
        {"template": {"spec": {"containers": [["x"]]}}},
        {"template": {"spec": {"containers": [{"name": {"x": []}}]}}},
    ],
)
def test_odd_directives_never_crash(patch: dict[str, Any]) -> None:
    try:
        strategic(DOC, patch, SCHEMA)
    except ApiError as refused:
        assert refused.code == 400
