"""How does a program read a stream without leases? Threads, the clock, and two kinds of `for`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, Self

from kcl_py.aws.retry import Patience
from kcl_py.aws.stream import ShardsSeen, StreamReader
from kcl_py.core.commands import Fetch
from kcl_py.errors import ConfigError, StreamNotFound, Unavailable
from kcl_py.streams.descriptions import ShardRecord
from kcl_py.streams.machine import (
    READS_MAX,
    Ends,
    Note,
    ReadCommand,
    ReadEvent,
    ReadMachine,
    Relisted,
)
from kcl_py.streams.opening import open_reading
from kcl_py.streams.start import ReadFrom, beginning_of
from kcl_py.streams.stream import Stream
from kcl_py.streams.troubles import error_of

if TYPE_CHECKING:
    from types import TracebackType

    from mypy_boto3_kinesis import KinesisClient


_log = logging.getLogger(__name__)
_LEVELS: Final = {"debug": logging.DEBUG, "warning": logging.WARNING}

WAIT_SECONDS_MAX: Final = 3600.0
"""Of one wait; it is begun again."""


class Reader:
    """Iterate records without leases or checkpoints, across reshardings, parents first.

    For tools and scripts. Ends by itself only when told: max_records, until_caught_up,
    idle_timeout.

    Within a shard records come once and in order; those of a child come after those of all of its
    parents. Reading begins, and "latest" is, where `with` is entered (on a loop `async with`), else
    with the first `for`. A second `for` goes on behind the last record that was yielded, and ends
    the first. Any thread may `close`, which ends the iteration.

    Args:
        stream: A handle, or a name or ARN.
        start: Where to begin in the shards that are there; later ones are read from their start. A
            sequence number is a place in one shard, so `shard_ids` then names that one.
        shard_ids: Only these shards and what descends from them.
        deaggregate: Open the aggregated records of the KPL; else they come as they are.
        max_records: End after so many.
        until_caught_up: End after every record that was there when reading began.
        idle_timeout: End after so many seconds without a record.

    Raises:
        ConfigError: An argument is wrong.
    """

    def __init__(
        self,
        stream: Stream | str,
        *,
        start: ReadFrom = "latest",
        shard_ids: Sequence[str] | None = None,
        deaggregate: bool = True,
        max_records: int | None = None,
        until_caught_up: bool = False,
        idle_timeout: float | None = None,
    ) -> None:
        if max_records is not None and max_records < 1:
            raise ConfigError(f"max_records = {max_records!r} is not allowed; use 1 or more")
        if idle_timeout is not None and not idle_timeout > 0:
            raise ConfigError(f"idle_timeout = {idle_timeout!r} is not allowed; use more than 0")
        beginning_of(start)
        self._stream = Stream(stream) if isinstance(stream, str) else stream
        self._start = start
        self._shard_ids = shard_ids
        self._opens = deaggregate
        self._ends = Ends(max_records, until_caught_up, idle_timeout)
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._opening = threading.Lock()
        self._turn = 0
        self._under_way = 0
        self._crash: Exception | None = None
        self._wake: Callable[[], object] = _nobody
        self._answers: deque[ReadEvent] = deque()
        self._has_yielded = False
        self._client: KinesisClient | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._source: StreamReader | None = None
        self._machine: ReadMachine | None = None

    # ---------------------------------------------------------------------------------- iterating

    def __iter__(self) -> Iterator[ShardRecord]:
        """Records as they come. Outside of `with`, "latest" is the moment of the first call."""
        something = threading.Event()
        turn = self._begin(something.set)
        self._open()
        return self._iterate(turn, something)

    def _iterate(self, turn: int, something: threading.Event) -> Iterator[ShardRecord]:
        while not self._closed.is_set():
            something.clear()
            taken = self._next(turn)
            if isinstance(taken, ShardRecord):
                yield taken
            elif taken is None:
                return
            else:
                something.wait(taken)

    def __aiter__(self) -> AsyncIterator[ShardRecord]:
        """The same on a loop. Outside of `with`, "latest" is the moment of the first step."""
        return self._iterate_on_loop()

    async def _iterate_on_loop(self) -> AsyncIterator[ShardRecord]:
        loop, something = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            # The loop may be gone before an answer comes.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(something.set)

        turn = self._begin(wake)
        await asyncio.to_thread(self._open)
        while not self._closed.is_set():
            something.clear()
            taken = self._next(turn)
            if isinstance(taken, ShardRecord):
                yield taken
            elif taken is None:
                return
            else:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(something.wait(), taken)

    def _begin(self, wake: Callable[[], object]) -> int:
        """This iteration has its turn; one before it, left or not, is over."""
        with self._lock:
            before, self._wake = self._wake, wake
            self._turn += 1
            turn = self._turn
            # Until now nobody waited for a record.
            self._has_yielded = True
        before()
        return turn

    def _next(self, turn: int) -> ShardRecord | float | None:
        """A record; or so many seconds to wait for one; or None: it is over."""
        with self._lock:
            if turn != self._turn:
                raise RuntimeError("another iteration of this reader has begun; use one at a time")
            if self._crash is not None:
                raise RuntimeError("a read of this reader crashed, a bug") from self._crash
            machine = self._machine
            if machine is None or self._closed.is_set():
                return None
            while self._answers:
                machine.receive(time.monotonic(), self._answers.popleft())
            while machine.notes:
                _write(machine.notes.popleft())
            if machine.wants_reads:
                self._send_due(machine)
            taken = None if machine.has_enough else machine.take()
            self._has_yielded = self._has_yielded or taken is not None
            if taken is not None:
                return ShardRecord(shard_id=taken[0], record=taken[1])
            return self._wait_seconds(machine)

    def _wait_seconds(self, machine: ReadMachine) -> float | None:
        now = time.monotonic()
        if self._has_yielded:
            machine.resumed(now)
            self._has_yielded = False
        self._send_due(machine)
        if not machine.is_over(now):
            next_at = machine.next_at()
            return WAIT_SECONDS_MAX if next_at is None else max(0.0, next_at - now)
        if machine.broken is not None:
            raise error_of(machine.broken.failure, machine.broken.shard_id)
        return None

    # ------------------------------------------------------------------------------------ reading

    def _open(self) -> None:
        """Find out where to begin; once."""
        with self._opening:
            if self._machine is not None or self._closed.is_set():
                return
            try:
                self._machine = self._opened()
            except Exception:
                # Closed meanwhile: what was asked for is an end, not a reason.
                if not self._closed.is_set():
                    raise
        if self._closed.is_set():
            self.close()

    def _opened(self) -> ReadMachine:
        connection = self._stream._connection  # noqa: SLF001 - of one family
        if self._client is None:
            self._client = connection.new_client()
        if self._pool is None:
            self._pool = ThreadPoolExecutor(READS_MAX, thread_name_prefix="kcl-reader")
        source = self._source = StreamReader(
            client=self._client,
            stream=connection.address,
            patience=Patience(sleep=self._closed.wait, is_stopping=self._closed.is_set),
            opens=self._opens,
        )
        try:
            opened = open_reading(
                source,
                self._start,
                self._shard_ids,
                opens=self._opens,
                wall=time.time,
                gather=self._pool.map,
            )
        except (StreamNotFound, Unavailable) as error:
            raise self._stream._explained(error) from None  # noqa: SLF001 - as above
        return ReadMachine(
            opened.shards,
            opened.entries,
            ignored=opened.ignored,
            takes_all=self._shard_ids is None,
            ends=self._ends,
            rng=random.Random(),
            now=time.monotonic(),
        )

    def _send_due(self, machine: ReadMachine) -> None:
        if self._pool is None:
            return
        for command in machine.due(time.monotonic()):
            self._under_way += 1
            self._pool.submit(self._run, command)

    def _run(self, command: ReadCommand) -> None:
        """In a thread of the pool."""
        if not self._closed.is_set():
            try:
                self._answers.append(self._answer(command))
            except Exception as error:  # noqa: BLE001 - told to whoever iterates
                self._crash = error
            self._wake()
        with self._lock:
            self._under_way -= 1
            self._disconnect()

    def _answer(self, command: ReadCommand) -> ReadEvent:
        assert self._source is not None
        if isinstance(command, Fetch):
            return self._source.fetch(command)
        seen = self._source.list_shards()
        return Relisted(command, seen.shards if isinstance(seen, ShardsSeen) else seen)

    # ------------------------------------------------------------------------------------- ending

    def close(self) -> None:
        """End the iteration, in whatever thread it is; again does nothing.

        A read that is under way is not waited for.
        """
        self._closed.set()
        self._wake()
        with self._lock:
            pool, self._pool = self._pool, None
            self._disconnect()
        if pool is not None:
            pool.shutdown(wait=False)

    def _disconnect(self) -> None:
        """Close connections once nobody uses them: a read under way would only open new ones."""
        if self._closed.is_set() and self._under_way == 0 and self._client is not None:
            self._client.close()
            self._client = None

    def __enter__(self) -> Self:
        try:
            self._open()
        except BaseException:
            self.close()
            raise
        return self

    async def __aenter__(self) -> Self:
        try:
            await asyncio.to_thread(self._open)
        except BaseException:
            self.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _write(note: Note) -> None:
    # In the text too: without a handler of the program's, Python prints the text alone.
    facts = " ".join(f"{name}={value}" for name, value in note.facts.items())
    _log.log(_LEVELS[note.level], "%s %s", note.event, facts, extra=dict(note.facts))


def _nobody() -> None:
    """Nobody waits."""
