"""Can a record that is made to hurt take more than its share of time and memory?"""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from kcl_py.aggregation import USER_RECORDS_MAX, deaggregate, pages
from kcl_py.records import Record
from tests.aggregation.blobs import aggregated, number, sized, tag, user_record, varint

KEY = sized(1, b"key")
ONE = user_record(b"d")
BIG = 2_000

HOSTILE: dict[str, Callable[[int], list[bytes]]] = {
    "the smallest user records": lambda n: [KEY, user_record(b"") * n],
    "larger ones": lambda n: [KEY, user_record(b"x" * 200) * n],
    "with explicit hash keys": lambda n: [KEY, sized(2, b"7"), user_record(b"", 0, 0) * n],
    "one huge key": lambda n: [sized(1, b"k" * n * 10), user_record(b"") * n],
    "keys of two letters": lambda n: [sized(1, b"ab") * n, ONE],
    "keys of one letter": lambda n: [sized(1, "\u0100".encode()) * n, ONE],
    "empty keys": lambda n: [sized(1, b"") * n, ONE],
    "keys of all sizes": lambda n: [sized(1, b"k" * (i % 7)) for i in range(n)] + [ONE],
    "keys with the mark inside": lambda n: [sized(1, b"\n\x02") * n, ONE],
    "hash keys": lambda n: [KEY, sized(2, b"7") * n, ONE],
    "keys at the end": lambda n: [user_record(b"", n - 1) * n, sized(1, b"ab") * n],
    "keys in between": lambda n: [KEY, (ONE + sized(1, b"ab")) * n],
    "user records in need of the third loop": lambda n: [
        KEY,
        sized(3, sized(3, b"data") + number(1, 0)) * n,
    ],
    "one of another shape behind each": lambda n: [
        KEY,
        (ONE + sized(3, sized(3, b"") + number(1, 0))) * n,
    ],
    "unknown fields": lambda n: [KEY, number(9, 1) * n, ONE],
    "the longest varints": lambda n: [KEY, number(9, 0, longer=8) * n, ONE],
    "tags": lambda n: [KEY, sized(3, number(1, 0) + sized(3, b"") + tag("k", "v") * n)],
    "data again and again": lambda n: [KEY, sized(3, number(1, 0) + sized(3, b"data") * n)],
    "an index too far, at the end": lambda n: [KEY, ONE * n, user_record(b"", 5)],
    "a cut at the end": lambda n: [KEY, ONE * n, b"\x1a"],
    "sizes that lead past the end": lambda n: [KEY, (b"\x1a" + varint(2**50)) * n],
    "no UTF-8 at the end": lambda n: [KEY, ONE * n, sized(1, b"\xff")],
}
hostile = pytest.mark.parametrize("kind", HOSTILE)


def built(kind: str, count: int) -> Record:
    return aggregated(*HOSTILE[kind](count))


def lines_run(record: Record) -> int:
    """Lines of Python that opening takes; the same on every machine and under every load."""
    lines = 0

    def trace(_frame: FrameType, event: str, _argument: object) -> Any:
        nonlocal lines
        lines += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        deaggregate(record, hash_range=(5, 5))
    finally:
        sys.settrace(before)
    return lines


@hostile
def test_work_is_linear(kind: str) -> None:
    few, many = (built(kind, count) for count in (200, 800))

    lines = lines_run(many)

    assert lines <= 4 * lines_run(few) + 100
    assert lines <= 20 * len(many.data) + 1_000


@hostile
def test_memory_is_linear(kind: str) -> None:
    record = built(kind, BIG)
    tracemalloc.start()
    try:
        deaggregate(record)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak <= 25 * len(record.data) + 20_000


def test_every_honest_record_of_the_service_opens() -> None:
    # A frame, one key of one letter, and user records without data, up to 10 MiB.
    assert (10_485_760 - 20 - 3) // len(user_record(b"")) <= USER_RECORDS_MAX


@pytest.mark.parametrize("kind", ["the smallest user records", "larger ones", "keys in between"])
def test_user_records_are_counted(kind: str) -> None:
    record = built(kind, 50)

    assert len(deaggregate(record, user_records_max=60).records) == 50
    for limit in (1, 49):
        refused = deaggregate(record, user_records_max=limit)
        assert list(refused.records) == [record]
        assert refused.unopened[0].why == "too_many"


@pytest.mark.parametrize(
    "kind", ["keys of two letters", "keys of all sizes", "hash keys", "keys with the mark inside"]
)
def test_keys_are_counted(kind: str) -> None:
    record = built(kind, 50)

    assert deaggregate(record, user_records_max=50).opened_count == 1
    for limit in (1, 49):
        assert deaggregate(record, user_records_max=limit).unopened[0].why == "too_many"


def test_keys_behind_user_records_are_counted() -> None:
    record = aggregated(ONE, sized(1, b"ab") * 50)

    assert deaggregate(record, user_records_max=50).opened_count == 1
    assert deaggregate(record, user_records_max=49).unopened[0].why == "too_many"


def test_the_limit_is_exact() -> None:
    for count in (1, 5):
        for shape in (ONE, user_record(b"x" * 200), sized(3, sized(3, b"") + number(1, 0))):
            record = aggregated(KEY, shape * count)

            assert deaggregate(record, user_records_max=count).opened_count == 1
            assert deaggregate(
                aggregated(KEY, shape * (count + 1)), user_records_max=count
            ).unopened


def test_a_bug_of_the_parser_is_not_taken_for_bad_data(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> list[Record]:
        raise RuntimeError("a bug")

    monkeypatch.setattr(pages, "read_user_records", broken)

    with pytest.raises(RuntimeError, match="a bug"):
        deaggregate(aggregated(KEY, ONE))
