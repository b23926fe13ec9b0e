"""Does a shard go on exactly behind its checkpoint, inside an aggregated record as well?"""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from kcl_py.aggregation import deaggregate_page
from kcl_py.core.consumer.page import Page
from kcl_py.records import Position, Record
from tests.aggregation.blobs import MAGIC, outer
from tests.aggregation.test_deaggregate import packed

SIZES = st.lists(st.integers(1, 4), min_size=1, max_size=6)


def page_of(sizes: list[int]) -> list[Record]:
    """A page as the service gives it: aggregated records of so many user records; 1: plain."""
    return [
        packed([(b"%d" % sub, "key", None) for sub in range(size)], str(8 + number))
        if size > 1
        else outer(b"plain", str(8 + number))
        for number, size in enumerate(sizes)
    ]


def after(records: Sequence[Record], checkpoint: Position) -> list[Record]:
    """What a consumer is given that goes on behind a checkpoint."""
    page = Page(records, bytes=0)
    return list(page.records[page.index_after(checkpoint) :])


@given(SIZES)
def test_every_checkpoint_leaves_exactly_the_rest(sizes: list[int]) -> None:
    records = list(deaggregate_page(page_of(sizes)).records)

    for count, record in enumerate(records, start=1):
        assert after(records, record.position) == records[count:]


@given(SIZES, st.data())
def test_the_page_may_begin_with_the_record_of_the_checkpoint(
    sizes: list[int], data: st.DataObject
) -> None:
    everything = list(deaggregate_page(page_of(sizes)).records)
    checkpoint = data.draw(st.sampled_from(everything)).position

    read_at = [
        record
        for record in page_of(sizes)
        if record.position >= Position(checkpoint.sequence_number)
    ]
    rest = after(deaggregate_page(read_at).records, checkpoint)

    assert rest == [record for record in everything if record.position > checkpoint]


def test_a_page_behind_the_checkpoint_stays_whole() -> None:
    page = deaggregate_page(page_of([3, 1])).records

    assert after(page, Position("7", 9)) == list(page)


def test_a_checkpoint_behind_everything_leaves_nothing() -> None:
    page = deaggregate_page(page_of([3, 1])).records

    assert after(page, Position("100")) == []
    assert after(page, Position("8", 99)) == list(page)[3:]


def test_positions_compare_as_numbers() -> None:
    page = [outer(b"", "9"), outer(b"", "10"), outer(b"", "11")]

    assert after(page, Position("10")) == page[2:]
    assert after(page, Position("0010")) == page[2:]


@given(st.integers(1, 2))
def test_user_data_that_looks_aggregated_is_no_exception(sub: int) -> None:
    page = deaggregate_page([packed([(MAGIC, "key", None)] * 3, "8")]).records

    assert after(page, Position("8", sub)) == list(page)[sub + 1 :]
