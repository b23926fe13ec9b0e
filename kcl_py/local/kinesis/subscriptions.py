"""What is pushed to a consumer that has subscribed to a shard, and when?

A subscription is asked for its events; it never pushes by itself. Whoever serves it asks after
every wake-up and at `wakes_at`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from kcl_py.local.errors import AwsError
from kcl_py.local.kinesis.account import Account, Answer, Request
from kcl_py.local.kinesis.consumers import Consumer, Seat
from kcl_py.local.kinesis.positions import Place, position_of
from kcl_py.local.kinesis.reading import as_answer, millis_behind
from kcl_py.local.kinesis.shards import Shard, StoredRecord
from kcl_py.local.kinesis.streams import Stream
from kcl_py.local.parameters import (
    mapping,
    optional_text,
    optional_time,
    refuse_unknown,
    required_text,
)

# Ours: small enough to be encoded without holding up others. A larger record goes alone.
_EVENT_RECORDS_MAX = 1_000
_EVENT_BYTES_MAX = 1_048_576


class Event(NamedTuple):
    """One event of the stream: records, or the error that ends it."""

    name: str
    body: dict[str, Any]
    is_error: bool = False


def subscribe(account: Account, request: Request) -> Answer:
    """SubscribeToShard."""
    stream, consumer = account.consumer(required_text(request, "ConsumerARN"))
    shard_id = required_text(request, "ShardId")
    place = _place(request)
    if consumer.status != "ACTIVE":
        raise AwsError("ResourceInUseException", f"{consumer.arn} is {consumer.status}")
    if not stream.has_shard_listing():
        raise AwsError("ResourceInUseException", f"stream {stream.name} is {stream.status}")
    shard = account.shard(stream, shard_id)
    now = account.clock()
    shard.trim(now - stream.retention_seconds)
    position = position_of(shard, place, now)
    _take_seat(account, consumer, shard, now)
    subscription = Subscription(account, stream, consumer, shard, position)
    consumer.seats[shard_id] = Seat(now, subscription.leave)
    return {"EventStream": subscription}


class Subscription:
    """One consumer's view of one shard, for at most `subscription_seconds`."""

    def __init__(
        self, account: Account, stream: Stream, consumer: Consumer, shard: Shard, position: int
    ) -> None:
        self._account = account
        self._stream = stream
        self._shard = shard
        self._position = position
        self._budget = consumer.budget(shard.shard_id)
        self._last_at = account.clock()
        self._ends_at = self._last_at + account.settings.subscription_seconds
        self._why: AwsError | None = None
        self._wake: Callable[[], None] | None = None
        self.is_over = False

    def attach(self, wake: Callable[[], None]) -> None:
        """Have `wake` called whenever there may be an event before `wakes_at`."""
        self._wake = wake
        self._shard.watchers.add(wake)

    def close(self) -> None:
        """Nobody listens any more, or nothing comes any more."""
        self.is_over = True
        if self._wake is not None:
            self._shard.watchers.discard(self._wake)
            self._wake = None

    def leave(self, why: AwsError) -> None:
        """End with this error."""
        self._why = why
        if self._wake is not None:
            self._wake()

    def take(self) -> Event | None:
        """The event that is due now, if any; `is_over` says whether it was the last."""
        if self.is_over:
            return None
        now = self._account.clock()
        self._stream.settle(now)
        if self._why is not None:
            self.close()
            return Event(self._why.code, {"message": self._why.message}, is_error=True)
        if now >= self._ends_at:
            self.close()
            return None
        self._shard.trim(now - self._stream.retention_seconds)
        event = self._next(now)
        if event is not None:
            self._last_at = now
        return event

    @property
    def wakes_at(self) -> float:
        """When `take` may have something although nothing has happened."""
        heartbeat = self._last_at + self._account.settings.heartbeat_seconds
        times = [self._ends_at, heartbeat]
        if self._stream.due is not None:
            times.append(self._stream.due)
        if self._position < self._shard.tip:
            times.append(self._budget.ready_at(self._account.clock()))
        return min(times)

    def _next(self, now: float) -> Event | None:
        shard = self._shard
        page = self._page(now)
        if page:
            return self._event(page, now)
        if self._position >= shard.tip and not shard.is_open:
            self.close()
            # As the service: the last event has children, and no number to go on from.
            children = self._stream.children_of(shard)
            last = {"Records": [], "MillisBehindLatest": 0, "ChildShards": children}
            return Event("SubscribeToShardEvent", last)
        if now >= self._last_at + self._account.settings.heartbeat_seconds:
            return self._event([], now)
        return None

    def _page(self, now: float) -> list[StoredRecord]:
        limits = self._account.settings.limits
        if limits and not self._budget.holds(1, now):
            return []
        page = self._shard.read(self._position, _EVENT_RECORDS_MAX, _EVENT_BYTES_MAX)
        if limits:
            self._budget.draw(sum(len(record.data) + len(record.key) for record in page))
        return page

    def _event(self, page: list[StoredRecord], now: float) -> Event:
        self._position = max(self._position, self._shard.oldest) + len(page)
        body = {
            "Records": [as_answer(record) for record in page],
            "ContinuationSequenceNumber": self._shard.number_before(self._position),
            "MillisBehindLatest": millis_behind(self._shard, page, self._position, now),
        }
        return Event("SubscribeToShardEvent", body)


def _place(request: Request) -> Place:
    given = mapping(request, "StartingPosition")
    refuse_unknown("StartingPosition", given, {"Type", "SequenceNumber", "Timestamp"})
    return Place(
        kind=required_text(given, "Type"),
        number=optional_text(given, "SequenceNumber"),
        when=optional_time(given, "Timestamp"),
    )


def _take_seat(account: Account, consumer: Consumer, shard: Shard, now: float) -> None:
    """End the consumer's subscription to this shard, if it may be taken over yet."""
    seat = consumer.seats.get(shard.shard_id)
    if seat is None:
        return
    if now - seat.taken_at < account.settings.takeover_seconds:
        raise AwsError(
            "ResourceInUseException", f"{consumer.arn} has just subscribed to {shard.shard_id}"
        )
    seat.leave(
        AwsError("ResourceInUseException", "another subscription of this consumer took over")
    )
