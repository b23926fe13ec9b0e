"""Do reads know which user records belong to another shard, and what becomes of them?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kcl_py.aggregation import Aggregate
from kcl_py.core.events import PageFetched
from kcl_py.records import Position
from tests.aws.test_stream import PAGE, fetch, scripted, wire_record
from tests.aws.wire import Canned


def strays_page(*hash_keys: str) -> dict[str, Any]:
    """A record, and an aggregated one of user records with these hash keys."""
    packed = Aggregate(size_bytes_max=1_000)
    for one in hash_keys:
        assert packed.add(one.encode(), "key", one)
    return {**PAGE, "Records": [wire_record(5), wire_record(6, packed.encode())]}


def test_user_records_of_another_shard_are_told_and_delivered() -> None:
    reader, _ = scripted(Canned(strays_page("10", "9", "20", "21")))

    page = reader.fetch(replace(fetch(), hash_range=(10, 20)))

    assert isinstance(page, PageFetched)
    assert page.page is not None
    assert [r.data for r in page.page.records] == [b"x", b"10", b"9", b"20", b"21"]
    assert (page.stray_count, page.dropped_count, page.first_stray) == (2, 0, Position("6", 1))


def test_user_records_of_another_shard_are_dropped_if_the_read_says_so() -> None:
    reader, _ = scripted(Canned(strays_page("10", "9", "20")))

    page = reader.fetch(replace(fetch(), hash_range=(10, 20), strays="drop"))

    assert isinstance(page, PageFetched)
    assert page.page is not None
    assert [str(r.position) for r in page.page.records] == ["5/0", "6/0", "6/2"]
    assert (page.stray_count, page.dropped_count, page.span) == (1, 1, ("5", "6"))


def test_of_a_page_that_was_dropped_whole_the_span_is_left() -> None:
    said = strays_page("1", "2")
    reader, _ = scripted(Canned({**said, "Records": said["Records"][1:]}))

    page = reader.fetch(replace(fetch(), hash_range=(10, 20), strays="drop"))

    assert isinstance(page, PageFetched)
    assert (page.page, page.span, page.dropped_count) == (None, ("6", "6"), 2)
    assert page.next_iterator == "it-2"


def test_without_a_range_nothing_is_counted_or_dropped() -> None:
    reader, _ = scripted(Canned(strays_page("1", "2")))

    page = reader.fetch(replace(fetch(), strays="drop"))

    assert isinstance(page, PageFetched)
    assert page.page is not None
    assert page.page.count == 3
    assert (page.stray_count, page.first_stray) == (0, None)
