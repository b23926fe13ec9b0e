"""Where do `async def` processors run, and who cancels them at the fence?"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future, InvalidStateError
from functools import partial
from typing import Any, Final, TypeAlias

from kcl_py.processor import Fence
from kcl_py.shell.threads import OnCrash, spawn

AsyncCall: TypeAlias = Callable[[], Coroutine[Any, Any, None]]

LOOK_SECONDS: Final = 1.0
"""Longest time between two looks at a fence that renewals move."""


class AsyncCalls:
    """One asyncio loop for all shards: the given one, or one of our own in a thread of its own.

    Args:
        now: Reads the clock that fences are on.
        loop: That of `run_async`; None: our own is started when it is first needed.
    """

    def __init__(
        self,
        now: Callable[[], float],
        on_crash: OnCrash,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._now = now
        self._on_crash = on_crash
        self._loop = loop
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._open: set[RunningCall] = set()
        self._is_ending = False

    def run(
        self, call: AsyncCall, context: contextvars.Context, fence: Fence | None
    ) -> RunningCall:
        """Start a call as a task; wait for it with `RunningCall.wait`.

        Args:
            context: What the task sees and changes; shared by all calls of one processor.
            fence: The call is cancelled when it passes; None: it never is.

        Raises:
            RuntimeError: The loop has ended.
        """
        loop = self._ready_loop()
        running = RunningCall(loop, self._now, fence)
        self._open.add(running)
        running.when_over(lambda: self._open.discard(running))
        loop.call_soon_threadsafe(self._begin, running, call, context)
        return running

    def close(self) -> None:
        """End our own loop, and with it whatever still runs there. The given one is left alone."""
        loop, thread = self._loop, self._thread
        if loop is not None and thread is not None and thread.is_alive():
            with contextlib.suppress(RuntimeError):  # it has just ended
                loop.call_soon_threadsafe(loop.stop)
            if threading.current_thread() is not thread:
                thread.join(1.0)

    def stacks(self) -> str:
        """Where every task of the loop waits; places in code, no values."""
        loop = self._loop
        tasks = () if loop is None or loop.is_closed() else asyncio.all_tasks(loop)
        return "".join(
            f"\nTask {task.get_name()}:\n" + "".join(_places(task.get_coro())) for task in tasks
        )

    def _ready_loop(self) -> asyncio.AbstractEventLoop:
        with self._starting:
            if self._loop is None:
                loop = asyncio.new_event_loop()
                # Kept only with a thread that serves it, else the next call would wait for ever.
                try:
                    serve = partial(self._serve, loop)
                    self._thread = spawn("kcl-asyncio", serve, self._on_crash)
                except BaseException:
                    loop.close()
                    raise
                self._loop = loop
            return self._loop

    def _begin(self, running: RunningCall, call: AsyncCall, context: contextvars.Context) -> None:
        if self._is_ending:
            running.end()
        else:
            running.begin(call, context)

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
        finally:
            self._is_ending = True
            try:
                _cancel_all(loop)
            finally:
                loop.close()
                for running in tuple(self._open):
                    running.end()


class RunningCall:
    """One call of user code, as a task on the loop."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, now: Callable[[], float], fence: Fence | None
    ) -> None:
        self._loop = loop
        self._now = now
        self._fence = fence
        self._task: asyncio.Task[None] | None = None
        self._outcome: Future[None] = Future()

    def begin(self, call: AsyncCall, context: contextvars.Context) -> None:
        """Make the task. On the loop."""
        self._task = self._loop.create_task(self._perform(call), context=context)
        # A task that is cancelled before its first step never enters its coroutine.
        self._task.add_done_callback(lambda _: self._settle(asyncio.CancelledError()))
        self._watch()

    def wait(self) -> None:
        """Block until it is over, and raise what it raised."""
        self._outcome.result()

    def look_at_fence(self) -> None:
        """The fence was moved: cancel the call if it has passed. Thread-safe."""
        if not self._outcome.done():
            try:
                self._loop.call_soon_threadsafe(self._guard)
            except RuntimeError:
                self.end()

    def when_over(self, then: Callable[[], None]) -> None:
        """Call this once it is over."""
        self._outcome.add_done_callback(lambda _: then())

    def end(self) -> None:
        """The loop has ended, and the call with it, wherever it was."""
        self._settle(asyncio.CancelledError())

    async def _perform(self, call: AsyncCall) -> None:
        try:
            await call()
        except BaseException as error:  # noqa: BLE001 - SystemExit would end the loop; the driver gets it
            self._settle(error)
        else:
            self._settle(None)

    def _settle(self, error: BaseException | None) -> None:
        with contextlib.suppress(InvalidStateError):  # it was settled before
            if error is None:
                self._outcome.set_result(None)
            else:
                self._outcome.set_exception(error)

    def _watch(self) -> None:
        if self._fence is not None and not self._outcome.done():
            left = self._fence.until - self._now()
            if left > 0:
                self._loop.call_later(min(left, LOOK_SECONDS), self._watch)
            else:
                self._guard()

    def _guard(self) -> None:
        fence, task = self._fence, self._task
        if fence is not None and task is not None and fence.until <= self._now():
            task.cancel("the lease is lost")


def _places(awaited: object) -> Iterator[str]:
    """Follow what waits for what; a task shows its outermost frame alone."""
    while awaited is not None:
        frame = getattr(awaited, "cr_frame", None)
        if frame is not None:
            yield f"  {frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}\n"
        awaited = getattr(awaited, "cr_await", None)


def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.wait(tasks, timeout=1.0))
    loop.run_until_complete(loop.shutdown_asyncgens())
