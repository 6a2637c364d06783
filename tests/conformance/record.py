"""Asks a real Kubernetes anew what it says to objects of our kinds.

`python -m tests.conformance.record` writes `tests/unit/local/apiserver/our_kinds_answers.json`: run
it when the definitions have changed, and read the difference. New cases are added there by hand.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from athanor.api import crd
from athanor.client.sync import SyncHttp
from athanor.sdk import connect
from athanor.wire.request import Request
from tests.conformance.kube import plane

ANSWERS = Path(__file__).parent.parent / "unit" / "local" / "apiserver" / "our_kinds_answers.json"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def main() -> None:
    """Record."""
    recorded = json.loads(ANSWERS.read_text())
    with plane.running() as kubeconfig:
        server, _ = connect.sync(str(kubeconfig), None)
        for made in crd.manifests():
            assert post(server, DEFINITIONS, made)["kind"] == "CustomResourceDefinition"
        time.sleep(5)  # until served; a server that has just learnt a kind answers late, too
        recorded["answers"] = [ask(server, case) for case in recorded["answers"]]
    ANSWERS.write_text(json.dumps(recorded, indent=1) + "\n")


def post(server: SyncHttp, path: str, body: dict[str, Any], **query: str) -> dict[str, Any]:
    """What the server says to a new object."""
    request = Request(
        method="POST", path=path, query=tuple(query.items()), body=json.dumps(body).encode(),
        headers={"content-type": "application/json"},
    )  # fmt: skip
    said: dict[str, Any] = json.loads(server.send(request).body)
    return said


def ask(server: SyncHttp, case: dict[str, Any]) -> dict[str, Any]:
    """One case with the answer of today."""
    where = "/namespaces/default" if case["namespaced"] else ""
    path = f"/apis/athanor.dev/v1alpha1{where}/{case['plural']}"
    said = post(server, path, case["object"], dryRun="All", fieldValidation="Strict")
    asked = {key: case[key] for key in ("plural", "namespaced", "object")}
    if said["kind"] != "Status":
        return {**asked, "code": 201, "spec": said.get("spec")}
    causes = said.get("details", {}).get("causes", [])
    return {**asked, "code": said["code"], "message": said["message"], "causes": causes}


if __name__ == "__main__":
    main()
