"""What a controller knows: newest wins, indexes follow."""

from __future__ import annotations

from athanor.api.core import Pod
from athanor.api.meta import ObjectMeta, OwnerReference
from athanor.runtime.cache import Cache, Caches, Key, by_label, by_owner


def pod(name: str, revision: int, label: str = "", owner: str = "") -> Pod:
    labels = {"team": label} if label else {}
    owners = [OwnerReference(api_version="v1", kind="K", name="k", uid=owner)] if owner else []
    meta = ObjectMeta(
        name=name, namespace="default", resource_version=str(revision), labels=labels,
        owner_references=owners,
    )  # fmt: skip
    return Pod(metadata=meta)


def names(pods: list[Pod]) -> list[str]:
    return sorted(p.metadata.name for p in pods)


def test_indexes_follow_changes() -> None:
    cache: Cache[Pod] = Cache({"team": by_label("team"), "owner": by_owner})
    cache.upsert(pod("a", 1, "red", owner="u1"))
    cache.upsert(pod("b", 2, "red"))
    assert names(cache.by("team", "default/red")) == ["a", "b"]
    assert names(cache.by("owner", "u1")) == ["a"]
    cache.upsert(pod("a", 3, "blue"))
    assert names(cache.by("team", "default/red")) == ["b"]
    assert names(cache.by("team", "default/blue")) == ["a"]
    assert cache.by("owner", "u1") == []
    cache.remove(pod("a", 4, "blue"))
    assert cache.by("team", "default/blue") == []


def test_answers_to_writes_are_known_ahead_of_the_watch() -> None:
    cache: Cache[Pod] = Cache()
    cache.replace([], "1")
    assert cache.wrote(pod("a", 5)) is not None
    assert cache.upsert(pod("a", 3)) is None  # the watch is behind
    held = cache.get(Key("default", "a"))
    assert held is not None
    assert held.metadata.resource_version == "5"


def test_an_answer_that_the_watch_has_passed_says_nothing() -> None:
    cache: Cache[Pod] = Cache()
    cache.upsert(pod("a", 3))
    cache.remove(pod("a", 9))
    assert cache.wrote(pod("a", 5)) is None
    assert cache.get(Key("default", "a")) is None


def test_a_late_deletion_spares_the_successor() -> None:
    cache: Cache[Pod] = Cache()
    cache.upsert(pod("a", 3))
    cache.wrote(pod("a", 12))
    assert cache.remove(pod("a", 10)) is None
    assert len(cache) == 1


def test_what_a_write_did_not_find_is_forgotten_but_never_its_successor() -> None:
    cache: Cache[Pod] = Cache()
    cache.upsert(pod("a", 3))
    held = cache.get(Key("default", "a"))
    assert held is not None
    assert cache.gone(Key("default", "a"), "another") is None
    assert cache.gone(Key("default", "a"), held.metadata.uid) is not None
    assert cache.gone(Key("default", "a"), held.metadata.uid) is None
    assert len(cache) == 0


def test_replace_says_what_changed() -> None:
    cache: Cache[Pod] = Cache()
    cache.replace([pod("a", 1), pod("b", 2)], "2")
    changes = cache.replace([pod("b", 2), pod("c", 4)], "5")
    told = {c.newest.metadata.name: (c.before is not None, c.after is not None) for c in changes}
    assert told == {"a": (True, False), "c": (False, True)}
    assert cache.synced


def test_replace_keeps_what_was_written_after_the_list() -> None:
    cache: Cache[Pod] = Cache()
    cache.replace([], "5")
    cache.wrote(pod("a", 9))
    cache.replace([], "7")
    assert len(cache) == 1


def test_controllers_share_a_cache_with_all_their_indexes() -> None:
    caches = Caches()
    caches.want(Pod, {"team": by_label("team")})
    caches.want(Pod, {"owner": by_owner})
    assert set(caches.cache(Pod).indexes) == {"team", "owner"}
    assert caches.views() == [Pod]
