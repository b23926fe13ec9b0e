"""How is one shard read on, without gap or repetition, whatever goes wrong?"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import dropwhile
from typing import TYPE_CHECKING, Final

from kcl_py.core.commands import Fetch, Start, StartKind
from kcl_py.core.consumer.pacing import Pacing
from kcl_py.core.events import Failure, FailureKind, FetchFailed, PageFetched
from kcl_py.streams.start import Entry

if TYPE_CHECKING:
    from random import Random

    from kcl_py.config import PollingConfig
    from kcl_py.records import Position, Record

PATIENCE_SECONDS: Final = 300.0
"""How long reads of a shard may fail, one after another, before that is told."""

_READS_RECORDS: Final = "kinesis:GetRecords"
_HOPELESS: Final = frozenset({FailureKind.DENIED, FailureKind.INVALID})


class Feed:
    """The reading of one shard. One read at a time.

    Attributes:
        is_caught_up: At the newest record, once.
        has_ended: Nothing follows in this shard.
        trouble: Why the last read brought nothing.
        answered_at: The clock reading of the last answer that was none of trouble.
        trimmed: A sequence number that was asked for and is not kept any more, and the one that
            came in its place.
    """

    def __init__(
        self, shard_id: str, entry: Entry, config: PollingConfig, rng: Random, *, is_closed: bool
    ) -> None:
        self.shard_id = shard_id
        self.is_caught_up = False
        self._is_closed = is_closed
        self.has_ended = False
        self.trouble: Failure | None = None
        self.trimmed: tuple[str, str] | None = None
        self._entry = entry
        self._start = entry.start
        self._iterator = entry.iterator
        self._pacing = Pacing(config, rng)
        self.answered_at: float | None = None
        self._failing_since: float | None = None

    @property
    def next_at(self) -> float:
        """The clock reading from which the next read may be sent."""
        return self._pacing.next_at

    def read(self, now: float, fetch_id: int, records_max: int) -> Fetch:
        """The next read, which is sent now."""
        self._pacing.called(now)
        return Fetch(
            fetch_id=fetch_id,
            key=self.shard_id,
            shard_id=self.shard_id,
            iterator=self._iterator,
            start=self._start,
            records_max=records_max,
        )

    def arrived(self, now: float, answer: PageFetched) -> Sequence[Record]:
        """Take an answer in; return the records of it that were asked for."""
        self._pacing.answered(answer.bytes_read, answer.lag, has_records=answer.page is not None)
        self.answered_at, self.trouble, self._failing_since = now, None, None
        self._iterator = answer.next_iterator
        self.has_ended = answer.next_iterator is None
        # The newest record of a closed shard is not yet its end, and its children may hold more.
        self.is_caught_up = self.is_caught_up or (answer.lag <= 0 and not self._is_closed)
        span = answer.span
        if span is None:
            return ()
        asked = self._start.sequence_number
        if self._start.kind is StartKind.AT and asked is not None and span[0] != asked:
            self.trimmed = asked, span[0]
        self._start = Start(kind=StartKind.AFTER, sequence_number=span[1])
        return self._asked_for(answer)

    def failed(self, now: float, answer: FetchFailed) -> bool:
        """Note that a read brought nothing; say whether another one may help."""
        failure = answer.failure
        kind = failure.kind
        if kind is FailureKind.EXPIRED or self._refuses_iterator(failure):
            kind, self._iterator = FailureKind.EXPIRED, None
        else:
            self.trouble = failure
        if self._failing_since is None:
            self._failing_since = now
        self._pacing.failed(now, kind)
        return kind not in _HOPELESS and now - self._failing_since < PATIENCE_SECONDS

    def _refuses_iterator(self, failure: Failure) -> bool:
        """What the service gave us is no more: it may have been restored, or another one."""
        is_iterator = failure.action == _READS_RECORDS and self._iterator is not None
        return failure.kind is FailureKind.INVALID and is_iterator

    def _asked_for(self, answer: PageFetched) -> Sequence[Record]:
        records: Sequence[Record] = () if answer.page is None else answer.page.records
        skip = self._entry.skip
        if skip is None or skip.sequence_number in {u.sequence_number for u in answer.unopened}:
            # What cannot be opened comes whole: its rest is nowhere else.
            return records
        return tuple(dropwhile(lambda record: self._is_before(record.position, skip), records))

    def _is_before(self, position: Position, skip: Position) -> bool:
        return position <= skip if self._entry.skips_itself else position < skip
