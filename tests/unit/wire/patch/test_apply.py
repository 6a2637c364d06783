"""Server-side apply and managedFields: scenarios that a Kubernetes 1.36 server played first.

`apply.json` has, per scenario, the steps [verb, manager, body, flags…] and what the server made of
them: the object (its identity left out) or the message. Each step starts from the server's last
object. A step marked `given` is only played to set the scene.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from athanor.wire.patch import managed
from athanor.wire.patch.apply import apply
from athanor.wire.patch.json_patch import json_patch
from athanor.wire.patch.managed import Scope, after_update
from athanor.wire.patch.merge import merge_patch
from athanor.wire.patch.strategic import strategic
from athanor.wire.status import ApiError
from athanor.wire.types.catalog import schema_of

KNOWN = json.loads((Path(__file__).parent / "apply.json").read_text())
GROUPS = {
    "Thing": "wire.test", "Blob": "wire.test", "Role": "rbac.authorization.k8s.io",
    "Lease": "coordination.k8s.io",
}  # fmt: skip
WITH_STATUS = ("Service", "PersistentVolumeClaim", "Thing", "Blob")
OPEN = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def _schema(kind: str) -> dict[str, Any]:
    if kind == "Thing":
        return KNOWN["schema"]  # type: ignore[no-any-return]
    return OPEN if kind == "Blob" else schema_of(GROUPS.get(kind, ""), "v1", kind) or {}


def _steps() -> Iterator[Any]:
    for number, scenario in enumerate(KNOWN["scenarios"]):
        live = None
        for at, step in enumerate(scenario["steps"]):
            name = f"{number}.{at}-{scenario['kind']}-{step['do'][0]}"
            if "given" not in step:
                yield pytest.param(scenario["kind"], step, live, id=name)
            if "result" in step:
                live = step["result"]


def _play(kind: str, step: dict[str, Any], live: Any) -> Any:
    verb, manager, body, *flags = step["do"]
    group = GROUPS.get(kind, "")
    version = f"{group}/v1" if group else "v1"
    custom = kind in ("Thing", "Blob")
    scope = Scope(
        api_version=version,
        subresource="status" if "status" in flags else "",
        has_status=kind in WITH_STATUS,
        custom=custom,
    )
    result = step.get("result", {})
    times = [e["time"] for e in result.get("metadata", {}).get("managedFields", ()) if "time" in e]
    now, schema = max(times, default="99"), _schema(kind)
    whole = {**body, "apiVersion": version, "kind": kind}
    if live is not None:
        meta = {"name": "z", **live["metadata"]}
        live = {**live, "apiVersion": version, "kind": kind, "metadata": meta}
    if verb == "apply":
        whole["metadata"] = {"name": "z", **body.get("metadata", {})}
        return apply(live, whole, manager, scope, schema, now=now, force="force" in flags)
    new = managed.without_managed({**result, "apiVersion": version, "kind": kind})
    new["metadata"] = {"name": "z", **new["metadata"]}
    if verb == "create":
        return after_update(None, new, manager, scope, schema, now=now, track=True)
    patched: Any = {}
    if verb == "merge":
        patched = merge_patch(live, body)
    elif verb == "strategic":
        patched = strategic(live, body, schema)
    elif verb == "json":
        patched = json_patch(live, body["ops"])
    if (wished := patched.get("metadata", {}).get("managedFields")) is not None:
        new["metadata"] = {**new["metadata"], "managedFields": wished}
    return after_update(live, new, manager, scope, schema, now=now)


def _managers(obj: Any) -> list[dict[str, Any]]:
    entries = obj["metadata"].get("managedFields", [])
    return [{k: v for k, v in e.items() if k != "fieldsType"} for e in entries]


@pytest.mark.parametrize(("kind", "step", "live"), list(_steps()))
def test_as_the_server_did(kind: str, step: dict[str, Any], live: Any) -> None:
    before = copy.deepcopy((step, live))
    if "error" in step:
        with pytest.raises(ApiError) as caught:
            _play(kind, step, live)
        assert caught.value.message.replace("/z;", f"/{_named(step)};") == step["error"]
        if "causes" in step:
            assert caught.value.reason == "Conflict"
            assert [[c.message, c.field] for c in caught.value.causes] == step["causes"]
    else:
        assert _managers(_play(kind, step, live)) == _managers(step["result"])
    assert before == (step, live)


def _named(step: dict[str, Any]) -> str:
    message: str = step["error"]
    return message.partition("(/")[2].partition(";")[0] or "z"


@pytest.mark.parametrize(("kind", "step", "live"), list(_steps()))
def test_values_of_kinds_without_defaults(kind: str, step: dict[str, Any], live: Any) -> None:
    flags = step["do"][3:]
    plain = kind in ("ConfigMap", "Blob") or (kind == "Thing" and "ports" not in str(step))
    if step["do"][0] != "apply" or "result" not in step or not plain or "nullable" in str(step):
        return
    played = _play(kind, step, live)
    if "status" in flags:
        assert played.get("status") == step["result"].get("status")
        return
    dropped = ("apiVersion", "kind", "metadata", "status")
    assert {k: v for k, v in played.items() if k not in dropped} == {
        k: v for k, v in step["result"].items() if k not in dropped
    }
    meta = {k: v for k, v in played["metadata"].items() if k not in ("managedFields", "name")}
    assert meta == {k: v for k, v in step["result"]["metadata"].items() if k != "managedFields"}


def test_nobody_tracks_until_the_first_apply() -> None:
    scope = Scope(api_version="v1")
    schema = schema_of("", "v1", "ConfigMap") or {}
    made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"x": "1"}}
    first = after_update(None, made, "me", scope, schema, now="1")
    assert first == made
    applied = apply(
        first, {**made, "data": {"y": "2"}}, "you", scope, schema, now="2",
    )  # fmt: skip
    assert [e["manager"] for e in applied["metadata"]["managedFields"]] == [
        "you",
        "before-first-apply",
    ]
    with pytest.raises(ApiError, match='conflict with "before-first-apply" using v1: .data.x'):
        apply(applied, {**made, "data": {"x": "2"}}, "you", scope, schema, now="3")


def test_broken_managed_fields_count_as_none() -> None:
    scope = Scope(api_version="v1")
    schema = schema_of("", "v1", "ConfigMap") or {}
    live = {
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "a", "managedFields": [{"manager": "x", "fieldsV1": {"q": 1}}]},
    }  # fmt: skip
    applied = apply(live, {**live, "metadata": {"name": "a"}}, "me", scope, schema, now="1")
    assert "managedFields" not in applied["metadata"]
    assert after_update(live, live, "me", scope, schema, now="1")["metadata"] == {"name": "a"}


def test_kubectl_s_own_annotation_is_kept_current() -> None:
    scope = Scope(api_version="v1")
    schema = schema_of("", "v1", "ConfigMap") or {}
    note = "kubectl.kubernetes.io/last-applied-configuration"
    head = {"apiVersion": "v1", "kind": "ConfigMap"}
    live = {**head, "metadata": {"name": "a", "annotations": {note: "{}\n"}}, "data": {"x": "1"}}
    wanted = {**head, "metadata": {"name": "a"}, "data": {"y": "2"}}
    by_kubectl = apply(live, wanted, "kubectl", scope, schema, now="1")
    assert by_kubectl["metadata"]["annotations"][note] == (
        '{"apiVersion":"v1","data":{"y":"2"},"kind":"ConfigMap","metadata":{"name":"a"}}\n'
    )
    by_another = apply(live, wanted, "flux", scope, schema, now="1")
    assert by_another["metadata"]["annotations"][note] == "{}\n"


def test_stored_duplicates_outlive_an_apply_that_is_not_about_them() -> None:
    scope = Scope(api_version="v1")
    schema = schema_of("", "v1", "Pod") or {}
    env = [{"name": "A", "value": "1"}, {"name": "B"}, {"name": "A", "value": "2"}]
    head = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}
    live = {**head, "spec": {"containers": [{"name": "c", "env": env}]}}
    wanted = {**head, "spec": {"containers": [{"name": "c", "env": [{"name": "C"}]}]}}
    merged = apply(live, wanted, "me", scope, schema, now="1")["spec"]["containers"][0]["env"]
    assert merged == [*env, {"name": "C"}]
