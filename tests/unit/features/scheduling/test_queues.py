"""What is wrong with a tree of queues, by the field's name."""

import msgspec
import pytest

from athanor.api.meta import JSON
from athanor.api.scheduling import Queue
from athanor.features.scheduling.queues import problems


def queue(name: str, **spec: object) -> Queue:
    made: JSON = {"metadata": {"name": name}, "spec": spec}
    return msgspec.convert(made, Queue)


def quota(**amounts: JSON) -> list[JSON]:
    return [{"pool": "p", **amounts}]


@pytest.mark.parametrize(
    ("queues", "where", "reason", "word"),
    [
        ([queue("a", parent="a")], "a", "Cycle", "spec.parent"),
        ([queue("a", parent="b"), queue("b", parent="a")], "b", "Cycle", "b → a → b"),
        ([queue("a", parent="z")], "a", "ParentNotFound", "no queue z"),
        ([queue("a", pools=[{"pool": "x"}])], "a", "PoolNotFound", "spec.pools[0].pool"),
        ([queue("a", pools=quota(guaranteed={"cpu": "x"}))], "a", "InvalidQuantity", "'x'"),
        (
            [queue("a", pools=quota(guaranteed={"cpu": 4}, limit={"cpu": "2"}))],
            "a", "InvalidQuota", "guaranteed.cpu is more than spec.pools[0].limit.cpu",
        ),
        (
            [queue("a", pools=quota(guaranteed={"cpu": 1})),
             queue("b", parent="a", pools=quota(guaranteed={"cpu": 2}))],
            "a", "ChildrenOverGuarantee", "spec.pools[0].guaranteed.cpu",
        ),
        (
            [queue("a", pools=[{"pool": "x"}]), queue("b", parent="a", pools=quota())],
            "b", "ParentInvalid", "spec.parent: queue a is not valid: spec.pools[0].pool",
        ),
        (
            [queue("a", pools=quota(guaranteed={"cpu": 3})),
             queue("b", pools=quota(guaranteed={"cpu": "1500m"}))],
            "b", "GuaranteesOverPool", "(a, b) are guaranteed 4.5, more than the 4 of pool p",
        ),
        (
            [queue("a", budget={"gpuHours": "5h"})],
            "a", "InvalidQuantity", "spec.budget.gpuHours",
        ),
    ],
)  # fmt: skip
def test_the_field_is_named(queues: list[Queue], where: str, reason: str, word: str) -> None:
    found = problems(queues, {"p": {"cpu": "4"}})
    assert found[where].reason == reason
    assert word in found[where].message


def test_a_queue_none_of_whose_pools_exist_does_not_get_all_of_them() -> None:
    lost = queue("a", pools=[{"pool": "x", "limit": {"cpu": 1}}])
    some = queue("b", pools=[{"pool": "x", "limit": {"cpu": 1}}, *quota(limit={"cpu": 1})])
    found = problems([lost, some], {"p": {}})
    assert (found["a"].fatal, found["b"].fatal) == (True, False)


def test_sound_trees_have_no_problem() -> None:
    tree = [
        queue("root", pools=quota(guaranteed={"cpu": "8"})),
        queue("a", parent="root", pools=quota(guaranteed={"cpu": "4"}, lendable={"cpu": "2"})),
        queue("b", parent="root", pools=quota(guaranteed={"cpu": "4"}, limit={"cpu": "6"})),
    ]
    assert problems(tree, {"p": {"cpu": "8"}}) == {}
