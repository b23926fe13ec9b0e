"""How does everything that an input holds get into a stream, and what is said of what did not?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from kcl_py.cli.producing.inputs import Bad, Entry, Found, field_of
from kcl_py.errors import BufferFull, RecordRefused, Undelivered
from kcl_py.shell.clock import SYSTEM_CLOCK

if TYPE_CHECKING:
    from collections.abc import Callable

    from kcl_py.cli.producing.board import Board
    from kcl_py.cli.producing.stopping import Stopping
    from kcl_py.cli.producing.undelivered import Undeliverable
    from kcl_py.producer.client import Producer
    from kcl_py.producer.results import PutFailure

ROOM_SECONDS: Final = 0.05
"""How long to wait for room before looking again; a blocked `put` would not hear of signals."""

TICK_SECONDS: Final = 0.2
SAID_MAX: Final = 20
"""So many bad lines are named; the others are counted."""

NOT_FOUND: Final = "ResourceNotFoundException"
LISTED: Final = "`kcl stream list` shows the streams that there are"
DENIED: Final = frozenset({"AccessDeniedException", "AccessDenied", "UnauthorizedOperation"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What was asked for.

    Attributes:
        key, hash_key: Fields; None: random, none.
        rate: Records per second; None: as fast as may be.
        most: So many records.
        skips_bad: Go on behind a line that is none.
        place: What places are called.
    """

    key: str | None = None
    hash_key: str | None = None
    rate: float | None = None
    most: int | None = None
    skips_bad: bool = False
    place: str = "line"


@dataclass(slots=True)
class Seen:
    """How far it came.

    Attributes:
        place: Of the last record that was accepted or skipped.
        bad: The record at which it ended.
    """

    begun: float = field(default_factory=SYSTEM_CLOCK.now)
    accepted: int = 0
    place: int = 0
    is_all: bool = False
    bad: Bad | None = None


class Run:
    """One input on its way into one stream.

    Args:
        say: Told of lines that are skipped.
    """

    def __init__(
        self,
        wish: Wish,
        *,
        producer: Callable[[Callable[[PutFailure], None]], Producer],
        stopping: Stopping,
        undeliverable: Undeliverable,
        board: Board,
        say: Callable[[str], None],
    ) -> None:
        self.seen = Seen()
        self._wish = wish
        self.stopping = stopping
        self.undeliverable = undeliverable
        self._board = board
        self._say = say
        self._tick_at = 0.0
        self.producer = producer(self._hand_back)

    def all(self, source: Iterator[Found]) -> None:
        """Read, and wait for everything that was accepted."""
        with self._board:
            try:
                self.read(source)
            finally:
                self.finish()

    def read(self, source: Iterator[Found]) -> None:
        """Put record after record until the end, a bad one, or a reason to stop."""
        seen, wish, stopping = self.seen, self._wish, self.stopping
        while wish.most is None or seen.accepted < wish.most:
            if wish.rate is not None and not self._keep_rate(wish.rate):
                return
            found = stopping.next_of(source)
            if found is None:
                seen.is_all = stopping.reason is None
                return
            bad = found if isinstance(found, Bad) else self._put(found)
            if bad is not None and not self._skip(bad):
                seen.bad = bad
                return
            self._tick()
        seen.is_all = True

    def _keep_rate(self, rate: float) -> bool:
        """Wait until the next record is due; False: there is a reason to stop."""
        while True:
            left = self.seen.begun + self.seen.accepted / rate - SYSTEM_CLOCK.now()
            if left <= 0:
                return True
            self._tick()
            if self.stopping.wait(min(left, TICK_SECONDS)):
                return False

    def _put(self, entry: Entry) -> Bad | None:
        """Put one; return it if it cannot be."""
        wish, producer, seen = self._wish, self.producer, self.seen
        try:
            key = entry.key if wish.key is None else field_of(entry.value, wish.key)
            hash_key = (
                entry.hash_key if wish.hash_key is None else field_of(entry.value, wish.hash_key)
            )
            while True:
                try:
                    producer.put(entry.data, key=key, hash_key=hash_key)
                except BufferFull:
                    self._tick()
                    if self.stopping.wait(ROOM_SECONDS):
                        return None
                    continue
                seen.accepted += 1
                seen.place = entry.place
                return None
        except (LookupError, RecordRefused) as error:
            return Bad(entry.place, entry.data, str(error.args[0]))

    def _skip(self, bad: Bad) -> bool:
        """Leave out what is no record; False: here it ends."""
        if bad.is_last or not self._wish.skips_bad:
            return False
        self.seen.place = bad.place
        self.undeliverable.skip(bad.data, None, bad.problem)
        if self.undeliverable.skipped <= SAID_MAX:
            self._say(f"{self._wish.place} {bad.place} is left out: {bad.problem}")
        elif self.undeliverable.skipped == SAID_MAX + 1:
            self._say(f"more {self._wish.place}s are left out; the end tells how many")
        return True

    def _hand_back(self, failure: PutFailure) -> None:
        self.undeliverable.hear(failure)
        if failure.cause == "stream":  # every later record would meet it as well
            self.stopping.stop(failure.error_code)

    def finish(self) -> None:
        """Wait for everything that was accepted, unless time is over or somebody is in a hurry."""
        while True:
            try:
                self.producer.flush(0 if self._is_over() else TICK_SECONDS)
                break
            except TimeoutError:
                self._tick()
                if self._is_over():
                    break
        self.undeliverable.tell_twice()
        try:
            self.producer.close(0)
        except Undelivered as left:
            for failure in left.failures:
                self.undeliverable.hear(failure)

    def _is_over(self) -> bool:
        return self.stopping.is_urgent or self.stopping.reason == "time"

    def _tick(self) -> None:
        now = SYSTEM_CLOCK.now()
        if now >= self._tick_at:
            self._tick_at = now + TICK_SECONDS
            self._board.show(self.producer.counters(), self.undeliverable)
