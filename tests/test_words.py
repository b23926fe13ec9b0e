"""Is a number of things said as people say it?"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kcl_py._words import counted


@given(st.integers(0, 10**9))
def test_one_is_one_thing_and_any_other_number_is_things(number: int) -> None:
    digits, _, thing = counted(number, "planted bug").partition(" ")

    assert int(digits.replace(",", "")) == number
    assert thing == ("planted bug" if number == 1 else "planted bugs")
