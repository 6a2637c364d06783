"""What stands in for mounts and names where pods have no namespaces."""

from __future__ import annotations

from athanor.local.agent.plan.shared import Translation


def test_paths_and_ranks_are_replaced_and_nothing_else() -> None:
    said = Translation({"/data": "/real/d", "/data/sub": "/real/s", "/same": "/same"}, "mnist")
    for text, wanted in (
        ("/data/x", "/real/d/x"),
        ("/data", "/real/d"),
        ("--in=/data/sub/f:/data", "--in=/real/s/f:/real/d"),
        ("/database /my/data x/data", "/database /my/data x/data"),
        ("/same/x", "/same/x"),
        ("mnist-worker-0.mnist:29500", "127.0.0.1:29500"),
        ("tcp://mnist-worker-12.mnist.team.svc.cluster.local:1", "tcp://127.0.0.1:1"),
        (
            "models.mnist my-mnist-0.mnist mnist-0.mnistx",
            "models.mnist my-mnist-0.mnist mnist-0.mnistx",
        ),
    ):
        assert said.text(text) == wanted
    assert said.values({"A": "/data"}) == {"A": "/real/d"}
    assert said.words(["cat", "/data/x"]) == ["cat", "/real/d/x"]
