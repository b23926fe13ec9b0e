"""Which position is just before a record, and which is just behind it? Read from its shard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kcl_py.core.commands import Fetch, Start, StartKind
from kcl_py.core.events import Failure, FetchFailed, PageFetched
from kcl_py.records import Position

if TYPE_CHECKING:
    from kcl_py.aws.stream import StreamReader

PAGES_MAX: Final = 100
WINDOW_SECONDS: Final = 2.0
"""Time before a record in which the one before it is looked for; if there is none, a start at the
arrival of the record leaves out nothing and repeats nothing."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Around one record of a stream, which may hold several user records.

    Attributes:
        before: The last user record before it, if that arrived little earlier.
        arrived_at: When it arrived, unix seconds.
        last: Its last user record.
    """

    before: Position | None
    arrived_at: float
    last: Position


def find_neighbours(
    reader: StreamReader, shard_id: str, sequence_number: str
) -> Neighbours | Failure | None:
    """Look around a record; None: the shard has no such record, or not any more."""
    at = Start(kind=StartKind.AT, sequence_number=sequence_number)
    found = _fetch(reader, shard_id, None, at, 1)
    if isinstance(found, FetchFailed):
        return found.failure
    records = () if found.page is None else found.page.records
    if not records or records[0].sequence_number != sequence_number:
        return None
    arrived_at = records[0].arrival_timestamp
    before = _before(reader, shard_id, Position(sequence_number), arrived_at - WINDOW_SECONDS)
    if isinstance(before, Failure):
        return before
    return Neighbours(before, arrived_at, records[-1].position)


def _before(
    reader: StreamReader, shard_id: str, at: Position, since: float
) -> Position | Failure | None:
    """Read from some time on up to a position; return the last one before it."""
    start = Start(kind=StartKind.AT_TIMESTAMP, timestamp=since)
    iterator: str | None = None
    last: Position | None = None
    for _ in range(PAGES_MAX):
        found = _fetch(reader, shard_id, iterator, start, 10_000)
        if isinstance(found, FetchFailed):
            return found.failure
        for record in () if found.page is None else found.page.records:
            if record.position >= at:
                return last
            last = record.position
        iterator = found.next_iterator
        if iterator is None:
            break
    return last


def _fetch(
    reader: StreamReader, shard_id: str, iterator: str | None, start: Start, most: int
) -> PageFetched | FetchFailed:
    return reader.fetch(
        Fetch(
            fetch_id=0,
            key=shard_id,
            shard_id=shard_id,
            iterator=iterator,
            start=start,
            records_max=most,
        )
    )
