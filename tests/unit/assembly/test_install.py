"""Where nothing is installed, laptops and old clusters among them; which wishes are remembered."""

from __future__ import annotations

import asyncio

import click
import msgspec
import pytest

from athanor.assembly.install import apply, objects, remove, wished
from athanor.assembly.install.manifests import manifests
from athanor.assembly.install.parts import Wishes
from athanor.cli.root import root
from athanor.client.protocol import Client
from athanor.testing import lab, virtual
from athanor.wire import calls
from athanor.wire.request import Request, Response, Stream
from athanor.wire.status import ApiError

WISHES = Wishes(image="athanor:latest")


def test_a_laptop_keeps_its_own_rights_when_somebody_uninstalls() -> None:
    async def main() -> None:
        async with lab.server() as world:
            ours = next(m for m in manifests(WISHES) if m["metadata"]["name"] == "athanor:pods")
            kind = objects.resource_of(ours)
            await world.client(calls.create(kind, ours))
            said: list[str] = []
            with pytest.raises(objects.Refused, match="athanor down"):
                await remove.uninstall(
                    world.client, WISHES, lambda what, _: said.append(what), data=True
                )
            with pytest.raises(objects.Refused, match="athanor up"):
                await apply.plan(world.client, WISHES.namespace, {})
            assert said == []
            await world.client(calls.raw("GET", kind.path(None, "athanor:pods")))

    virtual.run(main)


class Says:
    """A cluster that says its version, and knows nothing else."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.asked: list[str] = []

    async def send(self, request: Request) -> Response:
        self.asked.append(request.path)
        known = {"/version": {"gitVersion": self.version}, "/apis/apps/v1": {}}
        if request.path in known:
            return Response(body=msgspec.json.encode(known[request.path]))
        return ApiError("NotFound", "not here").response()

    async def stream(self, request: Request) -> Stream:
        raise AssertionError(request)

    async def close(self) -> None:
        pass


@pytest.mark.parametrize("version", ["v1.31.0", "v1.34.4-gke.1", "v1.36.3+k3s1", "v2.0.0", "?"])
def test_a_new_enough_kubernetes_is_installed_on(version: str) -> None:
    wishes, steps = asyncio.run(apply.plan(Client(Says(version)), WISHES.namespace, {}))
    assert wishes.namespace == WISHES.namespace
    left = {step.manifest["kind"]: step.left for step in steps if step.left}
    kinds = ("MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding")
    assert left == dict.fromkeys(kinds, "left out: this Kubernetes is older than 1.36")


@pytest.mark.parametrize(
    ("version", "lacking"), [("v1.31.0", 1), ("v1.33.9", 1), ("v1.34.0", 0), ("v1.36.3", 0)]
)
def test_rules_that_an_older_kubernetes_finds_too_dear_are_left_out(
    version: str, lacking: int
) -> None:
    _, steps = asyncio.run(apply.plan(Client(Says(version)), WISHES.namespace, {}))
    lacks = [step.manifest["metadata"]["name"] for step in steps if step.lacks]
    assert lacks == ["queues.athanor.dev"] * lacking
    whole = msgspec.json.encode(manifests(WISHES))
    found = msgspec.json.encode([step.manifest for step in steps])
    for word in (b"x-kubernetes-validations", b"must not exceed limit for any resource"):
        dropped = 2 if word.startswith(b"must") else 1
        assert whole.count(word) - found.count(word) == dropped * lacking


@pytest.mark.parametrize("version", ["v1.30.14", "v1.9.0", "v0.99.0"])
def test_an_older_kubernetes_is_refused_at_once(version: str) -> None:
    says = Says(version)
    with pytest.raises(objects.Refused, match=f"Kubernetes {version}; 1.31 or newer is needed"):
        asyncio.run(apply.plan(Client(says), WISHES.namespace, {}))
    assert says.asked == ["/apis/apps/v1", "/version"]


@pytest.mark.parametrize(
    ("port", "open_"), [(6443, {443, 6443}), (16443, {443, 16443}), (443, {443})]
)
def test_network_policies_let_the_api_server_pass_where_it_listens(
    port: int, open_: set[int]
) -> None:
    policies = [
        made["spec"]["egress"] for made in manifests(Wishes(image="x", api_port=port))
        if made["kind"] == "NetworkPolicy"
    ]  # fmt: skip
    assert len(policies) == 2
    for server, names in policies:
        assert {one["port"] for one in server["ports"]} == open_
        assert {one["port"] for one in names["ports"]} == {53}


def test_a_definition_that_kubernetes_forgot_while_it_was_deleted_is_brought_back_to_mind() -> None:
    """Its finalizer tries again when something of the definition changes, not by itself."""

    async def main() -> None:
        async with lab.server() as world:
            held = next(m for m in manifests(WISHES) if m["kind"] == "CustomResourceDefinition")
            held["metadata"]["finalizers"] = ["example.com/forgetful"]
            kind, name = objects.resource_of(held), held["metadata"]["name"]
            await world.client(calls.create(kind, held))
            failed = {"type": "Terminating", "status": "True", "reason": "InstanceDeletionFailed",
                      "message": "storage is (re)initializing",
                      "lastTransitionTime": "2027-01-01T00:00:00Z"}  # fmt: skip
            told = {"status": {"conditions": [failed]}}
            await world.client(calls.patch(kind, name, None, told, subresource="status"))
            await world.client(calls.delete(kind, name))

            async def forgetful() -> None:
                seen = await world.client(calls.raw("GET", kind.path(None, name)))
                before = seen["metadata"].get("annotations")
                while seen["metadata"].get("annotations") == before:
                    await asyncio.sleep(0.1)
                    seen = await world.client(calls.raw("GET", kind.path(None, name)))
                await world.client(calls.patch(kind, name, None, {"metadata": {"finalizers": []}}))

            async with asyncio.timeout(30), asyncio.TaskGroup() as both:
                both.create_task(forgetful())
                both.create_task(remove.gone(world.client, held))

    virtual.run(main)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--storage", "lots"], "--storage 'lots' is no quantity"),
        (["--storage", "-1Gi"], "write a size above 0"),
        (["--gateway-url", "athanor.example"], "write https://"),
        (["--memory-limit", "0"], "--memory-limit 0: write a size above 0"),
    ],
)
def test_what_the_cluster_would_find_wrong_later_is_refused_at_once(
    words: list[str], said: str
) -> None:
    with pytest.raises(click.UsageError, match=said):
        root(["install", "--dry-run", *words], "athanor", standalone_mode=False)


def test_what_is_remembered_is_what_was_wished_and_what_is_said_wins() -> None:
    wishes = Wishes(image="x:1", namespace="here", version="1.0", replicas=3, rules=True,
                    gateway_url="https://a.example", memory="768Mi")  # fmt: skip
    data = wished.manifest(wishes)["data"]
    assert set(data) == {*Wishes.__struct_fields__} - {"namespace", "version"}
    home = {"namespace": "here", "version": "1.0"}
    assert wished.resolve(home, data) == wishes
    said = {**home, "replicas": 1, "rules": False, "gateway_url": ""}
    changed = wished.resolve(said, {**data, "of_a_newer_version": "1"})
    assert (changed.replicas, changed.rules, changed.gateway_url) == (1, False, "")
    assert (changed.image, changed.memory) == ("x:1", "768Mi")
    assert wished.resolve(home, {}) == Wishes(namespace="here", version="1.0")


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        ({"replicas": "many"}, "configmap/athanor-install .*replicas"),
        ({"memory": "lots"}, "configmap/athanor-install .*'lots' is no quantity"),
        ({"memory": "2Gi"}, "--memory 2Gi is above --memory-limit 1Gi"),
    ],
)
def test_what_somebody_wrote_into_the_memory_is_refused_where_it_is_wrong(
    kept: dict[str, str], said: str
) -> None:
    with pytest.raises(objects.Refused, match=said):
        wished.resolve({}, kept)
