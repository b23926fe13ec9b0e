"""What do SIGTERM and SIGINT do to a worker? The first one drains, the second ends at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from kcl_py.shell.signals import draining_on_signals, dumping_on_signal

PROGRAM = """
import signal, sys, threading
from kcl_py.shell.signals import draining_on_signals, dumping_on_signal

never = threading.Event()
with draining_on_signals(lambda: print("draining", flush=True)):
    print("ready", flush=True)
    never.wait()
"""


@pytest.mark.parametrize(
    ("first", "second", "exit_code"),
    [
        (signal.SIGTERM, signal.SIGTERM, 143),
        (signal.SIGINT, signal.SIGINT, 130),
        (signal.SIGINT, signal.SIGTERM, 143),
    ],
)
def test_a_second_signal_ends_the_process_at_once(
    first: signal.Signals, second: signal.Signals, exit_code: int
) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(first)
        assert child.stdout.readline() == "draining\n"
        child.send_signal(second)
        assert child.wait(20) == exit_code


def test_the_first_signal_drains_and_the_old_handlers_come_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    drained = threading.Event()
    with draining_on_signals(drained.set):
        os.kill(os.getpid(), signal.SIGTERM)
        assert drained.wait(10)
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_handler_of_somebody_else_is_left_alone_where_asked() -> None:
    def theirs(*_: object) -> None: ...

    before = signal.signal(signal.SIGTERM, theirs)
    try:
        with draining_on_signals(lambda: None, only_default=True):
            assert signal.getsignal(signal.SIGTERM) is theirs
    finally:
        signal.signal(signal.SIGTERM, before)


def test_outside_of_the_main_thread_signals_are_never_touched() -> None:
    before = signal.getsignal(signal.SIGTERM)
    inside: list[object] = []

    def work() -> None:
        with draining_on_signals(lambda: None):
            inside.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert inside == [before]


FORKING = """
import os, signal, threading, time
from kcl_py.shell.signals import draining_on_signals, dumping_on_signal

with draining_on_signals(lambda: print("draining", flush=True)):
    children = []

    def fork():
        child = os.fork()
        if not child:
            print(os.getpid(), flush=True)
            for _ in range(400):
                time.sleep(0.05)
            os._exit(0)
        children.append(child)

    thread = threading.Thread(target=fork)  # as the thread of a shard would
    thread.start()
    thread.join()
    _, status = os.waitpid(children[0], 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
"""


def test_a_process_that_user_code_forked_is_ended_by_one_signal() -> None:
    """A multiprocessing.Pool waits for ever for a worker that drains instead."""
    child = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", FORKING],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )
    with child:
        assert child.stdout is not None
        forked = int(child.stdout.readline())
        os.kill(forked, signal.SIGTERM)
        assert child.stdout.readline() == f"{-signal.SIGTERM}\n"
        assert child.wait(20) == 0


DUMPS = """
import signal, threading
from kcl_py.shell.signals import dumping_on_signal

with dumping_on_signal(lambda: print("dumped", threading.current_thread().name, flush=True)):
    signal.raise_signal(signal.SIGUSR1)
    input()
    signal.raise_signal(signal.SIGUSR1)
    input()
signal.raise_signal(signal.SIGUSR1)
print("still here")
"""


def test_sigusr1_dumps_as_often_as_it_comes_and_ends_nothing() -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", DUMPS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )
    with child:
        assert child.stdout is not None
        assert child.stdin is not None
        for _ in range(2):
            assert child.stdout.readline() == "dumped kcl-stacks\n"
            child.stdin.write("\n")
            child.stdin.flush()
        assert child.stdout.readline() == "still here\n"
        assert child.wait(20) == 0


def test_a_dump_that_fails_is_told_and_the_next_signal_is_heard(
    caplog: pytest.LogCaptureFixture,
) -> None:
    heard = threading.Semaphore(0)

    def dump() -> None:
        heard.release()
        raise ZeroDivisionError("bug")

    with dumping_on_signal(dump):
        for _ in range(3):
            signal.raise_signal(signal.SIGUSR1)
            assert heard.acquire(timeout=20)

    assert caplog.records[0].message == "stacks.not_dumped"


def test_sigusr1_that_was_left_ignored_is_free() -> None:
    heard = threading.Event()
    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        with dumping_on_signal(heard.set):
            signal.raise_signal(signal.SIGUSR1)
            assert heard.wait(20)
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_sigusr1_of_somebody_else_is_left_alone() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _frame: heard.append(number))
    try:
        with dumping_on_signal(lambda: None):
            signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)

    assert heard == [signal.SIGUSR1]
