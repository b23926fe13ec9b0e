"""Who sends? Threads that ask the deciding part for their next command themselves.

One idle sender watches the time; the others sleep until they are needed. Threads are started when
they are.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from kcl_py.producer.core.commands import Command, Send
from kcl_py.producer.core.machine import SENDS_MAX, ProducerCore

if TYPE_CHECKING:
    from kcl_py.producer.port import Port

THREADS_MAX: Final = SENDS_MAX + 1
"""One more than requests, so that somebody watches the time."""


class Senders:
    """The threads of a producer.

    Args:
        lock: Around the core.
        core: What to do.
        port: The way to the stream.
        clock: Monotonic seconds.
        on_step: Called with the lock held after everything that the core was told or asked.
        on_crash: Called without it when a thread ends for a bug.
    """

    def __init__(
        self,
        lock: threading.Lock,
        core: ProducerCore,
        port: Port,
        *,
        clock: Callable[[], float],
        on_step: Callable[[], None],
        on_crash: Callable[[BaseException], None],
    ) -> None:
        self._lock = lock
        self._core = core
        self._port = port
        self._clock = clock
        self._on_step = on_step
        self._on_crash = on_crash
        self._watch = threading.Condition(lock)
        self._idle = threading.Condition(lock)
        self._is_watched = False
        self._watched_until = math.inf
        self._idle_count = 0
        self._threads: list[threading.Thread] = []
        self._is_ended = False

    def stir(self) -> None:
        """Look at the core: there is something to do earlier than it said. With the lock held."""
        self._core.stirred = False
        if self._is_watched:
            self._watch.notify()
        else:
            self._find_watcher()

    def end(self) -> None:
        """Let the threads end, each after its request. With the lock held."""
        self._is_ended = True
        self._watch.notify_all()
        self._idle.notify_all()

    def join(self) -> None:
        """Wait until they have ended."""
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        try:
            while True:
                with self._lock:
                    command = self._next_command()
                if command is None:
                    return
                self._carry_out(command)
        except BaseException as error:  # noqa: BLE001 - a bug of ours must not lose records
            self._on_crash(error)

    def _next_command(self) -> Command | None:
        """Return what to do next, waiting for it; None: nothing ever. With the lock held."""
        core = self._core
        while not self._is_ended:
            now = self._clock()
            command = core.poll(now)
            self._on_step()
            due = core.next_due()
            core.stirred = False
            if self._is_watched and due is not None and due < self._watched_until:
                # Whoever watches does not know of what was answered since.
                self._watch.notify()
            if command is not None:
                if not self._is_watched:
                    self._find_watcher()
                return command
            if self._is_watched:
                self._idle_count += 1
                self._idle.wait()
                self._idle_count -= 1
            else:
                self._is_watched = True
                self._watched_until = math.inf if due is None else due
                self._watch.wait(None if due is None else max(0.0, due - now))
                self._is_watched = False
        return None

    def _carry_out(self, command: Command) -> None:
        if isinstance(command, Send):
            said = self._port.put(command.units)
            with self._lock:
                self._core.answered(command.send_id, said, self._clock())
                self._on_step()
        else:
            shards = self._port.list_shards()
            with self._lock:
                self._core.listed(shards, self._clock())
                self._on_step()

    def _find_watcher(self) -> None:
        if self._idle_count:
            self._idle.notify()
        elif len(self._threads) < THREADS_MAX:
            name = f"kcl-producer-{len(self._threads)}"
            thread = threading.Thread(target=self._serve, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()
