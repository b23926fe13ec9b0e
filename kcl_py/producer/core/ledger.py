"""What was accepted, and what became of it? Room in the buffer, flushes, outcomes, counts.

Every record that was accepted ends here exactly once: delivered, or handed back whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcl_py.producer.core.kept import Kept, KeptFailures
from kcl_py.producer.core.units import ITEM_BYTES, Item
from kcl_py.producer.counters import ProducerCounters
from kcl_py.producer.results import PutFailure

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kcl_py.core.puts import EntrySaid
    from kcl_py.producer.config import ProducerConfig
    from kcl_py.producer.results import Cause


class Ledger:
    """The books of a producer.

    Attributes:
        pending: Records accepted and not ended.
        used: Bytes of the buffer that are taken, kept failures included.
        heard: Records that ended and for which somebody waits; whoever runs the core empties it.
        failed: What was handed back since; emptied likewise.
        epoch: How many flushes have begun.
        has_hook: Somebody wants to be called with every failure.
    """

    def __init__(self, config: ProducerConfig) -> None:
        self.pending = 0
        self.used = 0
        self.heard: list[Item] = []
        self.failed: list[Kept] = []
        self.kept = KeptFailures()
        self.counts = ProducerCounters()
        self.epoch = 0
        self.has_hook = False
        self._budget = config.buffer_bytes
        self._ttl = config.record_ttl
        # A packed record is there twice: in its parcel, and to be handed back.
        self._copies = 2 if config.aggregation == "per_shard" else 1
        self._older: dict[int, int] = {}

    # ---------------------------------------------------------------------------------- accepting

    def accept(self, item: Item, now: float) -> bool:
        """Take a record in; False: there is no room."""
        used = self.used + item.size * self._copies + ITEM_BYTES
        if used > self._budget:
            return False
        self.used = used
        self.pending += 1
        item.expires = now + self._ttl
        item.epoch = self.epoch
        return True

    def accept_first(self, items: Sequence[Item], now: float) -> int:
        """Take in as many as there is room for, from the first on; say how many."""
        used, copies, budget = self.used, self._copies, self._budget
        expires, epoch = now + self._ttl, self.epoch
        count = 0
        for item in items:
            with_it = used + item.size * copies + ITEM_BYTES
            if with_it > budget:
                break
            used = with_it
            item.expires = expires
            item.epoch = epoch
            count += 1
        self.used = used
        self.pending += count
        return count

    @property
    def size_max(self) -> int:
        """Bytes of the largest record that fits into the empty buffer."""
        return (self._budget - ITEM_BYTES) // self._copies

    def has_room(self, item: Item) -> bool:
        """Whether `accept` would take this record."""
        room = item.size * self._copies + ITEM_BYTES
        return self.used + room <= self._budget

    def is_full_of_failures(self) -> bool:
        """Whether nothing is on its way that could make room."""
        return self.pending == 0 and self.kept.room > 0

    # ------------------------------------------------------------------------------------- ending

    def delivered(self, items: Sequence[Item], said: EntrySaid, attempts: int, now: float) -> None:
        """Records of one entry that is stored."""
        heard = self.heard
        for item in items:
            item.attempts = attempts
            item.outcome = said
            item.data = b""
            if item.listeners is not None:
                heard.append(item)
        self.count_delivered(items, now)

    def count_delivered(self, items: Sequence[Item], now: float) -> None:
        """Count records that were just delivered."""
        count = len(items)
        size = 0
        expires = 0.0
        first = now + self._ttl
        for item in items:
            size += item.size
            expires += item.expires
            if item.expires < first:  # noqa: PLR1730 - `min` costs as much as all else here
                first = item.expires
        counts = self.counts
        counts.records += count
        counts.bytes += size
        counts.delivery_seconds += count * (now + self._ttl) - expires
        counts.delivery_seconds_max = max(counts.delivery_seconds_max, now + self._ttl - first)
        self.used -= size * self._copies + count * ITEM_BYTES
        self._leave(items, count)

    def hand_back(self, item: Item, code: str, message: str, cause: Cause = "passing") -> None:
        """A record that will not be delivered."""
        room = item.size * self._copies + ITEM_BYTES
        failure = PutFailure(
            data=item.data,
            partition_key=item.key,
            explicit_hash_key=item.hash_key,
            error_code=code,
            error_message=message,
            attempts=item.attempts,
            cause=cause,
        )
        kept = Kept(failure, item.tag, room, owed=self.has_hook)
        item.outcome = kept
        item.data = b""
        self.kept.add(kept)
        self.failed.append(kept)
        self.counts.failures += 1
        if item.listeners is not None:
            self.heard.append(item)
        self._leave((item,), 1)

    def take_kept(self, *, owed: bool = False) -> list[Kept]:
        """Hand over the failures that nobody was told of, and their room.

        Args:
            owed: Also those that the hook was not told of yet.
        """
        taken = self.kept.take(owed=owed)
        self.used -= sum(kept.room for kept in taken)
        return taken

    def tell(self, kept: Kept) -> None:
        """Note that `result()` has raised a failure."""
        self.used -= self.kept.tell(kept)

    def hook_ended(self, kept: Kept, *, returned: bool) -> None:
        """Note that the hook was called with a failure."""
        self.used -= self.kept.hook_ended(kept, returned=returned)

    # ------------------------------------------------------------------------------------ flushes

    def begin_flush(self) -> int:
        """Return the epoch that all records accepted so far belong to, or an earlier one."""
        epoch = self.epoch
        current = self.pending - sum(self._older.values())
        if current:
            self._older[epoch] = current
        self.epoch += 1
        return epoch

    def is_flushed(self, epoch: int) -> bool:
        """Whether everything of this epoch and earlier ones has ended."""
        return not any(older <= epoch for older in self._older)

    def recount(self, items: Iterable[Item]) -> None:
        """Begin the books anew with all records that are on their way."""
        self.pending = 0
        self.used = self.kept.room
        self._older.clear()
        for item in items:
            self.pending += 1
            self.used += item.size * self._copies + ITEM_BYTES
            if item.epoch < self.epoch:
                self._older[item.epoch] = self._older.get(item.epoch, 0) + 1

    def _leave(self, items: Iterable[Item], count: int) -> None:
        self.pending -= count
        older = self._older
        if not older:
            return
        for item in items:
            left = older.get(item.epoch)
            if left is not None:
                if left > 1:
                    older[item.epoch] = left - 1
                else:
                    del older[item.epoch]
