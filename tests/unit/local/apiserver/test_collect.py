"""What happens by itself: owners, namespaces, events."""

from __future__ import annotations

NS = "/api/v1/namespaces/default"


def _owner(obj, **more):
    meta = obj["metadata"]
    return {
        "apiVersion": obj["apiVersion"], "kind": obj["kind"], "name": meta["name"],
        "uid": meta["uid"], **more,
    }  # fmt: skip


def test_dependents_go_with_their_last_owner(play):
    async def story(api):
        one, two = await api.config("one"), await api.config("two")
        await api.config("child", ownerReferences=[_owner(one), _owner(two)])
        await api.delete(f"{NS}/configmaps/one")
        await api.settle()
        child = await api.get(f"{NS}/configmaps/child")
        assert [r["name"] for r in child["metadata"]["ownerReferences"]] == ["two"]
        await api.delete(f"{NS}/configmaps/two")
        await api.settle()
        assert (await api.get(f"{NS}/configmaps/child"))["reason"] == "NotFound"

    play(story)


def test_an_object_whose_owner_never_was_is_deleted(play):
    async def story(api):
        one = await api.config("one")
        await api.config("child", ownerReferences=[{**_owner(one), "uid": "other"}])
        await api.settle()
        assert (await api.get(f"{NS}/configmaps/child"))["code"] == 404

    play(story)


def test_foreground_deletion_waits_for_blocking_dependents(play):
    async def story(api):
        one = await api.config("one")
        references = [_owner(one, blockOwnerDeletion=True)]
        await api.config("child", ownerReferences=references, finalizers=["example.com/wait"])
        gone = await api.delete(f"{NS}/configmaps/one", {"propagationPolicy": "Foreground"})
        assert gone["metadata"]["finalizers"] == ["foregroundDeletion"]
        await api.settle()
        assert (await api.get(f"{NS}/configmaps/one"))["metadata"]["deletionTimestamp"]
        child = await api.get(f"{NS}/configmaps/child")
        assert child["metadata"]["deletionTimestamp"]
        await api.merge(f"{NS}/configmaps/child", {"metadata": {"finalizers": None}})
        await api.settle()
        left = await api.get(f"{NS}/configmaps")
        assert {i["metadata"]["name"] for i in left["items"]} <= {"kube-root-ca.crt"}

    play(story)


def test_orphaned_dependents_stay_without_their_reference(play):
    async def story(api):
        one = await api.config("one")
        await api.config("child", ownerReferences=[_owner(one)])
        await api.delete(f"{NS}/configmaps/one", {"propagationPolicy": "Orphan"})
        await api.settle()
        assert (await api.get(f"{NS}/configmaps/one"))["code"] == 404
        child = await api.get(f"{NS}/configmaps/child")
        assert "ownerReferences" not in child["metadata"]

    play(story)


def test_a_deleted_namespace_is_emptied_and_goes(play):
    async def story(api):
        await api.post("/api/v1/namespaces", {"metadata": {"name": "team"}})
        await api.post(
            "/api/v1/namespaces/team/configmaps",
            {"metadata": {"name": "a", "finalizers": ["example.com/wait"]}},
        )
        gone = await api.delete("/api/v1/namespaces/team")
        assert gone["status"]["phase"] == "Terminating"
        await api.settle()
        refused = await api.post("/api/v1/namespaces/team/configmaps", {"metadata": {"name": "b"}})
        assert refused["details"]["causes"][0]["reason"] == "NamespaceTerminating"
        await api.merge("/api/v1/namespaces/team/configmaps/a", {"metadata": {"finalizers": []}})
        await api.settle()
        assert (await api.get("/api/v1/namespaces/team"))["code"] == 404

    play(story)


def test_events_are_forgotten_after_an_hour(play):
    async def story(api):
        about = {"kind": "Pod", "namespace": "default", "name": "a"}
        await api.post(
            f"{NS}/events",
            {"metadata": {"name": "e"}, "involvedObject": about, "reason": "R", "type": "Normal"},
        )
        api.clock.advance(3599)
        await api.server.house.work._handlers["events"]()
        assert (await api.get(f"{NS}/events/e"))["reason"] == "R"
        api.clock.advance(2)
        await api.server.house.work._handlers["events"]()
        assert (await api.get(f"{NS}/events/e"))["code"] == 404

    play(story)


def test_the_authority_that_pods_trust_is_the_one_that_serves(play):
    async def story(api):
        path = f"{NS}/configmaps/kube-root-ca.crt"
        api.server.core.authority = "of the new place"
        await api.merge(path, {"data": {"ca.crt": "of the backup", "more": "x"}})
        await api.settle()
        assert (await api.get(path))["data"] == {"ca.crt": "of the new place"}

    play(story)
