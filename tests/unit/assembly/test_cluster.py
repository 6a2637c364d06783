"""What runs on a cluster beside Kubernetes' own controllers."""

from athanor.assembly.cluster import LAPTOP_ONLY
from athanor.assembly.controllers import all_controllers


def test_what_a_cluster_has_itself_is_named_as_the_controllers_are() -> None:
    assert {one.name for one in all_controllers()} >= LAPTOP_ONLY
