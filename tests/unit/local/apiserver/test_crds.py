"""Definitions of custom resources: what is refused and how, serving, conditions, the way out.

`crd_answers.json` holds what Kubernetes 1.36.3 said to wrong definitions, `our_kinds_answers.json`
what it said to right and wrong objects of our own kinds.
"""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from athanor.api.registry import OURS
from athanor.kit.clock import FixedClock
from athanor.kit.ids import SeededIds
from athanor.local.apiserver.handle import ApiServer
from athanor.local.store.store import Store
from athanor.wire.request import Request, Response, User

RECORDED = json.loads((Path(__file__).parent / "crd_answers.json").read_text())
OUR_KINDS = json.loads((Path(__file__).parent / "our_kinds_answers.json").read_text())
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
FOOS = "/apis/sec2.example.com/v1/namespaces/default/foos"
ADMIN = User(name="admin", groups=("system:masters", "system:authenticated"))

Ask = Callable[..., Awaitable[tuple[int, Any]]]


def _with(scenario: Callable[[ApiServer, Ask], Awaitable[None]]) -> None:
    async def main() -> None:
        store = Store.open(":memory:")
        server = ApiServer(store, clock=FixedClock(), ids=SeededIds())

        async def ask(method: str, path: str, body: Any = None, **query: str) -> tuple[int, Any]:
            answer = await server.handle(
                Request(
                    method=method, path=path, query=tuple(query.items()), peer=ADMIN,
                    headers={"content-type": "application/json"},
                    body=b"" if body is None else msgspec.json.encode(body),
                )
            )  # fmt: skip
            assert isinstance(answer, Response)
            return answer.status, msgspec.json.decode(answer.body)

        try:
            await ask("POST", "/api/v1/namespaces", {"metadata": {"name": "default"}})
            await scenario(server, ask)
        finally:
            await server.close()
            await store.close()

    asyncio.run(main())


def _mutated(path: list[Any], value: Any) -> Any:
    made = copy.deepcopy(RECORDED["base"])
    inner = made
    for key in path[:-1]:
        inner = inner[key]
    if value is None:
        inner.pop(path[-1], None)
    else:
        inner[path[-1]] = value
    return made


# Go names the Go struct field, or prints Go values; the rule is the same, the words cannot be.
OWN_WORDS = ("json: cannot unmarshal", "compilation failed", '"Name":"v1"', "storedVersions")


def test_wrong_definitions_are_refused_as_by_a_real_server() -> None:
    async def scenario(server: ApiServer, ask: Ask) -> None:
        different = []
        for case in RECORDED["answers"]:
            body = _mutated(case["path"], case["value"])
            code, said = await ask("POST", DEFINITIONS, body, dryRun="All")
            same = code == case["code"]
            if same and code >= 400 and not any(w in case["message"] for w in OWN_WORDS):
                same = said["message"] == case["message"]
            if not same:
                different.append((case["path"], case["value"], code, said.get("message"),
                                  case["code"], case["message"]))  # fmt: skip
        assert different == []

    _with(scenario)


def test_a_definition_is_served_at_once_and_its_conditions_follow() -> None:
    async def scenario(server: ApiServer, ask: Ask) -> None:
        code, made = await ask("POST", DEFINITIONS, RECORDED["base"])
        assert code == 201 and made["status"]["storedVersions"] == ["v1"]
        foo = {"apiVersion": "sec2.example.com/v1", "kind": "Foo", "metadata": {"name": "a"}}
        code, said = await ask("POST", FOOS, {**foo, "spec": {"a": "abcdefgh"}})
        assert code == 422 and said["details"]["causes"][0]["field"] == "spec.a"
        assert (await ask("POST", FOOS, {**foo, "spec": {"a": "abc", "b": 1}}))[0] == 201
        assert (await ask("GET", FOOS + "/a"))[1]["spec"] == {"a": "abc"}
        await server.house.work.settle()
        _, now = await ask("GET", f"{DEFINITIONS}/foos.sec2.example.com")
        assert {c["type"]: c["status"] for c in now["status"]["conditions"]} == {
            "NamesAccepted": "True", "Established": "True",
        }  # fmt: skip
        assert now["status"]["acceptedNames"]["listKind"] == "FooList"

    _with(scenario)


def test_names_are_accepted_once() -> None:
    async def scenario(server: ApiServer, ask: Ask) -> None:
        await ask("POST", DEFINITIONS, RECORDED["base"])
        await server.house.work.settle()
        other = copy.deepcopy(RECORDED["base"])
        other["metadata"]["name"] = "bars.sec2.example.com"
        other["spec"]["names"] = {"plural": "bars", "kind": "Foo"}
        await ask("POST", DEFINITIONS, other)
        await server.house.work.settle()
        _, now = await ask("GET", f"{DEFINITIONS}/bars.sec2.example.com")
        accepted, established = now["status"]["conditions"]
        assert (accepted["status"], established["status"]) == ("False", "False")
        assert accepted["message"].endswith("is already in use")

    _with(scenario)


def test_a_deleted_definition_takes_its_objects_along_first() -> None:
    async def scenario(server: ApiServer, ask: Ask) -> None:
        await ask("POST", DEFINITIONS, RECORDED["base"])
        foo = {"apiVersion": "sec2.example.com/v1", "kind": "Foo"}
        held = {"metadata": {"name": "held", "finalizers": ["example.com/hold"]}}
        await ask("POST", FOOS, {**foo, **held})
        await ask("POST", FOOS, {**foo, "metadata": {"name": "free"}})
        code, going = await ask("DELETE", f"{DEFINITIONS}/foos.sec2.example.com")
        assert code == 200
        assert going["metadata"]["finalizers"] == ["customresourcecleanup.apiextensions.k8s.io"]
        await server.house.work.settle()
        assert (await ask("GET", FOOS + "/free"))[0] == 404
        code, said = await ask("POST", FOOS, {**foo, "metadata": {"name": "late"}})
        assert (code, said["reason"]) == (405, "MethodNotAllowed")
        assert (await ask("GET", f"{DEFINITIONS}/foos.sec2.example.com"))[0] == 200
        _, obj = await ask("GET", FOOS + "/held")
        obj["metadata"]["finalizers"] = []
        await ask("PUT", FOOS + "/held", obj)
        await server.house.work.settle()
        assert (await ask("GET", f"{DEFINITIONS}/foos.sec2.example.com"))[0] == 404
        code, said = await ask("GET", FOOS)
        assert (code, said["message"]) == (404, "the server could not find the requested resource")

    _with(scenario)


def test_what_an_established_definition_may_not_change() -> None:
    async def scenario(server: ApiServer, ask: Ask) -> None:
        await ask("POST", DEFINITIONS, RECORDED["base"])
        await server.house.work.settle()
        path = f"{DEFINITIONS}/foos.sec2.example.com"
        for where, value in ((("scope",), "Cluster"), (("names", "kind"), "Goo")):
            _, now = await ask("GET", path)
            inner = now["spec"]
            for key in where[:-1]:
                inner = inner[key]
            inner[where[-1]] = value
            code, said = await ask("PUT", path, now)
            assert code == 422 and "field is immutable" in said["message"]

    _with(scenario)


def test_our_own_definitions_are_installed_and_kept_current() -> None:
    async def scenario(server: ApiServer, ask: Ask) -> None:
        assert await server.crds.install() == len(OURS)
        assert await server.crds.install() == 0
        path = f"{DEFINITIONS}/gangs.athanor.dev"
        _, now = await ask("GET", path)
        assert [c["status"] for c in now["status"]["conditions"]] == ["True", "True"]
        now["spec"]["versions"][0]["additionalPrinterColumns"] = []
        assert (await ask("PUT", path, now))[0] == 200
        assert await server.crds.install() == 1

    _with(scenario)


@pytest.mark.parametrize("schema", [{"type": "object"}, {"type": "object", "properties": {}}])
def test_an_empty_schema_prunes_everything_else(schema: dict[str, Any]) -> None:
    async def scenario(server: ApiServer, ask: Ask) -> None:
        path = ["spec", "versions", 0, "schema", "openAPIV3Schema"]
        assert (await ask("POST", DEFINITIONS, _mutated(path, schema)))[0] == 201
        foo = {"apiVersion": "sec2.example.com/v1", "kind": "Foo", "metadata": {"name": "a"}}
        await ask("POST", FOOS, {**foo, "spec": {"a": 1}})
        assert "spec" not in (await ask("GET", FOOS + "/a"))[1]

    _with(scenario)


def _sorted(causes: list[dict[str, str]]) -> list[str]:
    return sorted(json.dumps(cause, sort_keys=True) for cause in causes)


def test_objects_of_our_kinds_are_answered_as_by_a_real_server() -> None:
    async def scenario(server: ApiServer, ask: Ask) -> None:
        different = []
        for case in OUR_KINDS["answers"]:
            where = "/namespaces/default" if case["namespaced"] else ""
            path = f"/apis/athanor.dev/v1alpha1{where}/{case['plural']}"
            code, said = await ask(
                "POST", path, case["object"], dryRun="All", fieldValidation="Strict"
            )
            if code < 300:
                same = code == case["code"] and said.get("spec") == case["spec"]
            else:
                causes = said.get("details", {}).get("causes", [])
                # in which order fields are looked at is left to chance there
                same = (code, _sorted(causes)) == (case["code"], _sorted(case["causes"]))
                same &= len(causes) > 1 or said["message"] == case["message"]
            if not same:
                different.append((case, code, said))
        assert different == []

    _with(scenario)


def test_status_scale_and_selectable_fields_of_a_custom_kind() -> None:
    async def scenario(server: ApiServer, ask: Ask) -> None:
        definition = copy.deepcopy(RECORDED["base"])
        version = definition["spec"]["versions"][0]
        number = {"type": "integer"}
        version["schema"]["openAPIV3Schema"]["properties"] = {
            "spec": {"type": "object", "properties": {"a": {"type": "string"}, "replicas": number}},
            "status": {"type": "object", "properties": {"replicas": number}},
        }
        version["subresources"] = {
            "status": {},
            "scale": {"specReplicasPath": ".spec.replicas",
                      "statusReplicasPath": ".status.replicas"},
        }  # fmt: skip
        version["selectableFields"] = [{"jsonPath": ".spec.a"}]
        assert (await ask("POST", DEFINITIONS, definition))[0] == 201
        foo = {"apiVersion": "sec2.example.com/v1", "kind": "Foo"}
        for name in ("x", "y"):
            made = {**foo, "metadata": {"name": name}, "spec": {"a": name, "replicas": 1},
                    "status": {"replicas": 9}}  # fmt: skip
            code, said = await ask("POST", FOOS, made)
            assert code == 201 and "status" not in said
        _, listed = await ask("GET", FOOS, fieldSelector="spec.a=y")
        assert [i["metadata"]["name"] for i in listed["items"]] == ["y"]
        assert (await ask("GET", FOOS, fieldSelector="spec.b=y"))[0] == 400
        _, obj = await ask("GET", FOOS + "/x")
        obj["status"], obj["spec"]["replicas"] = {"replicas": 3}, 7
        _, said = await ask("PUT", FOOS + "/x/status", obj)
        assert said["status"] == {"replicas": 3} and said["spec"]["replicas"] == 1
        assert said["metadata"]["generation"] == 1
        _, scale = await ask("GET", FOOS + "/x/scale")
        assert (scale["spec"]["replicas"], scale["status"]["replicas"]) == (1, 3)
        scale["spec"]["replicas"] = 5
        assert (await ask("PUT", FOOS + "/x/scale", scale))[0] == 200
        _, obj = await ask("GET", FOOS + "/x")
        assert obj["spec"]["replicas"] == 5 and obj["metadata"]["generation"] == 2

    _with(scenario)


def test_a_changed_schema_holds_at_once_and_spares_what_was_there() -> None:
    async def scenario(server: ApiServer, ask: Ask) -> None:
        await ask("POST", DEFINITIONS, RECORDED["base"])
        foo = {"apiVersion": "sec2.example.com/v1", "kind": "Foo", "metadata": {"name": "a"}}
        await ask("POST", FOOS, {**foo, "spec": {"a": "abcd"}})
        await server.house.work.settle()
        path = f"{DEFINITIONS}/foos.sec2.example.com"
        _, now = await ask("GET", path)
        schema = now["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        schema["properties"]["spec"]["properties"]["a"]["maxLength"] = 2
        assert (await ask("PUT", path, now))[0] == 200
        other = {**foo, "metadata": {"name": "b"}, "spec": {"a": "abcd"}}
        assert (await ask("POST", FOOS, other))[0] == 422
        _, stored = await ask("GET", FOOS + "/a")
        stored["metadata"]["labels"] = {"x": "y"}
        assert (await ask("PUT", FOOS + "/a", stored))[0] == 200
        stored["spec"]["a"] = "abcde"
        stored["metadata"].pop("resourceVersion")
        code, said = await ask("PUT", FOOS + "/a", stored)
        assert code == 422 and "must be specified for an update" in said["message"]

    _with(scenario)
