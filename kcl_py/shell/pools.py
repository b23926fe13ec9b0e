"""Who carries out remote calls, and which one goes first?"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable
from typing import Final, TypeAlias

from kcl_py.shell.threads import OnCrash, spawn

Job: TypeAlias = Callable[[], None]

LEASE_THREADS_MAX: Final = 8
"""Lease writes under way at once; one that hangs for its whole budget leaves the others room."""

TABLE_THREADS_MAX: Final = 3
"""Reads of the table under way at once: a scan, and two that do not wait for it."""

STREAM_THREADS_MAX: Final = 32
"""Reads of shards under way at once. Source: facts/performance.md, no gain was measured above."""


class Pool:
    """Daemon threads that run jobs, most urgent first, in order of arrival among equals.

    A thread is started when a job finds none idle, up to the limit, so that a slow job holds up no
    other while there is room. What a job raises goes to `on_crash`, and the thread goes on.
    """

    def __init__(self, name: str, threads_max: int, on_crash: OnCrash) -> None:
        self._name = name
        self._threads_max = threads_max
        self._on_crash = on_crash
        self._changed = threading.Condition()
        self._jobs: list[tuple[float, int, Job]] = []
        self._order = itertools.count()
        self._idle = 0
        self._threads_count = 0
        self._threads: list[threading.Thread] = []
        self._closed = False

    def submit(self, job: Job, *, urgent_by: float = 0.0) -> None:
        """Run the job as soon as a thread is free; a smaller `urgent_by` goes first. Never blocks.

        After `close` the job is dropped: nobody waits for its answer any more.
        """
        with self._changed:
            if self._closed:
                return
            heapq.heappush(self._jobs, (urgent_by, next(self._order), job))
            if self._idle < len(self._jobs) and self._threads_count < self._threads_max:
                name = f"{self._name}-{self._threads_count}"
                self._threads.append(spawn(name, self._work, self._on_crash))
                self._threads_count += 1
            self._changed.notify()

    def close(self) -> None:
        """Drop what waits; the threads end when the jobs that they are in return."""
        with self._changed:
            self._closed = True
            self._jobs.clear()
            self._changed.notify_all()

    def join(self, timeout: float) -> None:
        """After `close`: wait until the threads have ended, so many seconds at most."""
        with self._changed:
            if not self._changed.wait_for(lambda: not self._threads_count, timeout):
                return
        for thread in self._threads:  # they have nothing to do any more
            thread.join()

    def _work(self) -> None:
        try:
            while (job := self._next()) is not None:
                try:
                    job()
                except BaseException as error:  # noqa: BLE001 - a crash is an event, never silence
                    self._on_crash(threading.current_thread().name, error)
        finally:
            with self._changed:
                self._threads_count -= 1
                self._changed.notify_all()

    def _next(self) -> Job | None:
        with self._changed:
            self._idle += 1
            while not self._jobs and not self._closed:
                self._changed.wait()
            self._idle -= 1
            return None if self._closed else heapq.heappop(self._jobs)[2]
