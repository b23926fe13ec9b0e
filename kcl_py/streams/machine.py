"""What is read next, what comes next, and is it over? Decides for a `Reader`; the clock is given.

Pages wait in one line, in the order in which they came. A child is read only once the ends of all
its parents have come, so its pages stand behind theirs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from kcl_py.config import PAGE_RECORDS_MAX, PollingConfig
from kcl_py.core.commands import Fetch
from kcl_py.core.events import Failure, FailureKind, FetchFailed, PageFetched
from kcl_py.core.shards.graph import Shard
from kcl_py.streams.feed import PATIENCE_SECONDS, Feed
from kcl_py.streams.frontier import Frontier
from kcl_py.streams.start import FROM_OLDEST, Entries

if TYPE_CHECKING:
    from random import Random

    from kcl_py.records import Record

RELIST_SECONDS: Final = 5.0
"""Pause before a listing that failed is tried again."""

READS_MAX: Final = 8
"""Reads under way at the same time."""

READ_AHEAD_RECORDS: Final = 256
"""How often to look whether more may be read, while records of a page are taken."""

BUFFER_BYTES_MAX: Final = 64 * 1024 * 1024
"""Pages that wait. Reads under way may add 10 MB each."""


@dataclass(frozen=True, slots=True)
class Relist:
    """List all shards. Answered by `Relisted`.

    Attributes:
        ended: The shard whose children are looked for, or that may be gone.
        children: Those that it named itself.
    """

    ended: str
    children: tuple[Shard, ...] = ()


@dataclass(frozen=True, slots=True)
class Relisted:
    """The answer to `Relist`."""

    asked: Relist
    answer: tuple[Shard, ...] | Failure


ReadCommand: TypeAlias = Fetch | Relist
ReadEvent: TypeAlias = PageFetched | FetchFailed | Relisted


@dataclass(frozen=True, slots=True)
class Ends:
    """When a reading ends by itself.

    Attributes:
        records_max: After so many records.
        when_caught_up: After every record that was there when it began.
        idle_seconds: After so long without a record.
    """

    records_max: int | None = None
    when_caught_up: bool = False
    idle_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Broken:
    """A reading that cannot go on.

    Attributes:
        shard_id: Where.
    """

    failure: Failure
    shard_id: str


@dataclass(frozen=True, slots=True)
class Note:
    """Something for the log.

    Attributes:
        event: Its name.
        level: debug or warning.
        facts: Fields.
    """

    event: str
    level: Literal["debug", "warning"]
    facts: Mapping[str, object]


@dataclass(slots=True)
class _Waiting:
    feed: Feed
    records: Sequence[Record]
    bytes: int
    index: int = 0


class ReadMachine:
    """The state of one reading.

    Args:
        shards: That take part from the beginning.
        ignored: Listed with them, and no part of this.
        entries: Where to begin in them.
        takes_all: Also read new shards that descend from none of these.
        ends: When it ends by itself.
        rng: Spreads waits.
        now: When it begins.

    Attributes:
        broken: Why it cannot go on; what came before is handed out first.
        wants_reads: `due` should be asked although there are records to take.
        notes: For the log; whoever writes them takes them out.
    """

    def __init__(
        self,
        shards: Iterable[Shard],
        entries: Entries,
        *,
        ignored: Iterable[str] = (),
        takes_all: bool,
        ends: Ends,
        rng: Random,
        now: float,
    ) -> None:
        self.broken: Broken | None = None
        self.wants_reads = True
        self.notes: deque[Note] = deque()
        self._config = PollingConfig()
        self._rng = rng
        self._ends = ends
        self._takes_all = takes_all
        self._frontier = Frontier(ignored)
        self._feeds: dict[str, Feed] = {}
        self._due: list[tuple[float, int, str]] = []
        self._relists: deque[tuple[float, Relist]] = deque()
        self._relist_failing_since: float | None = None
        self._pages: deque[_Waiting] = deque()
        self._current: _Waiting | None = None
        self._ids = 0
        self._under_way = 0
        self._buffered = 0
        self._taken = 0
        self._idle_since = now
        self._begin(self._frontier.add(shards), entries)

    # ----------------------------------------------------------------------------------- records

    def take(self) -> tuple[str, Record] | None:
        """The next record and its shard, if one has come."""
        while self._current is None or self._current.index == len(self._current.records):
            if not self._pages:
                self._current = None
                return None
            self._open(self._pages.popleft())
        page = self._current
        record = page.records[page.index]
        if page.index % READ_AHEAD_RECORDS == 0:
            self.wants_reads = True
        page.index += 1
        self._taken += 1
        return page.feed.shard_id, record

    def _open(self, page: _Waiting) -> None:
        self._current = page
        self._buffered -= page.bytes
        self._go_on(page.feed)

    def resumed(self, now: float) -> None:
        """Whoever took the last record asks for more: time with a record is no idle time."""
        self._idle_since = now

    # -------------------------------------------------------------------------------------- ends

    def is_over(self, now: float) -> bool:
        """Nothing more is to come, as told by `ends`; asked when `take` has nothing."""
        if self.has_enough:
            return True
        if self._pages or self._current is not None:
            return False
        if self.broken is not None or not self._is_busy():
            return True
        if self._idle_at is not None and now >= self._idle_at:
            self.broken = self._trouble()
            return True
        return False

    @property
    def has_enough(self) -> bool:
        """All records that were asked for have been taken."""
        return self._ends.records_max is not None and self._taken >= self._ends.records_max

    def _is_busy(self) -> bool:
        return bool(self._under_way or self._due or self._relists)

    @property
    def _idle_at(self) -> float | None:
        limit = self._ends.idle_seconds
        return None if limit is None else self._idle_since + limit

    def _trouble(self) -> Broken | None:
        """Silence says nothing of the stream if all the while reads failed."""
        for feed in self._feeds.values():
            at = feed.answered_at
            if feed.trouble is not None and (at is None or at < self._idle_since):
                return Broken(feed.trouble, feed.shard_id)
        return None

    # ------------------------------------------------------------------------------------- reads

    def due(self, now: float) -> list[ReadCommand]:
        """What is to be done now."""
        self.wants_reads = False
        commands: list[ReadCommand] = []
        if self.broken is not None or self.has_enough:
            return commands
        while self._relists and self._relists[0][0] <= now and self._under_way < READS_MAX:
            commands.append(self._relists.popleft()[1])
            self._under_way += 1
        while self._due and self._due[0][0] <= now and self._has_room():
            _, _, shard_id = heappop(self._due)
            self._ids += 1
            self._under_way += 1
            commands.append(self._feeds[shard_id].read(now, self._ids, self._records_max))
        return commands

    def next_at(self) -> float | None:
        """The clock reading at which `due` or `is_over` may say something new by itself."""
        times = [] if self._idle_at is None else [self._idle_at]
        if self._relists:
            times.append(self._relists[0][0])
        if self._due and self._has_room():
            times.append(self._due[0][0])
        return min(times, default=None)

    def receive(self, now: float, event: ReadEvent) -> None:
        """Take an answer in."""
        self.wants_reads = True
        self._under_way -= 1
        match event:
            case PageFetched():
                self._arrived(now, event)
            case FetchFailed():
                self._failed(now, event)
            case Relisted():
                self._relisted(now, event)

    def _has_room(self) -> bool:
        return self._under_way < READS_MAX and self._buffered < BUFFER_BYTES_MAX

    @property
    def _records_max(self) -> int:
        most = self._ends.records_max
        return PAGE_RECORDS_MAX if most is None else min(PAGE_RECORDS_MAX, most - self._taken)

    def _arrived(self, now: float, answer: PageFetched) -> None:
        feed = self._feeds[answer.key]
        records = feed.arrived(now, answer)
        self._note_oddities(feed, answer)
        if answer.lag > 0:
            self._idle_since = max(self._idle_since, now)
        if records:
            size = answer.page.bytes if answer.page is not None else 0
            self._buffered += size
            self._pages.append(_Waiting(feed, records, size))
        else:
            self._go_on(feed)
        if feed.has_ended:
            self._ended(now, feed.shard_id, answer.children)

    def _note_oddities(self, feed: Feed, answer: PageFetched) -> None:
        trimmed, feed.trimmed = feed.trimmed, None
        if trimmed is not None:
            place = {"shard_id": feed.shard_id, "asked": trimmed[0], "goes_on_at": trimmed[1]}
            self.notes.append(Note("reader.position_trimmed", "warning", place))
        if answer.unopened:
            first = answer.unopened[0]
            self.notes.append(
                Note(
                    "reader.record_unopened",
                    "warning",
                    {
                        "shard_id": feed.shard_id,
                        "sequence_number": first.sequence_number,
                        "why": str(first.why),
                        "in_page": len(answer.unopened),
                    },
                )
            )

    def _note_failure(self, shard_id: str, failure: Failure) -> None:
        is_usual = failure.kind is FailureKind.EXPIRED
        facts = {
            "shard_id": shard_id,
            "kind": str(failure.kind),
            "action": failure.action,
            "problem": failure.message,
        }
        self.notes.append(Note("reader.read_failed", "debug" if is_usual else "warning", facts))

    def _go_on(self, feed: Feed) -> None:
        if feed.has_ended or (feed.is_caught_up and self._ends.when_caught_up):
            return
        self._ids += 1
        heappush(self._due, (feed.next_at, self._ids, feed.shard_id))

    def _ended(self, now: float, shard_id: str, children: tuple[Shard, ...]) -> None:
        if children and self._frontier.is_clear(children):
            self._begin(self._frontier.add(children))
        else:
            self._relists.append((now, Relist(shard_id, children)))
        self._begin(self._frontier.finished(shard_id))

    def _begin(self, shard_ids: Iterable[str], entries: Entries | None = None) -> None:
        for shard_id in shard_ids:
            entry = entries.of(shard_id) if entries is not None else FROM_OLDEST
            is_closed = self._frontier.is_closed(shard_id)
            feed = Feed(shard_id, entry, self._config, self._rng, is_closed=is_closed)
            self._feeds[shard_id] = feed
            self._go_on(feed)

    def _failed(self, now: float, answer: FetchFailed) -> None:
        feed = self._feeds[answer.key]
        self._note_failure(feed.shard_id, answer.failure)
        if not feed.failed(now, answer):
            self.broken = Broken(answer.failure, feed.shard_id)
        elif answer.failure.kind is FailureKind.GONE:
            self._relists.append((now, Relist(feed.shard_id)))
        else:
            self._go_on(feed)

    def _relisted(self, now: float, event: Relisted) -> None:
        if isinstance(event.answer, Failure):
            self._not_relisted(now, event.asked, event.answer)
            return
        self._relist_failing_since = None
        asked = event.asked
        listed = {shard.shard_id: shard for shard in (*asked.children, *event.answer)}
        feed = self._feeds[asked.ended]
        if not feed.has_ended and asked.ended in listed:
            self._go_on(feed)
            return
        # It ended, or retention has passed all of it, shard and records.
        followers = self._frontier.followers(listed.values(), all_new=self._takes_all)
        self._begin(self._frontier.add(followers))
        if not feed.has_ended:
            feed.has_ended = True
            self._begin(self._frontier.finished(asked.ended))

    def _not_relisted(self, now: float, asked: Relist, failure: Failure) -> None:
        self._note_failure(asked.ended, failure)
        since = self._relist_failing_since = self._relist_failing_since or now
        may_pass = failure.kind in (FailureKind.THROTTLED, FailureKind.UNKNOWN)
        if may_pass and now - since < PATIENCE_SECONDS:
            self._relists.append((now + RELIST_SECONDS, asked))
        else:
            self.broken = Broken(failure, asked.ended)
