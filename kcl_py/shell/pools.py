"""Who carries out remote calls, and which one goes first?"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable
from functools import partial
from typing import Final, TypeAlias

from kcl_py.shell.threads import OnCrash, spawn

Job: TypeAlias = Callable[[], None]

LEASE_THREADS_MAX: Final = 8
"""Lease writes under way at once; one that hangs for its whole budget leaves the others room."""

TABLE_THREADS_MAX: Final = 3
"""Reads of the table under way at once: a scan, and two that do not wait for it."""

STREAM_THREADS_MAX: Final = 32
"""Reads of shards under way at once. Source: facts/performance.md, no gain was measured above."""


class _Seat:
    """Where one thread of a pool waits for its next job; closed while it has none."""

    __slots__ = ("gate", "job")

    def __init__(self, job: Job) -> None:
        self.job: Job | None = job
        self.gate = threading.Lock()
        self.gate.acquire()

    def give(self, job: Job | None) -> None:
        """Wake the thread with this job; None: it ends."""
        self.job = job
        self.gate.release()


class Pool:
    """Daemon threads that run jobs, most urgent first, in order of arrival among equals.

    A job goes to the thread that became idle last: its stack, its heap and its connection are still
    in the caches. Without an idle one a thread is started, up to the limit, so that a slow job
    holds up no other while there is room; after that jobs wait. What a job raises goes to
    `on_crash`, and the thread goes on.
    """

    def __init__(self, name: str, threads_max: int, on_crash: OnCrash) -> None:
        self._name = name
        self._threads_max = threads_max
        self._on_crash = on_crash
        self._lock = threading.Lock()
        self._jobs: list[tuple[float, int, Job]] = []
        self._order = itertools.count()
        self._idle: list[_Seat] = []
        self._threads_count = 0
        self._threads: list[threading.Thread] = []
        self._closed = False
        self._empty = threading.Event()

    def submit(self, job: Job, *, urgent_by: float = 0.0) -> None:
        """Run the job as soon as a thread is free; a smaller `urgent_by` goes first. Never blocks.

        After `close` the job is dropped: nobody waits for its answer any more.
        """
        with self._lock:
            if self._closed:
                return
            if self._idle:
                self._idle.pop().give(job)
            elif self._threads_count < self._threads_max:
                name = f"{self._name}-{self._threads_count}"
                work = partial(self._work, _Seat(job))
                self._threads.append(spawn(name, work, self._on_crash))
                self._threads_count += 1
            else:
                heapq.heappush(self._jobs, (urgent_by, next(self._order), job))

    def close(self) -> None:
        """Drop what waits; the threads end when the jobs that they are in return."""
        with self._lock:
            self._closed = True
            self._jobs.clear()
            while self._idle:
                self._idle.pop().give(None)
            if not self._threads_count:
                self._empty.set()

    def join(self, timeout: float) -> None:
        """After `close`: wait until the threads have ended, so many seconds at most."""
        if not self._empty.wait(timeout):
            return
        for thread in self._threads:  # they have nothing to do any more
            thread.join()

    def _work(self, seat: _Seat) -> None:
        try:
            while (job := self._next(seat)) is not None:
                try:
                    job()
                except BaseException as error:  # noqa: BLE001 - a crash is an event, never silence
                    self._on_crash(threading.current_thread().name, error)
        finally:
            with self._lock:
                self._threads_count -= 1
                if self._closed and not self._threads_count:
                    self._empty.set()

    def _next(self, seat: _Seat) -> Job | None:
        """Return the next job for this thread, waiting for it; None: the pool is closed."""
        if seat.job is None:
            with self._lock:
                if self._closed:
                    return None
                if self._jobs:
                    return heapq.heappop(self._jobs)[2]
                self._idle.append(seat)
            seat.gate.acquire()
        job, seat.job = seat.job, None
        return job
