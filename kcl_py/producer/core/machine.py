"""What does a producer do next? Told what was put and what was answered, it says what to send.

Not thread-safe; whoever runs it holds a lock. `poll` gives out commands until there is none, and
`next_due` says when to ask again unless something happens before.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Final

from kcl_py.core.events import Failure, FailureKind
from kcl_py.core.puts import PUT_BYTES_MAX, PutRefused
from kcl_py.producer.core.commands import Command, ListShards, Send
from kcl_py.producer.core.failing import BROKEN_ANSWER, Failing
from kcl_py.producer.core.ledger import Ledger
from kcl_py.producer.core.listing import Listing
from kcl_py.producer.core.retrying import Retries
from kcl_py.producer.core.routing import Router
from kcl_py.producer.core.strays import Landed, Sorted, StrayDesk
from kcl_py.producer.core.units import Item, Parcel, Unit, items_of

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from kcl_py.core.puts import EntrySaid, PutSaid
    from kcl_py.core.shards.graph import Shard
    from kcl_py.producer.config import ProducerConfig

SENDS_MAX: Final = 8
"""Requests under way at once. 500 records each, at 50 ms: 80,000 records a second."""

EXPIRED: Final = "RecordExpired"


class ProducerCore:
    """Decides for one producer.

    Args:
        config: Everything tunable.
        rng: Spreads retries.

    Attributes:
        ledger: What was accepted, and what became of it.
        stirred: Something is to be done earlier than `next_due` said; whoever runs the core resets
            it.
    """

    def __init__(self, config: ProducerConfig, rng: random.Random) -> None:
        self.ledger = Ledger(config)
        self.stirred = False
        self._config = config
        self._rng = rng
        self._linger = config.linger
        self._in_order = config.order == "per_key"
        self._records_max = config.batch_records
        self._router = Router(config, self)
        self._is_plain = config.order == "none" and not self._router.needs_map
        self._listing = Listing()
        self._strays = StrayDesk()
        self._retries = Retries(rng)
        self._failing = Failing(config, self.ledger, self._router, self._retries)
        self._ready: deque[Unit] = deque()
        self._ready_bytes = 0
        self._due = 0.0
        self._sends: dict[int, Send] = {}
        self._send_count = 0
        self._flushes = 0
        self._now = 0.0
        self._asleep_until = math.inf

    # -------------------------------------------------------------------------------------- inputs

    def put(self, item: Item, now: float) -> bool:
        """Accept a record; False: there is no room, and nothing was done."""
        if not self.ledger.accept(item, now):
            return False
        ready, router = self._ready, self._router
        if self._is_plain:
            if not ready:
                self._wait_for_company(now)
            ready.append(item)
            self._ready_bytes += item.size
        else:
            self._now = now
            router.route(item, now)
            if ready or router.changed:
                self._wake_if_due()
        if ready and self._asleep_until > now:
            self._wake_if_many()
        return True

    def put_first(self, items: Sequence[Item], now: float) -> int:
        """Accept as many as there is room for, from the first on, as `put` each; say how many."""
        count = self.ledger.accept_first(items, now)
        taken = items[:count]
        if self._is_plain:
            if taken and not self._ready:
                self._wait_for_company(now)
            self._ready += taken
            self._ready_bytes += sum([item.size for item in taken])
        else:
            self._now = now
            self._router.route_all(taken, now)
            self._wake_if_due()
        if self._asleep_until > now:
            self._wake_if_many()
        return count

    def _wait_for_company(self, now: float) -> None:
        """A record is about to be the first that is ready."""
        self._due = now + self._linger
        if self._due < self._asleep_until:
            self._wake()

    def _wake_if_many(self) -> None:
        is_full = len(self._ready) >= self._records_max or self._ready_bytes >= PUT_BYTES_MAX
        if is_full and len(self._sends) < SENDS_MAX:
            self._wake()

    def _wake_if_due(self) -> None:
        """After a record took its way: is there something to do earlier than was thought?"""
        can_send = self._ready and len(self._sends) < SENDS_MAX
        if self._router.changed or (can_send and self._due < self._asleep_until):
            self._router.changed = False
            asleep_until = self._asleep_until
            due = self.next_due()
            self._asleep_until = asleep_until
            if due is not None and due < asleep_until:
                self._wake()

    def _wake(self) -> None:
        self.stirred = True
        # Once is enough, until `next_due` is asked again.
        self._asleep_until = -math.inf

    def begin_flush(self) -> int:
        """Send all without waiting for company, until `end_flush`; return what to wait for."""
        self._flushes += 1
        self._wake()
        return self.ledger.begin_flush()

    def end_flush(self) -> None:
        """Wait for company again."""
        self._flushes -= 1

    def answered(self, send_id: int, said: PutSaid, now: float) -> None:
        """Take the answer to a `Send`; one that was abandoned counts no more."""
        send = self._sends.pop(send_id, None)
        counts = self.ledger.counts
        if send is None:
            return
        self._now = now
        counts.requests += 1
        counts.request_seconds += now - send.began_at
        counts.request_seconds_max = max(counts.request_seconds_max, now - send.began_at)
        if isinstance(said, PutRefused):
            self._failing.refused(send.units, said, now)
        elif len(said) != len(send.units):
            self._failing.unanswered(send.units, "an answer with another number of records", now)
        else:
            self._take_entries(send.units, said, now)

    def listed(self, answer: Sequence[Shard] | Failure, now: float) -> None:
        """Take the answer to `ListShards`."""
        self._now = now
        router = self._router
        self._listing.answered(answer, now, self._rng)
        if isinstance(answer, Failure):
            if answer.kind is FailureKind.GONE:
                for item in router.take_unrouted():
                    self.ledger.hand_back(
                        item, "ResourceNotFoundException", answer.message, "stream"
                    )
            elif not self._listing.is_possible:
                router.go_without_map(now)
        else:
            router.set_map(self._listing.map_of(answer, router.map), now)
        for found in self._strays.listed(router.map):
            self._sorted(found, now)
        while self._strays and not self._listing.is_possible:
            for found in self._strays.listed(router.map):
                self._sorted(found, now)
        if self._strays:
            self._listing.want(now)

    def abandon(self, code: str, message: str) -> None:
        """Hand back everything that has not ended; answers that come later do not count."""
        waiting = self._waiting()
        self._router.clear()
        self._retries.clear()
        self._strays.clear()
        for item in waiting:
            self.ledger.hand_back(item, code, message)
        for send in self._sends.values():
            for unit in send.units:
                for item in items_of(unit):
                    item.attempts = unit.attempts
                    self.ledger.hand_back(
                        item, code, f"{message}; its last answer is missing, it may be stored"
                    )
        self._ready.clear()
        self._failing.halves.clear()
        self._sends.clear()
        self._ready_bytes = 0

    def recount(self) -> None:
        """Mend the books after a `put` that was interrupted in the middle."""
        self._router.mend(self._ready, self._now)
        under_way = [unit for send in self._sends.values() for unit in send.units]
        items = [*self._waiting(), *(item for unit in under_way for item in items_of(unit))]
        # An interrupt may have come between a step and its note.
        self._ready_bytes = sum(unit.size for unit in self._ready)
        self.ledger.recount(dict.fromkeys(items))
        self._due = -math.inf
        self._wake()

    def _waiting(self) -> list[Item]:
        """Everything that has not ended and is not under way."""
        units: list[Unit] = [*self._ready, *self._retries.all()]
        units += [unit for half in self._failing.halves for unit in half]
        items = [item for unit in units for item in items_of(unit)]
        return items + self._router.all() + self._strays.all()

    # ------------------------------------------------------------------------------------- outputs

    def poll(self, now: float) -> Command | None:
        """Return what to do next; None: nothing now."""
        self._now = now
        for units in self._retries.due(now):
            for unit in reversed(units):
                self._router.again(unit, now)
        if not self._is_plain:
            self._router.tick(now, flushing=self._flushes > 0)
            if self._router.is_waiting_for_map:
                self._listing.want(now)
            if self._listing.is_due(now):
                self._listing.began()
                return ListShards()
        if len(self._sends) >= SENDS_MAX:
            return None
        if self._failing.halves:
            units = self._failing.halves.popleft()
            return self._send(units, sum(unit.size for unit in units), now)
        return self._batch(now) if self._is_batch_due(now) else None

    def _is_batch_due(self, now: float) -> bool:
        """Whether what is ready should wait for company no longer."""
        return bool(self._ready) and (
            now >= self._due
            or self._flushes > 0
            or len(self._ready) >= self._records_max
            or self._ready_bytes >= PUT_BYTES_MAX
        )

    def next_due(self) -> float | None:
        """Return when `poll` may have something; None: not before something happens."""
        times = [self._retries.next_due(), self._router.next_due(), self._listing.next_due()]
        if len(self._sends) < SENDS_MAX:
            if self._failing.halves or self._is_batch_due(self._now):
                times.append(self._now)
            elif self._ready:
                times.append(self._due)
        due = min((time for time in times if time is not None), default=None)
        self._asleep_until = math.inf if due is None else due
        return due

    # ----------------------------------------------------------------------------- for the router

    def ready(self, unit: Unit) -> None:
        """Queue a unit to be sent as soon as may be; what was just put has its linger."""
        ready = self._ready
        due = max(self._now, self._company_until(unit))
        if not ready or due < self._due:
            self._due = due
        if unit.attempts:
            ready.appendleft(unit)
        else:
            ready.append(unit)
        self._ready_bytes += unit.size

    def _company_until(self, unit: Unit) -> float:
        """Until when a unit waits for others to share its request."""
        # In order, whole lanes wait for a parcel: it must not wait for company too.
        if unit.attempts or (self._in_order and isinstance(unit, Parcel)):
            return -math.inf
        return unit.expires - self._config.record_ttl + self._linger

    def expired(self, item: Item, now: float) -> None:
        """Hand back a record whose time is over."""
        seconds = now - item.expires + self._config.record_ttl
        if item.error is None:
            self.ledger.hand_back(item, EXPIRED, f"it could not be sent for {seconds:.1f} s")
        else:
            code, message = item.error
            said = message.removeprefix(f"{code}: ")
            self.ledger.hand_back(
                item, code, f"not delivered for {seconds:.1f} s; the last time: {said}"
            )

    # ------------------------------------------------------------------------------------ sending

    def _batch(self, now: float) -> Send | None:
        ready, size = self._ready, 0
        units: list[Unit] = []
        while ready and len(units) < self._records_max:
            unit = ready[0]
            if size + unit.size > PUT_BYTES_MAX and units:
                break
            ready.popleft()
            self._ready_bytes -= unit.size
            if unit.expires <= now:
                self._router.again(unit, now)
                continue
            units.append(unit)
            size += unit.size
        if ready:
            first = ready[0]
            self._due = max(now, self._company_until(first))
        return self._send(units, size, now) if units else None

    def _send(self, units: list[Unit], size: int, now: float) -> Send:
        for unit in units:
            if unit.attempts:
                self.ledger.counts.retries += 1
            unit.attempts += 1
        self._send_count += 1
        send = self._sends[self._send_count] = Send(self._send_count, units, size, now)
        return send

    # ------------------------------------------------------------------------------------ answers

    def _take_entries(self, units: Sequence[Unit], said: Sequence[EntrySaid], now: float) -> None:
        failed: list[Unit] = []
        done: list[Item] = []
        ledger = self.ledger
        heard = ledger.heard
        for unit, entry in zip(units, said, strict=True):
            if entry.sequence_number is None or entry.shard_id is None:
                unit.error = (
                    entry.error_code or BROKEN_ANSWER,
                    entry.error_message or "an answer without a sequence number",
                )
                failed.append(unit)
            elif isinstance(unit, Item):
                unit.outcome = entry
                unit.data = b""
                if unit.listeners is not None:
                    heard.append(unit)
                done.append(unit)
            else:
                self._parcel_stored(unit, entry, now)
        if done:
            ledger.count_delivered(done, now)
            self._router.settled(done, now)
        if self._router.map is not None:
            self._look_for_new_shards(said, now)
        if failed:
            self._failing.entries(failed, now)

    def _look_for_new_shards(self, said: Sequence[EntrySaid], now: float) -> None:
        shard_map = self._router.map
        for shard_id in {entry.shard_id for entry in said}:
            if shard_id is not None and shard_map and shard_map.range_of(shard_id) is None:
                self._listing.want(now)

    def _parcel_stored(self, parcel: Parcel, entry: EntrySaid, now: float) -> None:
        found = self._strays.look(Landed(parcel, entry, 0), self._router.map)
        if entry.shard_id != parcel.shard_id:
            self._listing.want(now)
        if found is not None:
            self._sorted(found, now)

    def _sorted(self, found: Sorted, now: float) -> None:
        parcel, said, _ = found.landed
        self.ledger.delivered(found.home, said, parcel.attempts, now)
        if found.strays:
            for item in found.strays:
                item.attempts = parcel.attempts
            self._router.reopen(found.strays, now, settled=found.home)
        else:
            self._router.settled(found.home, now)
