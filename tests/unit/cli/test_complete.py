"""What a shell is told when Tab is pressed."""

from __future__ import annotations

from typing import cast

import pytest
from click.shell_completion import ShellComplete

from athanor.api.meta import JSON
from athanor.api.registry import Resource
from athanor.cli.failures import Failure
from athanor.cli.root import root
from athanor.cli.world import World
from athanor.sdk.client import Client

THERE = {"trainingjobs": ["digits", "dim", "words"], "queues": ["default", "team"]}


class Lister:
    """As much of a client as completion asks for."""

    def __init__(self, world: World) -> None:
        self.world = world

    def list(self, kind: Resource) -> JSON:
        """The names of a kind; of the namespace `empty` none."""
        if self.world.namespace == "down":
            raise Failure("nobody answers")
        return {"items": [{"metadata": {"name": name}} for name in THERE.get(kind.plural, [])]}


def connect(world: World) -> Client:
    return cast("Client", Lister(world))


@pytest.mark.parametrize(
    ("words", "begin", "said"),
    [
        (["logs"], "di", ["digits", "dim"]),
        (["logs", "-n", "down"], "", []),
        (["--namespace", "down", "logs"], "", []),
        (["suspend", "digits"], "w", ["words"]),
        (["move", "digits"], "", ["default", "team"]),
        (["submit", "jax", "--queue"], "t", ["team"]),
        (["queue"], "ho", ["hold"]),
        (["queue", "hold"], "", ["default", "team"]),
        (["queue", "create"], "", []),
        (["get"], "trai", ["trainingjobs"]),
        (["get", "queue"], "d", ["default"]),
        (["get", "nonsense"], "", []),
    ],
)
def test_names_are_completed(words: list[str], begin: str, said: list[str]) -> None:
    shell = ShellComplete(root, {"obj": World(connect)}, "athanor", "_ATHANOR_COMPLETE")
    assert [item.value for item in shell.get_completions(words, begin)] == said


@pytest.mark.parametrize(
    "verb", ["logs", "why", "wait", "exec", "attach", "resize", "restart", "clone", "delete"]
)
def test_verbs_of_jobs_complete_their_names(verb: str) -> None:
    shell = ShellComplete(root, {"obj": World(connect)}, "athanor", "_ATHANOR_COMPLETE")
    assert [item.value for item in shell.get_completions([verb], "wo")] == ["words"]
