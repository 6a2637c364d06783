"""The protocol of following a collection: every state, every input."""

from __future__ import annotations

from itertools import product
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from athanor.runtime import listwatch
from athanor.runtime.listwatch import (
    TABLE,
    Input,
    List,
    Machine,
    OutOfTurn,
    Read,
    Rest,
    Said,
    State,
    Watch,
    rest,
    start,
    step,
)

STATES: tuple[State, ...] = get_args(State)
INPUTS: tuple[Input, ...] = get_args(Input)


@pytest.mark.parametrize(("state", "what"), list(product(STATES, INPUTS)))
def test_every_state_and_input(state: State, what: Input) -> None:
    machine = Machine(state=state, revision="5", token="t")
    said = Said(input=what, revision="9", token="next")
    if (state, what) not in TABLE:
        with pytest.raises(OutOfTurn, match=state):
            step(machine, said)
        return
    after, command = step(machine, said)
    assert after.state == TABLE[state, what]
    expected = {"listing": List, "rest-then-list": Rest, "rest-then-watch": Rest}
    wanted = expected.get(after.state, Read if state == "watching" else Watch)
    assert isinstance(command, wanted)


def test_a_whole_life() -> None:
    machine, command = start()
    assert command == List()
    machine, command = step(machine, Said(input="page", token="more"))
    assert command == List("more")
    machine, command = step(machine, Said(input="listed", revision="10"))
    assert command == Watch("10")
    machine, _ = step(machine, Said(input="change", revision="11"))
    machine, _ = step(machine, Said(input="bookmark", revision="15"))
    machine, command = step(machine, Said(input="closed"))
    assert isinstance(command, Rest)
    machine, command = step(machine, Said(input="rested"))
    assert command == Watch("15")
    machine, _ = step(machine, Said(input="expired"))
    machine, command = step(machine, Said(input="rested"))
    assert command == List()


def test_a_list_that_fails_starts_over() -> None:
    machine, _ = step(start()[0], Said(input="page", token="more"))
    machine, _ = step(machine, Said(input="failed"))
    _, command = step(machine, Said(input="rested"))
    assert command == List()


def test_rests_double_up_to_a_limit_and_heed_the_server() -> None:
    assert rest(0, 0.0) == listwatch.FIRST_REST
    assert rest(1, 0.0) == 2 * listwatch.FIRST_REST
    assert rest(99, 0.0) == listwatch.LONGEST_REST
    assert rest(0, 0.0, retry_after=7) == 7


def test_good_news_end_the_count_of_failures() -> None:
    machine = Machine(state="watching", revision="1", failures=4)
    after, _ = step(machine, Said(input="bookmark", revision="2"))
    assert after.failures == 0


def test_a_silent_watch_is_resumed_at_once_each_time() -> None:
    machine = Machine(state="watching", revision="1", failures=4)
    for _ in range(9):
        machine, command = step(machine, Said(input="silent"))
        assert command == Rest(listwatch.FIRST_REST)
        machine, command = step(machine, Said(input="rested"))
        assert command == Watch("1")


@given(st.lists(st.sampled_from(INPUTS), max_size=40), st.floats(0, 0.999))
def test_it_never_forgets_where_it_is(inputs: list[Input], jitter: float) -> None:
    machine, _ = start()
    listed = False
    for number, what in enumerate(inputs):
        if (machine.state, what) not in TABLE:
            continue
        said = Said(input=what, revision=str(number), token="t", jitter=jitter)
        machine, command = step(machine, said)
        listed = listed or what == "listed"
        if isinstance(command, Watch):
            assert listed
            assert command.revision == machine.revision != ""
        if isinstance(command, Rest):
            assert 0 < command.seconds <= listwatch.LONGEST_REST
