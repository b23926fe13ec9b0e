"""How does a program with an event loop put records? `AsyncProducer`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Self

from kcl_py.errors import Undelivered
from kcl_py.producer.config import ProducerConfig
from kcl_py.producer.counters import ProducerCounters
from kcl_py.producer.deliveries import LoopDelivery, wake
from kcl_py.producer.many import Page, tell_index
from kcl_py.producer.opening import Opened, check_arguments, fill, open_producer

if TYPE_CHECKING:
    from types import TracebackType

    import boto3.session

    from kcl_py.producer.engine import Engine
    from kcl_py.producer.results import AsyncDelivery, Encoder, Payload, PutFailure
    from kcl_py.streams.stream import Stream

__all__ = ["AsyncProducer"]

_log = logging.getLogger(__name__)


class AsyncProducer:
    """The twin. `await put` waits for room; awaiting what it returns waits for delivery."""

    def __init__(
        self,
        stream: str | Stream,
        *,
        config: ProducerConfig = ProducerConfig(),  # noqa: B008 - frozen, and made to be shared
        encoder: Encoder | None = None,
        on_failure: Callable[[PutFailure], None] | None = None,
        session: boto3.session.Session | None = None,
    ) -> None:
        """Check what can be checked at once; clients are made by the first put, in a thread.

        Args:
            stream: Name, ARN, or a `kcl_py.streams.Stream`, whose region, endpoint and session
                then count where none are given here.
            config: Everything tunable that is plain data.
            encoder: Makes bytes of what is put, in the place of JSON; not asked for bytes and str.
            on_failure: Called with every record that is handed back, in a thread of the producer's,
                not on the loop. If it raises, the record is kept for `flush` and `close`.
            session: The client is made from it; None: the default chain of boto3.

        Raises:
            ConfigError: An argument is wrong; the message names it.
        """
        check_arguments(stream, config, encoder, on_failure)
        self._open = partial(
            open_producer,
            stream,
            config=config,
            encoder=encoder,
            on_failure=on_failure,
            session=session,
        )
        self._opened: Opened | None = None
        self._opening: asyncio.Lock | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_closed = False

    async def put(
        self, data: Payload, *, key: str | None = None, hash_key: str | int | None = None
    ) -> AsyncDelivery:
        """Queue one record, as `Producer.put`; waits for room without blocking the loop.

        Raises:
            RecordRefused: Too large, a bad key, or not serializable; nothing was queued.
            BufferFull: No room, and `when_full` says raise or `put_timeout` is over; or nothing but
                failures that nobody takes back.
            RuntimeError: The producer is closed, or belongs to another loop or process.
        """
        opened = self._opened or await self._make()
        loop = self._refuse_other_loop()
        item: LoopDelivery = fill(LoopDelivery, opened, data, key, hash_key)
        item.loop = loop
        if item.size > opened.size_free:
            await asyncio.to_thread(opened.check_size, item.size)
        if not opened.engine.put(item):
            await self._put_waiting(opened.engine, item, loop)
        return item

    async def put_many(
        self, records: Iterable[tuple[Payload, str | None]]
    ) -> Sequence[AsyncDelivery]:
        """Queue many records, each (data, key), as `put` one after the other does, at less cost.

        They are taken from `records` 500 at a time and queued then, and the loop runs in between.

        Raises:
            Exception: What `put` raises for one of them, or `records` itself. All before it are
                queued, none after it; RecordRefused and BufferFull have its `index`.
        """
        opened = self._opened or await self._make()
        loop = self._refuse_other_loop()
        engine, source = opened.engine, iter(records)
        done: list[LoopDelivery] = []
        while True:
            page = Page(LoopDelivery, opened, source)
            for item in page.all():
                item.loop = loop
            try:
                left = page.items
                while left:
                    count = engine.put_first(left)
                    done += left[:count]
                    left = left[count:]
                    if left:
                        await self._put_waiting(engine, left[0], loop)
                        done.append(left.pop(0))
                if page.error is not None:
                    raise page.error  # noqa: TRY301 - told as what the queue raises
                if page.large is not None:
                    await asyncio.to_thread(opened.check_size, page.large.size)
                    if not engine.put(page.large):
                        await self._put_waiting(engine, page.large, loop)
                    done.append(page.large)
            except Exception as error:
                tell_index(error, len(done))
                raise
            if page.is_last:
                return done
            await asyncio.sleep(0)

    async def flush(self, timeout: float | None = None) -> Sequence[PutFailure]:  # noqa: ASYNC109 - as the twin
        """Send all that is queued now; return the failures that nobody has been told of yet.

        That is all of them, once, but those that `on_failure` took and awaiting raised.

        Raises:
            TimeoutError: Some are still on their way; they go on, and a later flush tells.
        """
        opened = self._opened or await self._make()
        failed = await asyncio.to_thread(opened.engine.flush, timeout)
        return [kept.failure for kept in failed]

    async def close(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - as the twin
        """Flush and end. A second time does nothing.

        Raises:
            Undelivered: With what is left: all that failed or was not delivered in time, and that
                nobody was told of by `flush`, awaiting or `on_failure`. Out of time, calls of
                `on_failure` that have not begun are left out, and one that is still at work has
                its record as well.
        """
        self._is_closed = True
        if self._opened is None:
            return
        left = await asyncio.to_thread(self._opened.engine.close, timeout)
        if left:
            raise Undelivered(failures=left)

    def counters(self) -> ProducerCounters:
        """What it did so far."""
        if self._opened is None:
            return ProducerCounters()
        return self._opened.engine.counters()

    async def __aenter__(self) -> Self:
        await self._make()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self.close()
        except Undelivered as left:
            if error is None:
                raise
            # The exception that is under way says more.
            _log.error("producer.undelivered", extra={"problem": str(left)})

    async def _put_waiting(
        self, engine: Engine, item: LoopDelivery, loop: asyncio.AbstractEventLoop
    ) -> None:
        """As the engine's, without holding up the loop."""
        seconds = engine.config.put_timeout
        deadline = None if seconds is None else loop.time() + seconds
        while True:
            there_is_room: asyncio.Future[None] = loop.create_future()
            engine.when_room(item, partial(wake, loop, there_is_room))
            try:
                async with asyncio.timeout_at(deadline):
                    await there_is_room
            except TimeoutError:
                raise engine.out_of_patience(item) from None
            if engine.put(item):
                return

    async def _make(self) -> Opened:
        if self._is_closed:
            raise RuntimeError("the producer is closed; make a new one")
        self._refuse_other_loop()
        if self._opening is None:
            self._opening = asyncio.Lock()
        async with self._opening:
            if self._opened is None:
                self._opened = await asyncio.to_thread(self._open)
        return self._opened

    def _refuse_other_loop(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        if self._loop is not loop:
            raise RuntimeError("an AsyncProducer belongs to one loop; make one for each")
        return loop
