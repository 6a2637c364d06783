"""Which volumes claims may have, and from where they are reached."""

import pytest

from athanor.api.meta import JSON
from athanor.wire import storage

NODES = {"a": {storage.HOSTNAME: "host-a", "zone": "one", "n": "3"}, "b": {"zone": "two"}}


def claim(name: str, size: str, **spec: JSON) -> JSON:
    usual: JSON = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
    return {"metadata": {"namespace": "n", "name": name, "uid": name}, "spec": {**usual, **spec}}


def volume(name: str, size: str, **spec: JSON) -> JSON:
    usual: JSON = {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": size}}
    return {"metadata": {"name": name}, "spec": {**usual, **spec}, "status": {"phase": "Available"}}


def test_small_claims_choose_first_and_each_has_its_own() -> None:
    large, small = claim("large", "5Gi"), claim("small", "1Gi")
    offered = sorted([volume("x", "9Gi"), volume("y", "2Gi")], key=storage.preference)
    chosen = storage.choose([large, small], offered)
    assert chosen is not None
    assert {key: one["metadata"]["name"] for key, one in chosen.items()} == {
        "n/small": "y", "n/large": "x",
    }  # fmt: skip
    assert storage.choose([large, small, claim("third", "1Gi")], offered) is None


def test_what_a_claim_has_taken_is_its_own() -> None:
    mine, other = claim("mine", "1Gi"), claim("other", "1Gi")
    taken = storage.held(volume("x", "1Gi"), mine)
    assert storage.is_open(mine, taken) and not storage.is_open(other, taken)
    born_again = claim("mine", "1Gi")
    born_again["metadata"]["uid"] = "another"
    assert not storage.is_open(born_again, taken)


@pytest.mark.parametrize(
    ("terms", "reached"),
    [
        ([{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["one"]}]}], "a"),
        ([{"matchExpressions": [{"key": "zone", "operator": "NotIn", "values": ["one"]}]}], "b"),
        ([{"matchExpressions": [{"key": "n", "operator": "Gt", "values": ["2"]}]}], "a"),
        ([{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["b"]}]}], "b"),
        ([{"matchExpressions": [
            {"key": storage.HOSTNAME, "operator": "In", "values": ["host-a", "gone"]},
            {"key": "zone", "operator": "In", "values": ["two"]}]}], ""),
        ([{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["two"]}]},
          {"matchExpressions": [
              {"key": storage.HOSTNAME, "operator": "In", "values": ["host-a"]}]}], "ab"),
        ([{}], ""),
        ([], ""),
    ],
)  # fmt: skip
def test_from_where_a_volume_is_reached(terms: list[JSON], reached: str) -> None:
    affinity = {"required": {"nodeSelectorTerms": terms}}
    ground = storage.Ground(NODES)
    assert ground.reach(volume("x", "1Gi", nodeAffinity=affinity)) == set(reached)
    assert ground.reach(volume("x", "1Gi")) == set(NODES)
