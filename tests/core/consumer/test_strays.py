"""Are dropped user records passed, told, and never in the way of those that are not?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcl_py.config import PollingConfig, WorkerConfig
from kcl_py.core.commands import Start, StartKind
from kcl_py.core.events import FailureKind
from kcl_py.core.leases.rows import Sentinel
from tests.core.consumer.house import AUTO, EXPLICIT, KEY, House, at

RAW = st.lists(st.lists(st.booleans(), min_size=1, max_size=4), min_size=1, max_size=8)
"""Raw records: for each user record, whether it is kept."""


def house_of(raw: list[list[bool]], page_records: int = 10_000) -> House:
    house = House(config=WorkerConfig(reading=PollingConfig(page_records=page_records)))
    for kept in raw:
        house.stream().put_aggregated(*kept)
    house.stream().is_closed = True
    return house


def read_to_the_end(house: House) -> None:
    """Answer every read, and let every batch return."""
    while not house.leases.children:
        house.advance(0.3)
        if KEY in house.fetches:
            house.answer()
        elif house.run().method == "process_records":
            house.returns()


@given(RAW, st.integers(1, 4), st.data())
def test_everything_that_is_kept_comes_once_and_the_shard_ends(
    raw: list[list[bool]], page_records: int, data: st.DataObject
) -> None:
    """From wherever an earlier owner finished, under whichever policy."""
    everything = [at(n, sub) for n, kept in enumerate(raw, 1) for sub in range(len(kept))]
    checkpoint = data.draw(st.none() | st.sampled_from(everything))
    house = house_of(raw, page_records)
    house.begin(checkpoint=checkpoint or Sentinel.TRIM_HORIZON, traits=AUTO)
    house.returns()

    read_to_the_end(house)

    kept = [one.position for group in house.stream().raw for one in group]
    wanted = [position for position in kept if checkpoint is None or position > checkpoint]
    assert house.delivered[KEY] == wanted
    assert house.leases.recorded.get(KEY) == (wanted[-1] if wanted else None)
    assert house.names()["position.trimmed"] == 0
    assert house.consumers.buffered_bytes == 0


@given(RAW, st.integers(1, 4))
def test_they_are_told_once_a_page_and_never_silently(
    raw: list[list[bool]], page_records: int
) -> None:
    house = house_of(raw, page_records)
    house.begin()
    house.returns()

    read_to_the_end(house)

    pages = [raw[first : first + page_records] for first in range(0, len(raw), page_records)]
    dropped = [sum(not kept for one in page for kept in one) for page in pages]
    told = [report for report in house.reports if report.name == "records.stray"]
    assert [report.fields["dropped"] for report in told] == [count for count in dropped if count]
    assert {report.level for report in told} <= {"warning"}


def test_after_pages_that_were_dropped_whole_reading_goes_on_behind_them() -> None:
    house = house_of([[True], [False, False], [False], [True]], page_records=1)
    house.begin()
    house.returns()
    house.answer()
    house.returns()
    for _ in range(2):
        house.advance(0.3)
        house.answer()
    house.advance(0.3)

    house.fail(FailureKind.EXPIRED)
    house.advance(0.3)

    assert house.fetches[KEY].start == Start(kind=StartKind.AFTER, sequence_number="3")


def test_a_shard_that_brings_nothing_but_strays_is_busy() -> None:
    house = house_of([[False]] * 30, page_records=1)
    house.begin()
    house.returns()
    for _ in range(20):
        house.answer()
        house.advance(0.21)

    assert len(house.fetched_at[KEY]) == 21


def test_strays_at_the_end_do_not_keep_an_explicit_processor_from_ending_it() -> None:
    house = house_of([[True, True], [False]])
    house.begin(traits=EXPLICIT)
    house.returns()
    house.answer()
    house.ask(at(1, 1), wait=False)
    house.returns()

    assert house.leases.recorded[KEY] == at(1, 1)
    assert KEY in house.leases.children


def test_the_read_says_what_the_row_and_the_settings_say() -> None:
    house = House(config=WorkerConfig(reading=PollingConfig(strays="drop")))
    house.begin(hash_range=(5, 9))
    house.returns()

    assert (house.fetches[KEY].hash_range, house.fetches[KEY].strays) == ((5, 9), "drop")


@pytest.mark.parametrize(("parents", "told"), [((), None), (("shardId-0",), (5, 9))])
def test_under_deliver_only_children_of_a_resharding_are_told_their_range(
    parents: tuple[str, ...], told: tuple[int, int] | None
) -> None:
    house = House()
    house.begin(hash_range=(5, 9), parents=parents)
    house.returns()

    assert house.fetches[KEY].hash_range == told


def test_without_a_range_nothing_is_a_stray() -> None:
    house = House()
    house.begin()
    house.returns()

    assert house.fetches[KEY].hash_range is None
    assert house.fetches[KEY].strays == "deliver"
