"""What do SIGTERM and SIGINT do to a worker? The first one drains, the second ends at once."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from types import FrameType
from typing import TypeAlias

Handler: TypeAlias = Callable[[int, FrameType | None], object] | int | signal.Handlers | None

_log = logging.getLogger(__name__)

EXIT_CODE_BASE = 128
"""Source: POSIX shells; a process ended by signal N is shown as 128 + N."""


@contextlib.contextmanager
def draining_on_signals(
    drain: Callable[[], None], *, only_default: bool = False, second_ends: bool = True
) -> Iterator[None]:
    """Handle both signals inside the block, and put the old handlers back. Main thread only.

    Args:
        drain: Called by the first signal; must be safe in a signal handler.
        only_default: Leave signals alone for which somebody has a handler already.
        second_ends: False: a signal after the first one changes nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    is_draining = False
    process = os.getpid()

    def handle(number: int, _frame: FrameType | None) -> None:
        nonlocal is_draining
        if os.getpid() != process:
            # A process that user code forked: it must end as if we had never been there.
            _put_back(before)
            signal.raise_signal(number)
            return
        if is_draining:
            if second_ends:
                end_now(EXIT_CODE_BASE + number)
            return
        is_draining = True
        drain()

    numbers = [
        number
        for number in (signal.SIGTERM, signal.SIGINT)
        if not only_default or signal.getsignal(number) is signal.SIG_DFL
    ]
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield
    finally:
        _put_back(before)


@contextlib.contextmanager
def dumping_on_signal(dump: Callable[[], None]) -> Iterator[None]:
    """Let SIGUSR1 call `dump`, in a thread of its own, inside the block. Main thread only.

    Left alone where somebody handles that signal already, and where there is none (Windows).
    Afterwards it is ignored: one that comes late must not end the process.
    """
    number = getattr(signal, "SIGUSR1", None)
    is_ours = threading.current_thread() is threading.main_thread()
    # Who started this process may have left it ignored; then nobody handles it either.
    free = (signal.SIG_DFL, signal.SIG_IGN)
    if number is None or not is_ours or signal.getsignal(number) not in free:
        yield
        return
    wanted: queue.SimpleQueue[str] = queue.SimpleQueue()  # safe in signal handlers

    def work() -> None:
        while wanted.get():
            try:
                dump()
            except Exception as error:  # noqa: BLE001 - the next signal is heard as well
                bug = {"error_type": type(error).__qualname__}
                _log.error("stacks.not_dumped", exc_info=True, extra=bug)

    thread = threading.Thread(target=work, name="kcl-stacks", daemon=True)
    thread.start()
    signal.signal(number, lambda _number, _frame: wanted.put("dump"))
    try:
        yield
    finally:
        signal.signal(number, signal.SIG_IGN)
        wanted.put("")


def _put_back(before: Mapping[signal.Signals, Handler]) -> None:
    for number, handler in before.items():
        # None: it was not set from Python, and Python cannot put it back.
        signal.signal(number, signal.SIG_DFL if handler is None else handler)


def end_now(exit_code: int) -> None:
    """End the process without waiting for any thread: leases expire, as after a kill."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # closed, or in the middle of a write
            stream.flush()
    os._exit(exit_code)
