"""Is the state table whole, and does its picture say the same?"""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcl_py.core.consumer.states import (
    SHOWN,
    TABLE,
    ImpossibleSignal,
    Signal,
    State,
    draw,
    next_state,
)
from kcl_py.status import ShardState

PICTURE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "consumer-states.md"


@given(st.sampled_from(State), st.sampled_from(Signal))
def test_what_the_table_does_not_list_raises(state: State, signal: Signal) -> None:
    if (state, signal) in TABLE:
        assert next_state(state, signal) is TABLE[state, signal]
    else:
        with pytest.raises(ImpossibleSignal, match=f"{state}.*{signal}"):
            next_state(state, signal)


def test_every_state_can_be_reached() -> None:
    reached = {State.WAITING}
    for _ in State:
        reached |= {after for (before, _), after in TABLE.items() if before in reached}

    assert reached == set(State)


def test_every_signal_and_every_state_is_used() -> None:
    assert {signal for _, signal in TABLE} == set(Signal)
    assert {before for before, _ in TABLE} == set(State) - {State.ENDED}


def test_every_state_can_end() -> None:
    ends = {State.ENDED}
    for _ in State:
        ends |= {before for (before, _), after in TABLE.items() if after in ends}

    assert ends == set(State)


def test_a_lost_lease_never_comes_back() -> None:
    assert {after for (before, _), after in TABLE.items() if before is State.LOST} == {State.ENDED}


def test_status_knows_every_state() -> None:
    assert set(SHOWN) == set(State)
    assert set(SHOWN.values()) == set(get_args(ShardState))


def test_the_picture_in_the_documentation_is_drawn_from_the_table() -> None:
    assert draw() in PICTURE.read_text(encoding="utf-8")


def test_the_documentation_explains_every_state() -> None:
    text = PICTURE.read_text(encoding="utf-8")

    assert [state for state in State if f"| `{state}` |" not in text] == []
