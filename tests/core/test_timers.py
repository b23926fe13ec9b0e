"""Is everything called when it is due, once, and in the right order?"""

from __future__ import annotations

from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from kcl_py.core.timers import Timers


def test_a_fence_goes_before_what_was_due_long_before_it() -> None:
    timers, called = Timers(), []
    timers.at(1.0, ("read",), lambda _now: called.append("read"))
    timers.at(9.0, ("fence",), lambda _now: called.append("fence"), first=True)

    timers.fire(10.0)

    assert called == ["fence", "read"]


def test_setting_a_name_again_moves_it() -> None:
    timers, called = Timers(), []
    timers.at(1.0, ("a",), lambda _now: called.append("old"))
    timers.at(5.0, ("a",), lambda _now: called.append("new"))

    timers.fire(1.0)
    assert called == []
    assert timers.next() == 5.0
    timers.fire(5.0)
    timers.fire(6.0)

    assert called == ["new"]
    assert timers.next() is None


def test_what_is_set_while_firing_waits_for_the_next_time() -> None:
    timers, called = Timers(), []

    def again(now: float) -> None:
        called.append(now)
        timers.at(now, ("a",), again)

    timers.at(1.0, ("a",), again)
    timers.fire(1.0)

    assert called == [1.0]
    assert timers.next() == 1.0


@given(st.lists(st.tuples(st.floats(0, 10), st.integers(0, 5)), max_size=40), st.floats(0, 10))
def test_exactly_what_is_due_is_called_in_order(sets: list[tuple[float, int]], now: float) -> None:
    timers, called = Timers(), []
    newest: dict[int, float] = {}
    for when, name in sets:
        timers.at(when, (str(name),), partial(lambda w, _now: called.append(w), when))
        newest[name] = when

    timers.fire(now)

    assert called == sorted(w for w in newest.values() if w <= now)
    later = [w for w in newest.values() if w > now]
    assert timers.next() == (min(later) if later else None)
