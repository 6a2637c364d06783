"""A node that refuses pods is left alone, longer each time."""

from athanor.api.ends import RankFailure
from athanor.api.meta import ObjectMeta
from athanor.api.scheduling import Gang, GangStatus
from athanor.features.scheduling.distrust import Distrust


def gang(reason: str, evictions: int = 0, *, platform: bool = True, uid: str = "u") -> Gang:
    failure = RankFailure(pod_set="w", rank=0, reason=reason, platform=platform, node="n")
    status = GangStatus(failures=[failure], evictions=evictions)
    return Gang(metadata=ObjectMeta(name="g", uid=uid), status=status)


def test_each_refusal_counts_once_and_the_pause_doubles() -> None:
    distrust = Distrust()
    distrust.learn([gang("OutOfcpu")], 100.0)
    distrust.learn([gang("OutOfcpu")], 130.0)
    assert distrust.until == {"n": 160.0}
    distrust.learn([gang("OutOfcpu", evictions=1)], 200.0)
    assert distrust.until == {"n": 320.0}


def test_a_node_that_loses_all_its_gangs_at_once_is_blamed_once() -> None:
    distrust = Distrust()
    distrust.learn([gang("NodeLost", uid=f"u{i}") for i in range(7)], 100.0)
    distrust.learn([gang("NodeLost", uid=f"u{i}") for i in range(9)], 130.0)
    assert distrust.until == {"n": 160.0}


def test_what_was_well_for_an_hour_is_forgiven() -> None:
    distrust = Distrust()
    distrust.learn([gang("OutOfcpu")], 100.0)
    distrust.learn([gang("OutOfcpu", evictions=1)], 200.0)
    assert distrust.until == {"n": 320.0}
    distrust.learn([gang("OutOfcpu", evictions=2)], 4000.0)
    assert distrust.until == {"n": 4060.0}


def test_the_users_own_faults_speak_against_no_node() -> None:
    distrust = Distrust()
    distrust.learn([gang("Error", platform=False), gang("PodDeleted")], 100.0)
    assert distrust.until == {}
