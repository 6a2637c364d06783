"""What the scenarios do not reach: races, streams to nodes, other encodings, restarts."""

from __future__ import annotations

import asyncio

import msgspec

from athanor.kit.clock import FixedClock
from athanor.kit.ids import SeededIds
from athanor.local.apiserver.handle import ApiServer
from athanor.local.store.store import Store
from athanor.wire.request import Forward, Request

NS = "/api/v1/namespaces/default"


def test_two_creations_never_share_the_last_place_of_a_quota(play):
    async def story(api):
        await api.post(
            f"{NS}/resourcequotas",
            {"metadata": {"name": "q"}, "spec": {"hard": {"pods": "3"}}},
        )
        await api.settle()
        made = await asyncio.gather(*(api.pod(f"p{i}") for i in range(10)))
        assert sorted(m["kind"] for m in made) == ["Pod"] * 3 + ["Status"] * 7
        for pod in [m["metadata"]["name"] for m in made if m["kind"] == "Pod"]:
            await api.delete(f"{NS}/pods/{pod}?gracePeriodSeconds=0")
        await api.settle()
        quota = await api.get(f"{NS}/resourcequotas/q")
        assert quota["status"]["used"] == {"pods": "0"}

    play(story)


def test_generated_names_are_tried_again_when_taken(play):
    async def story(api):
        class Twice(SeededIds):
            left = 3

            def suffix(self) -> str:
                self.left -= 1
                return "taken" if self.left > 0 else super().suffix()

        await api.config("gen-taken")
        api.server.core.ids = Twice(3)
        body = {"metadata": {"generateName": "gen-"}}
        made = await api.post(f"{NS}/configmaps", body)
        assert (
            made["metadata"]["name"].startswith("gen-") and "taken" not in made["metadata"]["name"]
        )

    play(story)


def test_logs_and_exec_go_to_the_node_of_the_pod(play):
    async def story(api):
        await api.pod("a")
        status = {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 1234}},
        }
        missing = await api.get(f"{NS}/pods/a/log")
        assert missing["message"] == 'nodes "n1" not found'
        await api.post("/api/v1/nodes", {"metadata": {"name": "n1"}, "status": status})
        log = await api.ask("GET", f"{NS}/pods/a/log?follow=true&tailLines=5&container=c")
        assert isinstance(log, Forward)
        assert log.url == (
            "https://127.0.0.1:1234/containerLogs/default/a/c?follow=true&tailLines=5"
        )
        run = await api.ask("POST", f"{NS}/pods/a/exec?command=ls&command=-l&stdout=true&tty=true")
        assert isinstance(run, Forward)
        assert run.url.endswith("/exec/default/a/c?command=ls&command=-l&output=1&tty=1")
        ports = await api.ask("POST", f"{NS}/pods/a/portforward?ports=80")
        assert isinstance(ports, Forward)
        assert ports.url.endswith("/portForward/default/a?ports=80")

    play(story)


def test_yaml_answers_and_too_large_bodies(play):
    async def story(api):
        await api.config("a")
        shown = await api.ask("GET", f"{NS}/configmaps/a", accept="application/yaml")
        assert shown.content_type == "application/yaml" and b"\n  a: '1'\n" in shown.body
        big = {"metadata": {"name": "b"}, "data": {"k": "x" * (4 << 20)}}
        assert (await api.post(f"{NS}/configmaps", big))["reason"] == "RequestEntityTooLarge"

    play(story)


def test_what_was_left_undone_is_done_after_a_restart():
    async def main() -> None:
        store = Store.open(":memory:")
        clock = FixedClock()
        first = ApiServer(store, clock=clock, ids=SeededIds(1))
        api = _Small(first)
        await api("POST", "/api/v1/namespaces", {"metadata": {"name": "default"}})
        await api("POST", "/api/v1/namespaces", {"metadata": {"name": "team"}})
        owner = await api("POST", f"{NS}/configmaps", {"metadata": {"name": "owner"}})
        reference = {
            "apiVersion": "v1", "kind": "ConfigMap", "name": "owner",
            "uid": owner["metadata"]["uid"],
        }  # fmt: skip
        child = {"metadata": {"name": "child", "ownerReferences": [reference]}}
        await api("POST", f"{NS}/configmaps", child)
        await first.close()  # from here on nothing happens by itself
        await api("DELETE", f"{NS}/configmaps/owner")
        await api("DELETE", "/api/v1/namespaces/team")
        second = ApiServer(store, clock=clock, ids=SeededIds(2))
        api = _Small(second)
        assert (await api("GET", f"{NS}/configmaps/child"))["metadata"]["name"] == "child"
        await second.house.work.settle(hurry=("namespace",))
        assert (await api("GET", f"{NS}/configmaps/child"))["code"] == 404
        assert (await api("GET", "/api/v1/namespaces/team"))["code"] == 404
        await second.close()
        await store.close()

    asyncio.run(main())


class _Small:
    def __init__(self, server: ApiServer) -> None:
        self._server = server

    async def __call__(self, method: str, path: str, body: object = None):
        from_here = {"content-type": "application/json"}
        raw = msgspec.json.encode(body) if body is not None else b""
        request = Request(method=method, path=path, body=raw, headers=from_here)
        return msgspec.json.decode((await self._server.handle(request)).body)


def test_claims_get_the_newest_default_class_unless_they_want_none(play):
    async def story(api):
        for name, default in (("old", "true"), ("new", "true"), ("other", "false")):
            notes = {"storageclass.kubernetes.io/is-default-class": default}
            await api.post(
                "/apis/storage.k8s.io/v1/storageclasses",
                {"metadata": {"name": name, "annotations": notes}, "provisioner": "p"},
            )
            api.clock.advance(2)
        found = []
        for name, wish in (("a", {}), ("b", {"storageClassName": ""})):
            spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1"}}}
            claim = {"metadata": {"name": name}, "spec": spec | wish}
            made = await api.post(f"{NS}/persistentvolumeclaims", claim)
            found.append(made["spec"]["storageClassName"])
        assert found == ["new", ""]

    play(story)
