"""How does a program with threads put records? `Producer`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Self

from kcl_py.errors import Undelivered
from kcl_py.producer.config import ProducerConfig
from kcl_py.producer.counters import ProducerCounters
from kcl_py.producer.deliveries import ThreadDelivery
from kcl_py.producer.many import put_many
from kcl_py.producer.opening import check_arguments, fill, open_producer

if TYPE_CHECKING:
    from types import TracebackType

    import boto3.session

    from kcl_py.producer.results import Delivery, Encoder, Payload, PutFailure
    from kcl_py.streams.stream import Stream

__all__ = ["Producer"]

_log = logging.getLogger(__name__)


class Producer:
    """Batches, retries only what failed, hands back what could not be delivered.

    Thread-safe; not across fork.
    """

    def __init__(
        self,
        stream: str | Stream,
        *,
        config: ProducerConfig = ProducerConfig(),  # noqa: B008 - frozen, and made to be shared
        encoder: Encoder | None = None,
        on_failure: Callable[[PutFailure], None] | None = None,
        session: boto3.session.Session | None = None,
    ) -> None:
        """Check everything and make clients; ask nobody.

        Args:
            stream: Name, ARN, or a `kcl_py.streams.Stream`, whose region, endpoint and session
                then count where none are given here.
            config: Everything tunable that is plain data.
            encoder: Makes bytes of what is put, in the place of JSON; not asked for bytes and str.
            on_failure: Called with every record that is handed back, in a thread of the producer's.
                If it raises, the record is kept for `flush` and `close`.
            session: The client is made from it; None: the default chain of boto3.

        Raises:
            ConfigError: An argument is wrong; the message names it.
            NoCredentials: There are none.
        """
        check_arguments(stream, config, encoder, on_failure)
        self._opened = open_producer(
            stream, config=config, encoder=encoder, on_failure=on_failure, session=session
        )
        self._engine = self._opened.engine

    def put(
        self, data: Payload, *, key: str | None = None, hash_key: str | int | None = None
    ) -> Delivery:
        """Queue one record. bytes and str go as they are, all else as JSON. No key: random.

        Raises:
            RecordRefused: Too large, a bad key, or not serializable; nothing was queued.
            BufferFull: No room, and `when_full` says raise or `put_timeout` is over; or nothing but
                failures that nobody takes back; or called by a callback of this producer, which
                must not wait.
            RuntimeError: The producer is closed, or the process was forked since it was made.
        """
        opened = self._opened
        item: ThreadDelivery = fill(ThreadDelivery, opened, data, key, hash_key)
        if item.size > opened.size_free:
            opened.check_size(item.size)
        if not self._engine.put(item):
            self._engine.put_waiting(item)
        return item

    def put_many(self, records: Iterable[tuple[Payload, str | None]]) -> Sequence[Delivery]:
        """Queue many records, each (data, key), as `put` one after the other does, at less cost.

        They are taken from `records` 500 at a time and queued then: `put` what trickles in.

        Raises:
            Exception: What `put` raises for one of them, or `records` itself. All before it are
                queued, none after it; RecordRefused and BufferFull have its `index`.
        """
        return put_many(ThreadDelivery, self._opened, records)

    def flush(self, timeout: float | None = None) -> Sequence[PutFailure]:
        """Send all that is queued now; return the failures that nobody has been told of yet.

        That is all of them, once, but those that `on_failure` took and `result()` raised.

        Raises:
            TimeoutError: Some are still on their way; they go on, and a later flush tells.
            RuntimeError: Called by a callback of this producer, or after a fork.
        """
        return [kept.failure for kept in self._engine.flush(timeout)]

    def close(self, timeout: float | None = None) -> None:
        """Flush and end. A second time does nothing.

        Raises:
            Undelivered: With what is left: all that failed or was not delivered in time, and that
                nobody was told of by `flush`, `result()` or `on_failure`. Out of time, calls of
                `on_failure` that have not begun are left out, and one that is still at work has
                its record as well.
            RuntimeError: Called by a callback of this producer, or after a fork.
        """
        left = self._engine.close(timeout)
        if left:
            raise Undelivered(failures=left)

    def counters(self) -> ProducerCounters:
        """What it did so far."""
        return self._engine.counters()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.close()
        except Undelivered as left:
            if error is None:
                raise
            # The exception that is under way says more.
            _log.error("producer.undelivered", extra={"problem": str(left)})
