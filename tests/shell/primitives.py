"""What do threads wait for? Locks, queues, futures and loops that know the baton.

As only one thread runs at a time, each is plain data and one condition to wait for.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import queue
import selectors
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from tests.shell.baton import Actor, Baton


class ScenarioOver(BaseException):
    """Ends the threads that a scenario left waiting."""


class Thread(threading.Thread):
    """A real thread that waits for its turn."""

    def __init__(self, baton: Baton, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._baton = baton
        self._actor: Actor | None = None

    def start(self) -> None:
        self._actor = self._baton.new_actor(self.name)
        self._baton.enter(self._actor, self)
        super().start()
        self._baton.switch()

    def run(self) -> None:
        actor = self._actor
        assert actor is not None
        try:
            self._baton.begin(actor)
            super().run()
        except ScenarioOver:
            pass
        finally:
            self._baton.end(actor)

    def is_alive(self) -> bool:
        return self._actor is not None and self._actor.is_alive

    def join(self, timeout: float | None = None) -> None:
        self._baton.block(lambda: not self.is_alive(), timeout)


class Lock:
    """Held by one at a time; taken again by its holder if `is_reentrant`."""

    def __init__(self, baton: Baton, *, is_reentrant: bool = False) -> None:
        self._baton = baton
        self._is_reentrant = is_reentrant
        self._holder: Actor | None = None
        self._depth = 0

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:  # noqa: FBT001, FBT002
        me = self._baton.me()
        if self._is_reentrant and self._holder is me:
            self._depth += 1
            return True
        wait = (0.0 if not blocking else None) if timeout < 0 else timeout
        if not self._baton.block(lambda: self._holder is None, wait):
            return False
        self._holder, self._depth = me, 1
        return True

    def release(self) -> None:
        self._depth -= 1
        if not self._depth:
            self._holder = None
            self._baton.switch()

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class Condition(Lock):
    """Who waits is woken in order; none is woken without a reason, but time."""

    def __init__(self, baton: Baton) -> None:
        super().__init__(baton, is_reentrant=True)
        self._waiting: deque[list[bool]] = deque()

    def wait(self, timeout: float | None = None) -> bool:
        assert self._holder is self._baton.me(), "wait without the lock"
        ticket = [False]
        self._waiting.append(ticket)
        depth, self._depth, self._holder = self._depth, 0, None
        try:
            self._baton.block(lambda: ticket[0], timeout)
        finally:
            if not ticket[0]:
                # By identity: all tickets of those who wait are equal.
                self._waiting = deque(each for each in self._waiting if each is not ticket)
            self.acquire()
            self._depth = depth
        return ticket[0]

    def wait_for(self, predicate: Callable[[], bool], timeout: float | None = None) -> bool:
        while not predicate():
            if not self.wait(timeout):
                return predicate()
        return True

    def notify(self, n: int = 1) -> None:
        assert self._holder is self._baton.me(), "notify without the lock"
        for _ in range(min(n, len(self._waiting))):
            self._waiting.popleft()[0] = True

    def notify_all(self) -> None:
        self.notify(len(self._waiting))


class Event:
    """A flag to wait for."""

    def __init__(self, baton: Baton) -> None:
        self._baton = baton
        self._is_set = False

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True
        self._baton.switch()

    def wait(self, timeout: float | None = None) -> bool:
        return self._baton.block(self.is_set, timeout)


class Queue:
    """First in, first out; both of `queue.Queue` and `queue.SimpleQueue`."""

    def __init__(self, baton: Baton, maxsize: int = 0) -> None:
        self._baton = baton
        self._limit = maxsize or float("inf")
        self.items: deque[Any] = deque()

    def put(self, item: object, block: bool = True, timeout: float | None = None) -> None:  # noqa: FBT001, FBT002
        if len(self.items) >= self._limit and not (
            block and self._baton.block(lambda: len(self.items) < self._limit, timeout)
        ):
            raise queue.Full
        self.items.append(item)
        self._baton.switch()

    def get(self, block: bool = True, timeout: float | None = None) -> Any:  # noqa: FBT001, FBT002
        self._baton.block(lambda: bool(self.items), timeout if block else 0.0)
        if not self.items:
            raise queue.Empty
        return self.items.popleft()

    def put_nowait(self, item: object) -> None:
        self.put(item, block=False)

    def get_nowait(self) -> Any:
        return self.get(block=False)

    def qsize(self) -> int:
        return len(self.items)

    def empty(self) -> bool:
        return not self.items


class Future(concurrent.futures.Future[Any]):
    """The standard one, waiting under the baton."""

    def __init__(self, baton: Baton) -> None:
        super().__init__()
        self._condition: Any = Condition(baton)


class _Selector(selectors.SelectSelector):
    """Waits for other threads and for time alone; nothing else ever wakes our loops."""

    def __init__(self, baton: Baton) -> None:
        super().__init__()
        self._baton = baton
        self.is_woken = False

    def select(self, timeout: float | None = None) -> list[Any]:
        self._baton.block(lambda: self.is_woken, timeout)
        self.is_woken = False
        return []


class Loop(asyncio.SelectorEventLoop):
    """An asyncio loop in virtual time."""

    def __init__(self, baton: Baton) -> None:
        self._baton = baton
        self._waker = _Selector(baton)
        super().__init__(self._waker)

    def time(self) -> float:
        return self._baton.time

    def _write_to_self(self) -> None:
        self._waker.is_woken = True
        self._baton.switch()


def threading_of(baton: Baton) -> SimpleNamespace:
    """What `import threading` means under the baton; what is not there is not allowed."""
    return SimpleNamespace(
        Thread=partial(Thread, baton),
        Lock=partial(Lock, baton),
        RLock=partial(Lock, baton, is_reentrant=True),
        Condition=partial(Condition, baton),
        Event=partial(Event, baton),
        current_thread=threading.current_thread,
        main_thread=threading.main_thread,
        enumerate=threading.enumerate,
        get_ident=threading.get_ident,
    )


def queue_of(baton: Baton) -> SimpleNamespace:
    """What `import queue` means under the baton."""
    return SimpleNamespace(
        SimpleQueue=partial(Queue, baton),
        Queue=partial(Queue, baton),
        Empty=queue.Empty,
        Full=queue.Full,
    )
