"""How does the deciding part meet the world? One lock around it, and everybody who waits for it.

Threads that send are in `senders.py`; user code runs on the thread of `calls.py`, never here.
"""

from __future__ import annotations

import atexit
import logging
import os
import random
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from kcl_py.errors import BufferFull, KclError, RecordRefused
from kcl_py.producer.calls import Calls
from kcl_py.producer.core.kept import Kept
from kcl_py.producer.core.machine import ProducerCore
from kcl_py.producer.core.units import Item
from kcl_py.producer.processes import warn_at_exit, watch_forks
from kcl_py.producer.senders import Senders

if TYPE_CHECKING:
    from kcl_py.producer.config import ProducerConfig
    from kcl_py.producer.counters import ProducerCounters
    from kcl_py.producer.port import Port
    from kcl_py.producer.results import PutFailure

_log = logging.getLogger(__name__)

CLOSED: Final = "ProducerClosed"
BROKEN: Final = "ProducerBroken"
HOW_TO_END: Final = "close the producer, or use it in a with-block"
LAST_WORDS_SECONDS: Final = 1.0
"""What a close that ran out of time still gives hooks."""


class Engine:
    """One producer's threads and its deciding part.

    Args:
        config: Everything tunable.
        port: The way to the stream; closed at the end.
        on_failure: Called with every record that is handed back.
        how_to_end: What whoever forgot to end this should do.
        clock: Monotonic seconds.
        rng: Draws keys, and spreads retries.
    """

    def __init__(
        self,
        config: ProducerConfig,
        port: Port,
        *,
        on_failure: Callable[[PutFailure], None] | None,
        how_to_end: str = HOW_TO_END,
        clock: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
    ) -> None:
        self.rng = rng or random.Random(secrets.randbits(64))
        self.core = ProducerCore(config, self.rng)
        self.core.ledger.has_hook = on_failure is not None
        self.lock = threading.Lock()
        self.clock = clock
        self.is_forked = False
        self.how_to_end = how_to_end
        self._process = os.getpid()
        watch_forks(self)
        self.calls = Calls(self.lock, self._changed_in_calls)
        self.config = config
        self._port = port
        self._on_failure = on_failure
        self._changed = threading.Condition(self.lock)
        self._waiters = 0
        self._on_change: list[Callable[[], None]] = []
        self._is_closed = False
        self._is_ended = False
        self._error: BaseException | None = None
        self._senders = Senders(
            self.lock, self.core, port, clock=clock, on_step=self._tell, on_crash=self._break
        )
        self._at_exit = warn_at_exit(self)

    # ------------------------------------------------------------------------------------- putting

    def put(self, item: Item) -> bool:
        """Queue a record; False: there is no room now.

        Raises:
            RuntimeError: The producer is closed, or the process was forked since it was made.
            BufferFull: Waiting would not help, or is not wanted.
        """
        if self.is_forked:
            self.refuse_fork()
        with self.lock:
            if self._is_closed:
                raise self._closed_error()
            core = self.core
            try:
                is_in = core.put(item, self.clock())
            except BaseException:  # such as Ctrl-C between two steps
                core.recount()
                raise
            if is_in:
                if core.stirred:
                    self._senders.stir()
                return True
            if self.config.when_full == "raise" or self.calls.is_current_thread:
                raise BufferFull(
                    f"buffer_bytes = {self.config.buffer_bytes} are taken; put again later"
                )
            self._tell()
            if core.ledger.is_full_of_failures() and self.calls.asked == self.calls.done:
                raise BufferFull(
                    f"{len(core.ledger.kept)} records that could not be delivered fill the buffer; "
                    "take them back by flush(), or give on_failure"
                )
            return False

    def put_first(self, items: Sequence[Item]) -> int:
        """Queue as many as there is room for, from the first on; say how many.

        Raises:
            RuntimeError: As `put`.
        """
        if self.is_forked:
            self.refuse_fork()
        with self.lock:
            if self._is_closed:
                raise self._closed_error()
            core = self.core
            try:
                count = core.put_first(items, self.clock())
            except BaseException:  # as in `put`
                core.recount()
                raise
            if core.stirred:
                self._senders.stir()
        return count

    def put_waiting(self, item: Item) -> None:
        """Queue a record as soon as there is room.

        Raises:
            RuntimeError, BufferFull: As `put`; also after `put_timeout` seconds without room.
        """
        seconds = self.config.put_timeout
        deadline = None if seconds is None else self.clock() + seconds
        while not self.put(item):
            with self.lock:
                # Between the two locks room may have come; looking again costs nothing.
                if not self._has_room_for(item) and not self._wait(deadline):
                    raise self.out_of_patience(item)

    def out_of_patience(self, item: Item) -> BufferFull:
        """What to raise when `put_timeout` is over."""
        return BufferFull(
            f"no room for a record of {item.size} bytes in put_timeout = "
            f"{self.config.put_timeout:g} s; it was not queued: put it again later, or raise "
            "buffer_bytes"
        )

    def _has_room_for(self, item: Item) -> bool:
        return self._is_closed or self.core.ledger.has_room(item)

    # ------------------------------------------------------------------------------ flush and close

    def flush(self, timeout: float | None) -> list[Kept]:
        """Send all that was put until now; return the failures that nobody was told of yet.

        Raises:
            TimeoutError: Some are still on their way; nothing is taken, and they go on.
        """
        self._refuse_from_callback("flush")
        deadline = None if timeout is None else self.clock() + timeout
        with self.lock:
            if not self._flush_until(deadline):
                pending = self.core.ledger.pending
                raise TimeoutError(
                    f"still on their way after {timeout} s: {pending} record"
                    f"{'' if pending == 1 else 's'}; they go on, and the next flush returns what "
                    "became of them"
                )
            failed = self.core.ledger.take_kept()
            self._tell_change()
        return failed

    def close(self, timeout: float | None) -> list[PutFailure]:
        """Flush and end; return what is left that nobody was told of. A second time: nothing."""
        self._refuse_from_callback("close")
        deadline = None if timeout is None else self.clock() + timeout
        with self.lock:
            was_ended, in_time = self._is_ended, True
            if not was_ended:
                self._is_closed = True
                self._tell_change()
                in_time = self._flush_until(deadline)
            if not in_time:
                self.core.abandon(CLOSED, f"the producer was closed, and {timeout} s were over")
            if len(self.core.ledger.kept):
                self._wait_for_calls(self.clock() + LAST_WORDS_SECONDS)
            # Hooks that were not called by now are not called with these any more.
            left = [kept.failure for kept in self.core.ledger.take_kept(owed=True)]
            self._end()
        if in_time and not was_ended:
            self._senders.join()
        self._port.close()
        atexit.unregister(self._at_exit)
        return left

    def _flush_until(self, deadline: float | None) -> bool:
        core = self.core
        epoch = core.begin_flush()
        self._senders.stir()
        try:
            while not core.ledger.is_flushed(epoch) and self._error is None:
                if not self._wait(deadline):
                    return False
        finally:
            core.end_flush()
        return self._wait_for_calls(deadline)

    def _wait_for_calls(self, deadline: float | None) -> bool:
        """Wait until the user's code was told of everything that happened until now."""
        self._tell()
        asked = self.calls.asked
        while self.calls.done < asked:
            if not self._wait(deadline):
                return False
        return True

    def _wait(self, deadline: float | None) -> bool:
        """Wait for any change; False: it is too late. With the lock held."""
        left = None if deadline is None else deadline - self.clock()
        if left is not None and left <= 0:
            return False
        self._waiters += 1
        try:
            self._changed.wait(left)
        finally:
            self._waiters -= 1
        return True

    # ------------------------------------------------------------------------------------ outcomes

    def wait_for(self, item: Item, timeout: float | None) -> None:
        """Wait until a record was delivered or handed back.

        Raises:
            TimeoutError: It is still on its way.
        """
        ended = threading.Event()
        self.listen(item, lambda _item: ended.set())
        if not ended.wait(timeout):
            raise TimeoutError(f"the record is still on its way after {timeout} s")

    def listen(self, item: Item, listener: Callable[[Item], object]) -> None:
        """Call this once the record has ended, under the lock; at once if it has."""
        with self.lock:
            if item.outcome is None:
                item.listeners = [*(item.listeners or ()), listener]
                return
        listener(item)

    def call(self, item: Item, callback: Callable[[Item], object]) -> None:
        """Let the user's code be called once the record has ended."""
        with self.lock:
            if item.outcome is None:
                listener = self._calling(callback)
                item.listeners = [*(item.listeners or ()), listener]
                return
        callback(item)

    def _calling(self, callback: Callable[[Item], object]) -> Callable[[Item], object]:
        return lambda item: self.calls.add(lambda: callback(item))

    def tell(self, kept: Kept) -> None:
        """Note that somebody was told of a failure."""
        with self.lock:
            self.core.ledger.tell(kept)
            self._tell_change()

    def when_room(self, item: Item, wake: Callable[[], None]) -> None:
        """Call this once it may be worth it to put the record again; at once if it is now."""
        with self.lock:
            if not self._has_room_for(item):
                self._on_change.append(wake)
                return
        wake()

    def counters(self) -> ProducerCounters:
        """What was done so far."""
        with self.lock:
            ledger = self.core.ledger
            return replace(ledger.counts, pending=ledger.pending, buffered_bytes=ledger.used)

    def _break(self, error: BaseException) -> None:
        """End for a bug of ours: every record is handed back."""
        _log.critical("producer.broken", exc_info=error)
        with self.lock:
            self._error = error
            self._is_closed = True
            self.core.abandon(BROKEN, f"a bug: {type(error).__name__}; see the log")
            self._tell()
            self._end()

    def _end(self) -> None:
        """Let everybody go. With the lock held."""
        self._is_ended = True
        # Deliveries lead here, unseen by the garbage collector: from here nothing may lead to them.
        self._on_failure = None
        self._senders.end()
        self._tell_change()

    # -------------------------------------------------------------------------------------- telling

    def _tell(self) -> None:
        """Let everybody know who waits for what has just happened. With the lock held."""
        ledger = self.core.ledger
        if ledger.heard:
            heard, ledger.heard = ledger.heard, []
            for item in heard:
                for listener in item.listeners or ():
                    listener(item)
                item.listeners = None
        if ledger.failed:
            failed, ledger.failed = ledger.failed, []
            if self._on_failure is not None:
                for kept in failed:
                    self.calls.add(self._hook_call(self._on_failure, kept))
        if self._waiters or self._on_change:
            self._tell_change()

    def _hook_call(self, hook: Callable[[PutFailure], None], kept: Kept) -> Callable[[], object]:
        def call() -> None:
            if not kept.owed:  # a close that ran out of time has taken it
                return
            returned = False
            try:
                hook(kept.failure)
                returned = True
            finally:
                with self.lock:
                    self.core.ledger.hook_ended(kept, returned=returned)

        return call

    def _tell_change(self) -> None:
        if self._waiters:
            self._changed.notify_all()
        if self._on_change:
            wakes, self._on_change = self._on_change, []
            for wake in wakes:
                wake()

    def _changed_in_calls(self) -> None:
        self._tell_change()

    # ------------------------------------------------------------------------------------- refusing

    def refuse_fork(self) -> None:
        """Raise RuntimeError if the process is another one than where this was made."""
        if self.is_forked:
            raise RuntimeError(
                f"this producer was made in process {self._process}, before a fork; threads and "
                "connections do not survive that: make the producer in the process that uses it"
            )

    def _closed_error(self) -> Exception:
        if self._error is not None:
            return KclError("the producer has failed for a bug; see the log, and make a new one")
        return RuntimeError("the producer is closed; make a new one")

    def _refuse_from_callback(self, what: str) -> None:
        self.refuse_fork()
        if self.calls.is_current_thread:
            raise RuntimeError(
                f"a callback or on_failure cannot {what} its own producer: that waits for it to "
                f"return; {what} in another thread"
            )

    def refuse_size(self, size: int, size_max: int) -> None:
        """Raise RecordRefused if a record is too large for the stream or the buffer."""
        if size > size_max:
            raise RecordRefused(
                f"the record has {size} bytes with its key; the stream takes {size_max}"
            )
        if size > self.core.ledger.size_max:
            raise RecordRefused(
                f"the record has {size} bytes with its key, too many for buffer_bytes = "
                f"{self.config.buffer_bytes}; raise that"
            )
