"""Are exactly the poison records found, in bounded time, and does all else stay in order?"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil, log2

from hypothesis import given
from hypothesis import strategies as st

from kcl_py.config import OnError
from kcl_py.core.consumer.bisection import OF_THE_WHOLE, Bisection
from kcl_py.core.consumer.budget import Budget
from kcl_py.core.consumer.buffer import Buffer, Slice
from kcl_py.core.consumer.given_up import GivenUp
from kcl_py.core.consumer.page import Page
from kcl_py.records import Position
from tests.core.consumer.house import at, number_of, record

A = 3
"""Attempts of the policy."""


def page(first: int, last: int) -> Page:
    return Page([record(number) for number in range(first, last + 1)], 0)


def slice_of(first: int, last: int) -> Slice:
    whole = page(first, last)
    return Slice(page=whole, start=0, stop=whole.count, lag=0.0, is_last=True)


@dataclass
class Shard:
    """Records 1 to n in pages, a processor to which some are poison, and a sink that works.

    Attributes:
        hiccups: Of one try after the other: whether it fails whatever is in it, as in an outage.
            No record fails so often by itself as the policy allows, unless it is poison.
        names: The processor names the record that fails.
    """

    count: int
    poison: set[int]
    hiccups: list[bool] = field(default_factory=list)
    page_records: int = 10_000
    batch_records: int = 10_000
    names: bool = False
    may_retry: bool = True
    done: list[int] = field(default_factory=list)
    given_up: list[int] = field(default_factory=list)
    tries: int = 0
    hiccup_count: int = 0

    def run(self) -> Shard:
        """Process it to its end."""
        policy = OnError(attempts=A, then="skip")
        bisection, buffer = Bisection(policy), Buffer(Budget(1 << 40))
        for first in range(1, self.count + 1, self.page_records):
            buffer.put(page(first, min(self.count, first + self.page_records - 1)), 0, 0.0)
        failures = alone = 0
        while (part := buffer.next_slice(self.batch_records)) is not None:
            part = part.first(bisection.most(part))
            self.tries += 1
            assert self.tries < 10_000, "it never ends"
            records = [number_of(one.position) for one in part.page.records[part.start : part.stop]]
            failed_at = self._try(records, may_hiccup=len(records) > 1 or alone < A - 1)
            alone = alone + 1 if failed_at is not None and len(records) == 1 else 0
            if failed_at is None:
                self._finish(buffer, bisection, part.last)
                failures = 0
                continue
            named = self.names and failed_at > 0
            if named and failed_at > records[0]:
                self._finish(buffer, bisection, at(failed_at - 1))
                failures = 0
            failures += 1
            blame = bisection.failed(
                part.behind(at(failed_at - 1)) if named else part,
                named=at(failed_at) if named else None,
                may_retry=self.may_retry,
                is_exhausted=failures >= A or not self.may_retry,
                is_auto=True,
            )
            if blame.position is not None:
                self.given_up.append(number_of(blame.position))
                bisection.gave_up()
                buffer.advance(blame.position)
                failures = alone = 0
        assert not bisection.is_narrowing
        return self

    def _try(self, records: list[int], *, may_hiccup: bool) -> int | None:
        """Return the record that fails, 0 for none in particular; None: all is well."""
        if self.hiccups and self.hiccups.pop(0) and may_hiccup:
            self.hiccup_count += 1
            return 0
        for number in records:
            behind = {*self.done, *self.given_up}
            assert number == 1 or number - 1 in behind, f"{number} before {number - 1}"
            if number in self.poison:
                return number
            self.done.append(number)
        return None

    def _finish(self, buffer: Buffer, bisection: Bisection, position: Position) -> None:
        buffer.advance(position)
        bisection.reached(position)


COUNTS = st.integers(1, 40)
POISON = st.sets(st.integers(1, 40), max_size=12)
HICCUPS = st.lists(st.booleans(), max_size=60)
SIZES = st.sampled_from([1, 2, 3, 7, 10_000])


@given(
    count=COUNTS,
    poison=POISON,
    hiccups=HICCUPS,
    sizes=st.tuples(SIZES, SIZES),
    names=st.booleans(),
)
def test_exactly_the_poison_is_given_up_and_all_else_is_processed_in_order(
    count: int, poison: set[int], hiccups: list[bool], sizes: tuple[int, int], *, names: bool
) -> None:
    poison = {number for number in poison if number <= count}

    shard = Shard(count, poison, hiccups, *sizes, names=names).run()

    assert shard.given_up == sorted(poison)
    assert set(shard.done) == set(range(1, count + 1)) - poison
    assert list(dict.fromkeys(shard.done)) == sorted(set(shard.done)), "first times are in order"


@given(st.integers(1, 300), st.sets(st.integers(1, 300), max_size=8))
def test_the_number_of_tries_is_bounded(count: int, poison: set[int]) -> None:
    poison = {number for number in poison if number <= count}

    shard = Shard(count, poison).run()

    assert shard.tries <= len(poison) * (2 * A + ceil(log2(count))) + 1


@given(COUNTS, POISON, HICCUPS)
def test_an_outage_costs_a_bounded_number_of_tries(
    count: int, poison: set[int], hiccups: list[bool]
) -> None:
    poison = {number for number in poison if number <= count}

    shard = Shard(count, poison, hiccups).run()

    troubles = len(poison) + shard.hiccup_count
    assert shard.tries <= (troubles + 1) * (2 * A + 2 * ceil(log2(count)) + 1)


@given(st.integers(2, 300), st.sets(st.integers(1, 300), min_size=1, max_size=8))
def test_what_no_retry_can_mend_is_halved_at_once(count: int, poison: set[int]) -> None:
    poison = {number for number in poison if number <= count}

    shard = Shard(count, poison, may_retry=False).run()

    assert shard.given_up == sorted(poison)
    assert shard.tries <= len(poison) * (2 + ceil(log2(count))) + 1


def test_one_among_ten_thousand_takes_twenty_tries_of_three_attempts() -> None:
    shard = Shard(10_000, {7_777}).run()

    assert shard.given_up == [7_777]
    assert shard.tries <= 3 + 14 + 3 + 1


def test_other_policies_never_blame_a_record() -> None:
    for then in ("retry", "pause"):
        bisection = Bisection(OnError(attempts=1, then=then))
        for named in (None, at(1)):
            blame = bisection.failed(
                slice_of(1, 3), named=named, may_retry=False, is_exhausted=True, is_auto=True
            )
            assert blame is OF_THE_WHOLE
        assert not bisection.is_narrowing


def test_an_explicit_processor_is_never_given_parts_and_only_a_named_record_is_to_blame() -> None:
    bisection = Bisection(OnError(attempts=1, then="skip"))

    blame = bisection.failed(
        slice_of(1, 3), named=None, may_retry=False, is_exhausted=True, is_auto=False
    )
    named = bisection.failed(
        slice_of(1, 3), named=at(2), may_retry=True, is_exhausted=False, is_auto=False
    )

    assert blame is OF_THE_WHOLE
    assert bisection.most(slice_of(1, 3)) == 3
    assert named.position == at(2)


def test_a_record_counts_for_itself_and_not_for_another() -> None:
    bisection = Bisection(OnError(attempts=2, then="skip"))
    said = [
        bisection.failed(
            slice_of(1, 9), named=at(place), may_retry=True, is_exhausted=True, is_auto=True
        ).position
        for place in (1, 2, 1, 1)
    ]

    assert said == [None, None, None, at(1)]


# ------------------------------------------------------------------------------- passing over


@given(
    st.integers(1, 12),
    st.sets(st.integers(1, 12)),
    st.lists(st.integers(1, 12), max_size=6),
)
def test_the_checkpoint_passes_given_up_records_once_all_before_them_is_finished(
    count: int, given_up: set[int], checkpoints: list[int]
) -> None:
    given_up = {number for number in given_up if number <= count}
    passed_over = GivenUp()
    for number in given_up:
        passed_over.add(at(number))
        passed_over.learn(at(number), at(number - 1) if number > 1 else None)
    finished: Position | None = None
    for number in (0, *checkpoints):
        if 0 < number <= count and number not in given_up:
            finished = max(finished or at(number), at(number))
        beyond = passed_over.beyond(finished)
        wanted = number_of(finished)
        while wanted + 1 in given_up:
            wanted += 1
        assert number_of(beyond or finished) == wanted
        finished = beyond or finished


def test_a_record_of_which_the_place_is_not_known_yet_is_not_passed() -> None:
    given_up = GivenUp()
    given_up.add(at(5))

    assert given_up.beyond(at(4)) is None
    assert given_up.beyond(None) is None
