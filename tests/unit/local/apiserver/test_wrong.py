"""Wrong input, from one seed: never a traceback, never a 500, always words about what is wrong."""

from __future__ import annotations

import asyncio
import copy
import random
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from athanor.kit.clock import FixedClock
from athanor.kit.ids import SeededIds
from athanor.local.apiserver.handle import ApiServer
from athanor.local.store.store import Store
from athanor.wire.request import Request, Response, User
from tests.unit.local.apiserver.samples import SAMPLES

ADMIN = User(name="admin", groups=("system:masters", "system:authenticated"))
EVIL: list[Any] = [
    None, True, -1, 2**40, 2**70, 1.5, "", "x" * 300, "A B!", "\x00", "é", [], {}, [None], [[]],
    {"a": None}, [{}], {"": {}}, "2026-99-99T00:00:00Z", "1Gi5", [1, "a"], {"a": {"b": [1]}},
]  # fmt: skip
PER_SAMPLE = 24


class Server:
    """A server over an empty store, to be asked anything."""

    def __init__(self) -> None:
        self.store = Store.open(":memory:")
        self.api = ApiServer(self.store, clock=FixedClock(), ids=SeededIds())

    async def ask(
        self, method: str, path: str, body: bytes = b"", content: str = "application/json",
        **query: str,
    ) -> tuple[int, Any]:  # fmt: skip
        answer = await self.api.handle(
            Request(
                method=method, path=path, query=tuple(query.items()), body=body, peer=ADMIN,
                headers={"content-type": content},
            )
        )  # fmt: skip
        if not isinstance(answer, Response):
            return 200, {}
        is_json = answer.content_type.startswith("application/json") and answer.body
        return answer.status, msgspec.json.decode(answer.body) if is_json else answer.body

    async def close(self) -> None:
        await self.api.close()
        await self.store.close()


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _places(below, (*path, key))
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from _places(below, (*path, index))


def _bent(sample: dict[str, Any], dice: random.Random) -> tuple[tuple[Any, ...], dict[str, Any]]:
    made = copy.deepcopy(sample)
    path = dice.choice(list(_places(made)))
    inner: Any = made
    for step in path[:-1]:
        inner = inner[step]
    if dice.random() < 0.2 and isinstance(inner, dict):
        del inner[path[-1]]
    else:
        inner[path[-1]] = copy.deepcopy(dice.choice(EVIL))
    return path, made


def _problem(code: int, said: Any) -> str:
    if code >= 500 and code != 504:  # 504: a revision of the future, as Kubernetes answers
        return f"{code}: {said}"
    if code >= 400 and not (said if isinstance(said, bytes) else said.get("message")):
        return f"{code} without a word: {said}"
    return ""


def _unnamed(where: tuple[Any, ...], code: int, said: Any) -> str:
    """What is wrong when a refusal does not name the field that was bent, or what holds it."""
    if code < 400 or code in (404, 409, 415) or not isinstance(said, dict):
        return ""
    fields = [cause.get("field", "") for cause in said.get("details", {}).get("causes", [])]
    names = [step.lower() for step in where if isinstance(step, str)][-2:]
    if names in (["apiversion"], ["kind"]):
        names.append("kind")  # in Kubernetes' words, which give the version that was asked for
    if any(name in said["message"].lower() for name in names) or any(fields):
        return ""
    return f"{code} names no field: {said}"


@pytest.mark.parametrize(("number", "path"), [(i, path) for i, (path, _) in enumerate(SAMPLES)])
def test_bent_objects_are_answered_with_words(number: int, path: str) -> None:
    async def main() -> None:
        server, dice = Server(), random.Random(number)
        await server.ask("POST", "/api/v1/namespaces", b'{"metadata": {"name": "default"}}')
        sample, problems = SAMPLES[number][1], []
        code, said = await server.ask("POST", path, msgspec.json.encode(sample), dryRun="All")
        assert code == 201, said
        for _ in range(PER_SAMPLE):
            where, bent = _bent(sample, dice)
            body = msgspec.json.encode(bent)
            try:
                for query in ({"dryRun": "All"}, {"dryRun": "All", "fieldValidation": "Strict"}):
                    code, said = await server.ask("POST", path, body, **query)
                    if found := _problem(code, said) or _unnamed(where, code, said):
                        problems.append((where, found))
            except Exception as crash:
                problems.append((where, f"{body!r}: {crash!r}"))
        await server.close()
        assert problems == []

    asyncio.run(main())


@pytest.mark.parametrize("number", range(len(SAMPLES) - 3))
def test_bent_updates_and_patches_are_answered_with_words(number: int) -> None:
    async def main() -> None:
        server, dice = Server(), random.Random(1000 + number)
        await server.ask("POST", "/api/v1/namespaces", b'{"metadata": {"name": "default"}}')
        path, sample = SAMPLES[number]
        await server.ask("POST", path, msgspec.json.encode(sample))
        name = path + "/" + sample["metadata"]["name"]
        _, stored = await server.ask("GET", name)
        problems = []
        for content in (
            "", "application/merge-patch+json", "application/strategic-merge-patch+json",
            "application/apply-patch+yaml",
        ):  # fmt: skip
            for _ in range(8):
                where, bent = _bent(stored, dice)
                method = "PATCH" if content else "PUT"
                query = {"fieldManager": "m", "force": "true"} if "apply" in content else {}
                if "apply" in content and isinstance(bent.get("metadata"), dict):
                    bent["metadata"].pop("managedFields", None)
                    bent["metadata"].pop("resourceVersion", None)
                body = msgspec.json.encode(bent)
                try:
                    code, said = await server.ask(
                        method, name, body, content or "application/json", dryRun="All", **query
                    )
                    if found := _problem(code, said) or _unnamed(where, code, said):
                        problems.append((content, where, found))
                except Exception as crash:
                    problems.append((content, where, f"{body!r}: {crash!r}"))
        await server.close()
        assert problems == []

    asyncio.run(main())


def _bomb() -> bytes:
    levels = [b"a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [
        b"a%d: &a%d [%s]" % (i, i, b", ".join([b"*a%d" % (i - 1)] * 10)) for i in range(1, 10)
    ]
    return b"\n".join(levels)


PODS = "/api/v1/namespaces/default/pods"
SUBRESOURCES: list[tuple[str, dict[str, Any]]] = [
    (PODS + "/sample/binding", {
        "metadata": {"name": "sample"}, "target": {"kind": "Node", "name": "n"}}),
    (PODS + "/sample/eviction", {
        "metadata": {"name": "sample"},
        "deleteOptions": {"gracePeriodSeconds": 5, "preconditions": {"uid": "x"}}}),
    ("/api/v1/namespaces/default/serviceaccounts/default/token", {
        "spec": {"expirationSeconds": 3600, "audiences": ["a"],
                 "boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "sample"}}}),
]  # fmt: skip
REQUESTS: list[tuple[str, str, bytes, str, dict[str, str]]] = [
    *(
        ("POST", PODS, body, "application/json", {})
        for body in (b"", b"{", b"[]", b"5", b'"x"', b"null", b"\xff\xfe", b"{}" * 2, b"[" * 5000,
                     b'{"a":' * 5000, b'{"kind": 5}', b'{"kind": "Pod", "apiVersion": {}}',
                     b'{"metadata": []}', b'{"metadata": {"name": {}}}', b'{"spec": NaN}',
                     b'{"metadata": {"name": "a", "name": "b"}}')
    ),
    ("POST", PODS, _bomb(), "application/yaml", {}),
    ("POST", PODS, b"a: &a [*a]", "application/yaml", {}),
    ("POST", PODS, b"a: &a {b: *a}", "application/yaml", {}),
    *(
        ("POST", PODS, b"a: [", kind, {})
        for kind in ("application/yaml", "text/plain", "", "application/xml", "nonsense",
                     "application/vnd.kubernetes.protobuf")
    ),
    *(
        ("PATCH", PODS + "/sample", body, kind, {})
        for kind in ("application/json-patch+json", "application/merge-patch+json",
                     "application/strategic-merge-patch+json", "application/apply-patch+yaml",
                     "application/json")
        for body in (b"", b"{", b"5", b"null", b'[{"op": "x"}]', b'[{"op": "add"}]', b"[5]",
                     b'[{"op": "remove", "path": "/nope/x"}]', b'[{"op":"add","path":5}]',
                     b'[{"op": "replace", "path": "", "value": 5}]', b'{"spec": 5}',
                     b'{"metadata": 5}', b'{"metadata": null}', b'{"kind": null}',
                     b'[{"op": "move", "from": "/spec", "path": "/spec/containers"}]',
                     b'{"spec": {"containers": [{"$patch": "x"}]}}',
                     b'{"spec": {"containers": {"a": 1}}}', b'{"$patch": "replace"}',
                     b'{"spec": {"$setElementOrder/containers": 5}}')
    ),
    *(
        ("GET", PODS, b"", "", {key: value})
        for key, value in (
            ("limit", "x"), ("limit", "-1"), ("limit", "9" * 30), ("continue", "nonsense"),
            ("resourceVersion", "x"), ("resourceVersion", "-5"), ("resourceVersion", "9" * 18),
            ("labelSelector", "a in ("), ("labelSelector", "=="), ("labelSelector", "a=b=c"),
            ("fieldSelector", "nope=x"), ("fieldSelector", "="), ("fieldSelector", "metadata.name"),
            ("resourceVersionMatch", "x"), ("resourceVersionMatch", "Exact"),
            ("watch", "maybe"), ("timeoutSeconds", "x"), ("sendInitialEvents", "true"),
        )
    ),
    *(
        ("DELETE", PODS + "/sample", body, "application/json", {"dryRun": "All"})
        for body in (b"{", b"5", b'{"gracePeriodSeconds": "x"}', b'{"preconditions": 5}',
                     b'{"preconditions": {"uid": 5}}', b'{"propagationPolicy": "x"}',
                     b'{"propagationPolicy": 5}', b'{"dryRun": "x"}', b'{"kind": "Pod"}')
    ),
    *(
        (method, path, b"{}", "application/json", query)
        for method, path, query in (
            ("GET", "/api/v1/namespaces/default/nope", {}), ("GET", "/apis/nope/v1/x", {}),
            ("GET", "/api/v2/pods", {}), ("GET", "//", {}), ("GET", "/api/v1/../pods", {}),
            ("GET", "/api/v1/namespaces//pods", {}), ("GET", PODS + "/a%2Fb", {}),
            ("GET", PODS + "/%zz", {}), ("GET", PODS + "/" + "x" * 4000, {}),
            ("BREW", PODS, {}), ("POST", PODS + "/sample", {}), ("PUT", PODS, {}),
            ("PATCH", PODS, {}), ("POST", PODS + "/sample/nope", {}),
            ("GET", PODS + "/sample/log", {"tailLines": "x"}),
            ("GET", PODS + "/sample/log", {"container": "nope"}),
            ("POST", PODS + "/sample/binding", {}), ("POST", PODS + "/sample/eviction", {}),
            ("GET", PODS + "/sample/exec", {}), ("GET", PODS + "/nope/exec", {"command": "x"}),
            ("PUT", "/api/v1/namespaces/default/finalize", {}),
            ("POST", PODS, {"dryRun": "x"}), ("POST", PODS, {"fieldValidation": "x"}),
            ("POST", PODS, {"fieldManager": "x" * 300}), ("POST", "/api/v1/nodes/x/status", {}),
            ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {}),
            ("GET", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {}),
            ("GET", "/openapi/v3/apis/nope/v1", {}), ("GET", "/openapi/v3/\x00", {}),
        )
    ),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(SUBRESOURCES)))
def test_bent_bodies_of_subresources_are_answered_with_words(number: int) -> None:
    async def main() -> None:
        server, dice = Server(), random.Random(2000 + number)
        await server.ask("POST", "/api/v1/namespaces", b'{"metadata": {"name": "default"}}')
        pod = next(s for p, s in SAMPLES if p == PODS)
        path, sample = SUBRESOURCES[number]
        problems = []
        for _ in range(PER_SAMPLE):
            await server.ask("POST", PODS, msgspec.json.encode(pod))
            where, bent = _bent(sample, dice)
            body = msgspec.json.encode(bent)
            try:
                code, said = await server.ask("POST", path, body)
                if found := _problem(code, said) or _unnamed(where, code, said):
                    problems.append((where, found))
            except Exception as crash:
                problems.append((where, f"{body!r}: {crash!r}"))
        await server.close()
        assert problems == []

    asyncio.run(main())


@pytest.mark.parametrize("start", range(0, len(REQUESTS), 20))
def test_bent_requests_are_answered_with_words(start: int) -> None:
    async def main() -> None:
        server = Server()
        await server.ask("POST", "/api/v1/namespaces", b'{"metadata": {"name": "default"}}')
        sample = next(s for p, s in SAMPLES if p == PODS)
        assert (await server.ask("POST", PODS, msgspec.json.encode(sample)))[0] == 201
        problems = []
        for method, path, body, content, query in REQUESTS[start : start + 20]:
            try:
                code, said = await server.ask(method, path, body, content, **query)
                option = tuple(query)[:1] if method == "GET" and code == 400 else ()
                if found := _problem(code, said) or (option and _unnamed(option, code, said)):
                    problems.append((method, path, body[:60], content, query, found))
            except Exception as crash:
                problems.append((method, path, body[:60], content, query, repr(crash)))
        await server.close()
        assert problems == []

    asyncio.run(main())
