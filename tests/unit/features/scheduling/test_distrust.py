"""A node that refuses pods is left alone, longer each time."""

from athanor.api.ends import RankFailure
from athanor.api.meta import ObjectMeta
from athanor.api.scheduling import Gang, GangStatus
from athanor.features.scheduling.distrust import Distrust


def gang(reason: str, evictions: int = 0, *, platform: bool = True) -> Gang:
    failure = RankFailure(pod_set="w", rank=0, reason=reason, platform=platform, node="n")
    status = GangStatus(failures=[failure], evictions=evictions)
    return Gang(metadata=ObjectMeta(name="g", uid="u"), status=status)


def test_each_refusal_counts_once_and_the_pause_doubles() -> None:
    distrust = Distrust()
    distrust.learn([gang("OutOfcpu")], 100.0)
    distrust.learn([gang("OutOfcpu")], 130.0)
    assert distrust.until == {"n": 160.0}
    distrust.learn([gang("OutOfcpu", evictions=1)], 200.0)
    assert distrust.until == {"n": 320.0}


def test_the_users_own_faults_speak_against_no_node() -> None:
    distrust = Distrust()
    distrust.learn([gang("Error", platform=False), gang("PodDeleted")], 100.0)
    assert distrust.until == {}
