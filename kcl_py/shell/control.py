"""Who owns the core? One thread: it hands in event after event and carries out the answers."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, Protocol, TypeAlias

from kcl_py.core.commands import Command, Finish
from kcl_py.core.events import Event, WallRead, Woken
from kcl_py.errors import KclError
from kcl_py.shell.clock import Clock
from kcl_py.status import WorkerStatus

WAIT_SECONDS_MAX: Final = 1.0
"""Longest sleep: the wall clock is read at least so often."""

WALL_SECONDS: Final = 0.2
"""Pause between two readings of the wall clock, while events arrive."""


class Core(Protocol):
    """What decides; see `WorkerCore`."""

    def start(self, now: float, wall: float) -> list[Command]:
        """Begin."""

    def receive(self, now: float, event: Event) -> list[Command]:
        """Take one event in."""

    def next_wakeup(self) -> float | None:
        """Return when it wants to hear again, at the latest."""

    def status(self, now: float) -> WorkerStatus:
        """Describe itself."""


class StatusAsked:
    """Somebody wants the core's status, which its own thread alone may read."""

    def __init__(self) -> None:
        self.answer: Future[WorkerStatus] = Future()


Letter: TypeAlias = Event | StatusAsked


class Mailbox:
    """All that reaches the control thread. `put` is safe in signal handlers: it takes no lock."""

    def __init__(self) -> None:
        self._letters: queue.SimpleQueue[Letter] = queue.SimpleQueue()
        self._is_closed = False

    def put(self, letter: Letter) -> None:
        """Hand it to the control thread; never blocks. Questions after its end are cancelled."""
        if self._is_closed and isinstance(letter, StatusAsked):
            letter.answer.cancel()
        else:
            self._letters.put(letter)

    def close(self) -> None:
        """The control thread reads no more."""
        self._is_closed = True

    def take(self, timeout: float) -> Letter | None:
        """Wait for the next one, so many seconds at most."""
        try:
            return self._letters.get(timeout=timeout) if timeout > 0 else self._letters.get_nowait()
        except queue.Empty:
            return None


class Control:
    """The loop of the control thread. The clock is read *before* the core is asked.

    A fence counts from the instant at which its command was emitted, so an early reading errs on
    the safe side; and an answer counts from when it was taken out of the mailbox, which is later
    than its arrival: on the safe side again.
    """

    def __init__(
        self, core: Core, mailbox: Mailbox, clock: Clock, execute: Callable[[Command], None]
    ) -> None:
        self._core = core
        self._mailbox = mailbox
        self._clock = clock
        self._execute = execute
        self._finish: Finish | None = None
        self._wall_due = 0.0

    def run(self) -> KclError | None:
        """Run until the core is done, and return the error that stopped it, if one did.

        Whatever the core or a command raises escapes from here: it is a bug.
        """
        now = self._clock.now()
        self._carry_out(self._core.start(now, self._clock.wall()))
        while self._finish is None:
            self._turn()
        return self._finish.error

    def _turn(self) -> None:
        letter = self._mailbox.take(self._wait_seconds())
        # First, so that a machine that was restored from a snapshot fences before all else.
        self._read_wall()
        now = self._clock.now()
        if isinstance(letter, StatusAsked):
            self._answer(letter, now)
        elif self._finish is None:
            self._carry_out(self._core.receive(now, Woken() if letter is None else letter))

    def _read_wall(self) -> None:
        if self._clock.now() < self._wall_due:
            return
        reading = self._clock.both()
        if reading is not None:
            now, wall = reading
            self._wall_due = now + WALL_SECONDS
            self._carry_out(self._core.receive(now, WallRead(wall)))

    def answer_the_rest(self) -> None:
        """Answer the questions that came too late for the loop; later ones need not wait."""
        self._mailbox.close()
        while (letter := self._mailbox.take(0.0)) is not None:
            if isinstance(letter, StatusAsked):
                with contextlib.suppress(BaseException):  # whoever asked is told
                    self._answer(letter, self._clock.now())

    def _answer(self, question: StatusAsked, now: float) -> None:
        try:
            question.answer.set_result(self._core.status(now))
        except BaseException as error:
            question.answer.set_exception(error)
            raise

    def _wait_seconds(self) -> float:
        wakeup = self._core.next_wakeup()
        if wakeup is None:
            return WAIT_SECONDS_MAX
        return min(max(wakeup - self._clock.now(), 0.0), WAIT_SECONDS_MAX)

    def _carry_out(self, commands: list[Command]) -> None:
        for command in commands:
            if isinstance(command, Finish):
                self._finish = self._finish or command
            else:
                self._execute(command)
