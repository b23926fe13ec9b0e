"""How is a shard read from a place on, without gap or repetition? One read at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kcl_py.core.commands import Fetch, Start, StartKind
from kcl_py.core.consumer.counting import tally_read
from kcl_py.core.consumer.page import Page
from kcl_py.core.consumer.progress import later
from kcl_py.core.consumer.tools import timer_name
from kcl_py.core.events import FailureKind, FetchFailed, PageFetched
from kcl_py.core.leases.rows import Sentinel
from kcl_py.records import Position, Record

if TYPE_CHECKING:
    from collections.abc import Callable

    from kcl_py.aggregation import Unopened
    from kcl_py.core.consumer.buffer import Buffer
    from kcl_py.core.consumer.pacing import Pacing
    from kcl_py.core.consumer.tools import Tools
    from kcl_py.core.leases.rows import LeaseRow
    from kcl_py.core.shards.graph import Shard

PAGES_MAX: Final = 3
"""Of a shard that is behind: the page that is being delivered, and two ahead."""

_READS_RECORDS: Final = "kinesis:GetRecords"
"""This call never names a position; a refusal is not about one."""

_NEEDS_SOMEBODY: Final = frozenset({FailureKind.DENIED, FailureKind.GONE, FailureKind.INVALID})


@dataclass(frozen=True, slots=True)
class Place:
    """Where reading begins: at `start`, without the records up to `skip`."""

    start: Start
    skip: Position | None


def place_of(row: LeaseRow, after: Position | None) -> Place:
    """Return where to read on behind `after`, or where the row says that the shard begins.

    A position is read *at*, not after: the same Kinesis record may hold more user records behind
    it. That record coming back also proves that nothing was lost to retention.
    """
    if after is not None:
        at = Start(kind=StartKind.AT, sequence_number=after.sequence_number)
        return Place(at, skip=after)
    if row.start_at is not None and row.checkpoint is not Sentinel.TRIM_HORIZON:
        return Place(Start(kind=StartKind.AT_TIMESTAMP, timestamp=row.start_at), skip=None)
    return Place(Start(kind=StartKind.TRIM_HORIZON), skip=None)


class Reading:
    """Reads one shard into its buffer until it is stopped or the shard ends.

    Args:
        changed: Told after each answer.

    Attributes:
        lag: Seconds behind the tip at the last read; None before.
        read_at: When that was answered.
        has_ended: The response really said that nothing follows.
        failure: Why reading does not get on, if somebody must act.
        trouble: Why the last read brought nothing, whatever it was.
    """

    def __init__(
        self,
        tools: Tools,
        row: LeaseRow,
        place: Place,
        pacing: Pacing,
        buffer: Buffer,
        changed: Callable[[float], None],
    ) -> None:
        self.lag: float | None = None
        self.read_at: float | None = None
        self.has_ended = False
        self.children: tuple[Shard, ...] = ()
        self.failure: str | None = None
        self.trouble: str | None = None
        self._tools = tools
        self._key = row.key
        self._shard_id = shard_id_of(row.key)
        # Hashing keys doubles what opening an aggregate costs. Under "deliver" it only tells of
        # strays, and a shard that no other was before has none: they come from resharding.
        is_told = bool(row.parents) or tools.config.reading.strays == "drop"
        self._hash_range = row.hash_range if is_told else None
        self._timer = timer_name("read", row.key)
        self._start = place.start
        self._skip = place.skip
        self._pacing = pacing
        self._buffer = buffer
        self._changed = changed
        self._iterator: str | None = None
        self._unknown: str | None = None
        self._says_unknown = False
        self._is_stopped = False
        self._under_way = False

    def pump(self, now: float) -> None:
        """Read the next page, as soon as pace, memory and the buffer allow."""
        if self._is_stopped or self.has_ended or self._under_way:
            return
        if len(self._buffer) >= self._pages_max:
            return
        next_at = self._pacing.next_at
        if now < next_at:
            self._tools.timers.at(next_at, self._timer, self.pump)
        elif self._tools.budget.reserve(self._key, ahead=len(self._buffer) > 0):
            self._fetch(now)

    @property
    def _pages_max(self) -> int:
        """Read ahead only while behind the tip.

        At the tip a page that waits for slow user code would only make records wait that come
        later: one that is read when the call has returned brings them all.
        """
        return PAGES_MAX if self.lag is None or self.lag > 0 else 1

    def stop(self) -> None:
        """Read no more; an answer that is still under way is dropped."""
        self._is_stopped = True
        self._tools.timers.cancel(self._timer)
        self._tools.budget.forget(self._key)

    def _fetch(self, now: float) -> None:
        self._under_way = True
        self._pacing.called(now)
        config, calls = self._tools.config.reading, self._tools.calls
        command = Fetch(
            fetch_id=calls.next_id(),
            key=self._key,
            shard_id=self._shard_id,
            iterator=self._iterator,
            start=self._start,
            records_max=config.page_records,
            hash_range=self._hash_range,
            strays=config.strays,
        )
        calls.fetch(command, self._answered)

    def _answered(self, now: float, answer: PageFetched | FetchFailed) -> None:
        self._under_way = False
        tally_read(self._tools.tallies.at(self._key), answer)
        if isinstance(answer, PageFetched):
            has_records = _span(answer) is not None
            self._pacing.answered(answer.bytes_read, answer.lag, has_records=has_records)
        if self._is_stopped:
            self._tools.budget.arrived(0)
        elif isinstance(answer, PageFetched):
            self.read_at = now
            self._arrived(answer)
        else:
            self._tools.budget.arrived(0)
            self._failed(now, answer)
        self._changed(now)

    def _arrived(self, answer: PageFetched) -> None:
        page = self._opened_as_before(answer)
        if answer.stray_count:
            self._report_strays(answer)
        skipped = 0 if self._skip is None or page is None else page.index_after(self._skip)
        self.lag, self.failure, self.trouble = answer.lag, self._foreign(page, skipped), None
        self._iterator = answer.next_iterator
        self._tools.budget.arrived(0 if page is None else page.bytes)
        span = _span(answer)
        if span is not None:
            asked = self._start.sequence_number
            if self._start.kind is StartKind.AT and skipped == 0 and span[0] != asked:
                self._report_lost(asked, Position(span[0]))
            self._start = Start(kind=StartKind.AFTER, sequence_number=span[1])
        if page is not None:
            self._buffer.put(page, skipped, answer.lag)
            # If the place behind it is refused, reading begins at the oldest record.
            self._skip = later(self._skip, page.last)
        if answer.next_iterator is None:
            self.has_ended, self.children = True, answer.children

    def _report_lost(self, asked: str | None, found: Position | None) -> None:
        """The record that we asked for is not kept any more, so those behind it may be lost too."""
        self._tools.calls.report(
            "position.trimmed",
            "error",
            self._key,
            asked=asked,
            goes_on_at="the oldest record" if found is None else str(found),
        )

    def _foreign(self, page: Page | None, skipped: int) -> str | None:
        """Say why nothing comes, if the shard refuses a place that is beyond its records.

        What comes before a checkpoint counts as finished, and stays so until somebody resets it;
        what comes before that which was read already, in this epoch.
        """
        if self._unknown is None:
            return None
        if page is not None and skipped < page.count:
            self._unknown = None
            return None
        if page is not None and not self._says_unknown:
            self._says_unknown = True
            self._tools.calls.report(
                "position.unknown",
                "error",
                self._key,
                asked=self._unknown,
                found=str(page.first),
            )
        if not self._says_unknown:
            return None
        return (
            f"the place {self._unknown} is none of this shard, and beyond its records, so none is "
            f"delivered; see `kcl checkpoint reset --shard {self._key}`"
        )

    def _opened_as_before(self, answer: PageFetched) -> Page | None:
        """Return the page, so that nothing of it is taken for finished that is not.

        We may begin inside of a record that cannot be opened. Whoever wrote that checkpoint had
        opened it, and its rest is nowhere else: all of it comes, behind the checkpoint.
        """
        page, skip = answer.page, self._skip
        if page is None or not answer.unopened:
            return page
        self._report_unopened(answer.unopened)
        if skip is None or skip.sub_sequence_number == 0:
            return page
        closed = {each.sequence_number for each in answer.unopened} & {skip.sequence_number}
        records = [_behind(r, skip) if r.sequence_number in closed else r for r in page.records]
        return Page(records, page.bytes) if closed else page

    def _report_strays(self, answer: PageFetched) -> None:
        """Once a page: after a resharding many records may have them, for a while."""
        self._tools.calls.report(
            "records.stray",
            "warning" if answer.dropped_count else "info",
            self._key,
            count=answer.stray_count,
            dropped=answer.dropped_count,
            first=str(answer.first_stray),
        )

    def _report_unopened(self, unopened: tuple[Unopened, ...]) -> None:
        """Once a page: a stream may be full of what looks aggregated and is not."""
        self._tools.calls.report(
            "record.unopened",
            "warning",
            self._key,
            sequence_number=unopened[0].sequence_number,
            why=str(unopened[0].why),
            in_page=len(unopened),
        )

    def _failed(self, now: float, answer: FetchFailed) -> None:
        kind = answer.failure.kind
        if kind is FailureKind.EXPIRED:
            self._iterator = None
        elif kind is FailureKind.INVALID:
            kind = self._refused(answer.failure.action)
        if kind is not FailureKind.EXPIRED:
            self.trouble = f"{answer.failure.action}: {answer.failure.message}"
        if kind in _NEEDS_SOMEBODY:
            self.failure = self.trouble
        wait = self._pacing.failed(now, kind)
        self._tools.calls.report(
            "read.failed",
            "debug" if kind is FailureKind.EXPIRED else "warning",
            self._key,
            kind=answer.failure.kind,
            action=answer.failure.action,
            message=answer.failure.message,
            retry_in=wait,
        )

    def _refused(self, action: str) -> FailureKind:
        """Forget the iterator, or the position that the shard does not have."""
        if self._iterator is not None:
            self._iterator = None
            return FailureKind.EXPIRED
        if action != _READS_RECORDS and self._start.sequence_number is not None:
            self._report_lost(self._start.sequence_number, None)
            self._unknown = self._start.sequence_number
            self._start = Start(kind=StartKind.TRIM_HORIZON)
            return FailureKind.EXPIRED
        return FailureKind.INVALID


def shard_id_of(key: str) -> str:
    """Return the shard id in a lease key: all of it, or what follows `account:stream:epoch:`."""
    return key.rsplit(":", 1)[-1]


def _span(answer: PageFetched) -> tuple[str, str] | None:
    """Return the sequence numbers that a read covers, dropped user records included."""
    if answer.span is not None or answer.page is None:
        return answer.span
    return answer.page.first.sequence_number, answer.page.last.sequence_number


def _behind(record: Record, position: Position) -> Record:
    """Return the record at a position behind one inside of it."""
    return Record(
        sequence_number=record.sequence_number,
        data=record.data,
        partition_key=record.partition_key,
        arrival_timestamp=record.arrival_timestamp,
        sub_sequence_number=position.sub_sequence_number + 1,
    )
