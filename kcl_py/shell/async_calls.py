"""Where do `async def` processors run, and who cancels them at the fence?"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
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

    def run(
        self, call: AsyncCall, context: contextvars.Context, fence: Fence | None
    ) -> RunningCall:
        """Start a call as a task; wait for it with `RunningCall.wait`.

        Args:
            context: What the task sees and changes; shared by all calls of one processor.
            fence: The call is cancelled when it passes; None: it never is.
        """
        running = RunningCall(self._ready_loop(), self._now, fence)
        running.start(call, context)
        return running

    def close(self) -> None:
        """End our own loop, and with it whatever still runs there. The given one is left alone."""
        loop, thread = self._loop, self._thread
        if loop is not None and thread is not None and thread.is_alive():
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
                self._loop = asyncio.new_event_loop()
                self._thread = spawn("kcl-asyncio", self._serve, self._on_crash)
            return self._loop

    def _serve(self) -> None:
        loop = self._loop
        assert loop is not None
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
            _cancel_all(loop)
        finally:
            loop.close()


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

    def start(self, call: AsyncCall, context: contextvars.Context) -> None:
        """Make the task."""
        self._loop.call_soon_threadsafe(self._begin, call, context)

    def wait(self) -> None:
        """Block until it is over, and raise what it raised."""
        self._outcome.result()

    def look_at_fence(self) -> None:
        """The fence was moved: cancel the call if it has passed. Thread-safe."""
        if not self._outcome.done():
            self._loop.call_soon_threadsafe(self._guard)

    def _begin(self, call: AsyncCall, context: contextvars.Context) -> None:
        self._task = self._loop.create_task(self._perform(call), context=context)
        # A task that is cancelled before its first step never enters its coroutine.
        self._task.add_done_callback(lambda _: self._settle(asyncio.CancelledError()))
        self._watch()

    async def _perform(self, call: AsyncCall) -> None:
        try:
            await call()
        except BaseException as error:  # noqa: BLE001 - SystemExit would end the loop; the driver gets it
            self._settle(error)
        else:
            self._settle(None)

    def _settle(self, error: BaseException | None) -> None:
        if self._outcome.done():
            return
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
