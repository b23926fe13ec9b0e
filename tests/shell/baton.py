"""In which order do the threads of the shell run? One drawn from a seed, and only one at a time.

The threads are real. Each waits at a gate of its own until the one that runs hands it the baton:
when it waits for a lock, a queue or a time, when it touches one, and, as the seed wants it, between
any two lines of the shell. Time is virtual: it moves when everybody waits, and by hold-ups from the
seed, which are what a machine under load does to a thread. The same seed gives the same order.

The shell is not changed for it: `threading`, `queue` and `Future`, as its modules name them, are
replaced while a `Baton` is in use.
"""

from __future__ import annotations

import _thread
import asyncio
import contextlib
import hashlib
import importlib
import logging
import os
import pkgutil
import random
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

import kcl_py.processor
import kcl_py.shell
import kcl_py.shell.reporting
import kcl_py.worker
from kcl_py.shell.clock import Clock
from tests.shell import primitives

REAL_SECONDS = 300.0
"""After so long on a real clock somebody waits for something that is not under the baton."""

SWITCHES_MAX = 400_000
SECONDS_MAX = 250.0
"""Threads that pass the baton on so often, or for so long, get nowhere."""

TICK = 1e-6
"""Seconds that pass with every switch, so that no two readings are the same."""

START = 1_000.0
WALL_AHEAD = 1_000_000.0


def seeds(count: int) -> Sequence[int]:
    """Return that many seeds.

    `KCL_SHELL_SEED=7 pytest ...` runs that one alone, `KCL_SHELL_SEEDS=1000` so many.
    """
    chosen, wanted = os.environ.get("KCL_SHELL_SEED"), os.environ.get("KCL_SHELL_SEEDS")
    return range(int(wanted or count)) if chosen is None else (int(chosen),)


class Stuck(AssertionError):
    """Nobody can go on, ever; or somebody waits for what the baton does not know."""


class Actor:
    """One thread under the baton.

    Attributes:
        ready: What it waits for; None: nothing.
        deadline: Virtual time at which it goes on all the same.
        weight: How often it is chosen, against the others.
        reading: Step and value of its last look at the clock.
    """

    def __init__(self, name: str, weight: float) -> None:
        self.name = name
        self.weight = weight
        self.gate = _thread.allocate_lock()
        self.gate.acquire()
        self.ready: Callable[[], bool] | None = None
        self.deadline: float | None = None
        self.is_alive = True
        self.reading = (0, 0.0)
        self.thread: threading.Thread | None = None

    def can_run(self, now: float) -> bool:
        if self.ready is None or (self.deadline is not None and self.deadline <= now):
            return True
        return self.ready()


class Baton:
    """Runs the threads that are made inside `with`, one at a time.

    Args:
        seed: Everything is drawn from it.
        line_rate: How often a thread is interrupted between two lines; None: as the seed wants it.
        hold_up_rate: How often time passes while threads could run.
        hold_up_max: Longest such time, seconds.
        is_fair: Every thread gets its turns; otherwise the seed favours and starves some.

    Attributes:
        step: Grows with everything that happens; orders what happens at one time.
        actors: All threads so far, in the order of their start.
        log: Who went on, when, and what was noted.
    """

    def __init__(
        self,
        seed: int | str,
        *,
        line_rate: float | None = None,
        hold_up_rate: float | None = None,
        hold_up_max: float = 0.3,
        is_fair: bool = False,
    ) -> None:
        self.seed = seed
        rng = self.rng = random.Random(f"baton {seed}")
        drawn = rng.choice((0.0, 0.002, 0.02, 0.2))
        self._line_rate = drawn if line_rate is None else line_rate
        drawn = rng.choice((0.0, 0.0, 0.001, 0.01))
        self._hold_up_rate = drawn if hold_up_rate is None else hold_up_rate
        self._hold_up_max = hold_up_max
        self._weights = (1.0,) if is_fair else (1.0, 1.0, 1.0, 0.02, 30.0)
        self._keep_rate = rng.choice((0.0, 0.6, 0.9))
        self.time = START
        self.step = 0
        self.log: list[str] = []
        self.actors: list[Actor] = []
        self._by_ident: dict[int, Actor] = {}
        self._is_over = False
        self._why: str | None = None
        self._switches = 0
        self._undo: list[Callable[[], None]] = []
        self._main = Actor("main", 1.0)
        self._running = self._main

    # ------------------------------------------------------------------------------ for scenarios

    @property
    def clock(self) -> Clock:
        """The clock to give to the shell."""
        return Clock(now=self.now, wall=lambda: self.time + WALL_AHEAD)

    def now(self) -> float:
        """Read the clock; others may run before the reader does anything with what it read."""
        self.step += 1
        reading = self.time
        actor = self.me()
        if actor is not None:
            actor.reading = (self.step, reading)
            self.switch()
        return reading

    def sleep(self, seconds: float) -> None:
        """Wait in virtual time."""
        self.block(lambda: False, seconds)

    def until(self, is_true: Callable[[], bool], timeout: float | None = None) -> bool:
        """Wait until it is true; say whether it is."""
        return self.block(is_true, timeout)

    def spawn(self, target: Callable[[], object], name: str = "user") -> threading.Thread:
        """Start a thread of the scenario's own."""
        thread = primitives.Thread(self, target=target, name=name, daemon=True)
        thread.start()
        return thread

    def note(self, text: str) -> int:
        """Write it down and return the step."""
        self.step += 1
        actor = self.me()
        self.log.append(f"{self.step} {self.time:.6f} {actor and actor.name}: {text}")
        return self.step

    def alive(self) -> list[str]:
        """Return the names of the threads that have not ended, but for the main one."""
        return [actor.name for actor in self.actors if actor.is_alive]

    def digest(self) -> str:
        """Return a hash of everything in the log: the same for the same order."""
        return hashlib.sha256("\n".join(self.log).encode()).hexdigest()

    # ----------------------------------------------------------------------------- for primitives

    def me(self) -> Actor | None:
        """Return who is calling; None: a thread that is not under the baton."""
        return self._by_ident.get(threading.get_ident())

    def switch(self) -> None:
        """Let others run first, perhaps."""
        me = self.me()
        if me is not None and me is self._running and not self._is_over:
            self.block(None, None)

    def block(self, ready: Callable[[], bool] | None, timeout: float | None) -> bool:
        """Let others run until this holds; say whether it does, or the time is over."""
        me = self.me()
        assert me is not None, f"{threading.current_thread().name} is not under the baton"
        self._leave_if_over(me)
        me.ready = ready
        me.deadline = None if timeout is None else self.time + timeout
        self._pass_on(me)
        self._wait_at_gate(me)
        me.ready, me.deadline = None, None
        return ready is None or ready()

    def enter(self, actor: Actor, thread: threading.Thread) -> None:
        """Make a thread known that is about to start; it waits for its turn."""
        actor.thread = thread
        self.actors.append(actor)

    def begin(self, actor: Actor) -> None:
        """Wait for the first turn of this thread."""
        self._by_ident[threading.get_ident()] = actor
        self._wait_at_gate(actor)
        self._set_trace()

    def end(self, actor: Actor) -> None:
        """Hand the baton on for the last time."""
        sys.settrace(None)
        actor.is_alive = False
        del self._by_ident[threading.get_ident()]
        if not self._is_over:
            self._pass_on(actor)

    def new_actor(self, name: str) -> Actor:
        """Return an actor that the seed has given its weight."""
        return Actor(name, self.rng.choice(self._weights))

    # ------------------------------------------------------------------------------- the next one

    def _pass_on(self, me: Actor) -> None:
        self.step += 1
        self.time += TICK
        self._switches += 1
        if self._switches > SWITCHES_MAX or self.time > START + SECONDS_MAX:
            self._give_up("threads pass the baton on and on")
            return
        if self._hold_up_rate and self.rng.random() < self._hold_up_rate:
            self.time += self.rng.uniform(0.0, self._hold_up_max)
        if me.is_alive and self.rng.random() < self._keep_rate and me.can_run(self.time):
            me.gate.release()
            return
        chosen = self._choose()
        if chosen is None:
            return
        if chosen is not me:
            self.log.append(f"{self.step} {self.time:.6f} -> {chosen.name}")
        self._running = chosen
        chosen.gate.release()

    def _choose(self) -> Actor | None:
        """Choose who goes on; None: nobody can, and the main thread is told so."""
        everybody = [self._main, *(actor for actor in self.actors if actor.is_alive)]
        able = [actor for actor in everybody if actor.can_run(self.time)]
        if not able:
            deadlines = [actor.deadline for actor in everybody if actor.deadline is not None]
            if not deadlines:
                self._give_up("every thread waits for ever")
                return None
            self.time = max(self.time, min(deadlines))
            able = [actor for actor in everybody if actor.can_run(self.time)]
        return self.rng.choices(able, [actor.weight for actor in able])[0]

    def _give_up(self, why: str) -> None:
        self._why = f"{why} at {self.time:.6f}: {', '.join(['main', *self.alive()])}\n{stacks()}"
        self._is_over = True
        self._main.gate.release()

    def _wait_at_gate(self, actor: Actor) -> None:
        if actor is not self._main:
            actor.gate.acquire()
        elif not actor.gate.acquire(timeout=REAL_SECONDS):
            self._is_over = True
            raise Stuck(f"{self._running.name} waits outside of the baton\n{stacks()}")
        self._leave_if_over(actor)

    def _leave_if_over(self, actor: Actor) -> None:
        if self._is_over:
            raise Stuck(self._why) if actor is self._main else primitives.ScenarioOver

    # --------------------------------------------------------------------------- between the lines

    def _set_trace(self) -> None:
        if self._line_rate:
            sys.settrace(self._trace_call)

    def _trace_call(self, frame: FrameType, event: str, arg: object) -> Any:
        return self._trace_line if frame.f_code.co_filename in FILES else None

    def _trace_line(self, frame: FrameType, event: str, arg: object) -> Any:
        if event == "line" and self.rng.random() < self._line_rate:
            self.switch()
        return self._trace_line

    # ---------------------------------------------------------------------------- in and out of use

    def __enter__(self) -> Self:
        self._by_ident[threading.get_ident()] = self._main
        for module in MODULES:
            self.replace(module, "threading", primitives.threading_of(self))
            self.replace(module, "queue", primitives.queue_of(self))
            self.replace(module, "Future", partial(primitives.Future, self))
        self.replace(asyncio, "new_event_loop", partial(primitives.Loop, self))
        self._set_trace()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        sys.settrace(None)
        self._is_over = True
        logging.disable()  # what threads say that are ended on their way is not news
        for actor in self.actors:
            if actor.is_alive and actor.thread is not None:
                with contextlib.suppress(RuntimeError):  # it was stopped on its way to its gate
                    actor.gate.release()
                threading.Thread.join(actor.thread, 5.0)
        logging.disable(logging.NOTSET)
        if error is not None:
            error.add_note(f"KCL_SHELL_SEED={self.seed} replays it")
        for undo in reversed(self._undo):
            undo()

    def replace(self, module: Any, name: str, value: object) -> None:
        """Set a name of a module, if it has it, until the baton is put down."""
        if hasattr(module, name):
            self._undo.append(partial(setattr, module, name, getattr(module, name)))
            setattr(module, name, value)


def _modules() -> Iterator[Any]:
    """All modules of the shell, so that one that is new is under the baton, too."""
    yield kcl_py.worker
    for found in pkgutil.iter_modules(kcl_py.shell.__path__):
        yield importlib.import_module(f"kcl_py.shell.{found.name}")


def stacks() -> str:
    """Where every thread of the process is."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    return "\n".join(
        f"{names.get(ident, ident)}:\n{''.join(traceback.format_stack(frame)[-6:])}"
        for ident, frame in sys._current_frames().items()
    )


MODULES = tuple(_modules())

FILES = frozenset(
    {str(module.__file__) for module in MODULES if module is not kcl_py.shell.reporting}
    | {str(path) for path in Path(kcl_py.processor.__path__[0]).glob("*.py")}
)
"""Where a thread may be interrupted between two lines.

Not in what logs: how many lines that takes depends on how the program logs, and on what ran before.
"""
