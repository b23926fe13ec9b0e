"""Do the adverse scenarios catch what they are made for? One planted bug of the shell for each."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from kcl_py.core.commands import WriteRow
from kcl_py.core.events import StopAsked
from kcl_py.shell.async_calls import RunningCall
from kcl_py.shell.control import Control
from kcl_py.shell.pools import Pool
from kcl_py.shell.remote import Remote
from kcl_py.shell.run import ProcessorRun
from kcl_py.shell.runs import Runs
from kcl_py.shell.shell import Crashed, Shell
from kcl_py.worker import Worker
from tests.shell.stage import Stage
from tests.shell.test_adverse_checkpoints import sleep_over_the_fence
from tests.shell.test_adverse_crashes import PLACES, Bomb, PlantedError, play_crash
from tests.shell.test_adverse_pools import (
    fill_the_read_pool,
    hurry_past_hung_jobs,
    weather_a_storm,
    write_with_a_full_pool,
)
from tests.shell.test_adverse_stops import (
    return_after_the_end,
    stop_from_all_sides,
    stop_with_hung_code,
    stop_with_slow_calls,
)

SEEDS = 30
"""In so many every planted bug must be caught; most are in the first."""

SUBMIT, INIT, SEND = Pool.submit, Pool.__init__, Remote.send


def crash(seed: int, where: str) -> None:
    def plant(stage: Stage) -> Bomb:
        return Bomb(stage, PlantedError()).before(*PLACES[where])

    bomb, raised = play_crash(seed, plant)
    assert bomb.went_off_at is None or isinstance(raised, Crashed)


# ---------------------------------------------------------------------------------------- the bugs


def swallow(shell: Shell, thread: str, error: BaseException) -> None:
    """Keep a crash to oneself."""


def only_log(shell: Shell, thread: str, error: BaseException) -> None:
    shell.reporter.crashed(thread, error)


def in_order_of_arrival(pool: Pool, job: Callable[[], None], *, urgent_by: float = 0.0) -> None:
    SUBMIT(pool, job)


def one_thread(pool: Pool, name: str, threads_max: int, on_crash: Any) -> None:
    INIT(pool, name, 1, on_crash)


def never_look_at_the_wall(control: Control) -> None:
    """Leave the wall clock alone."""


def leave_no_note(worker: Worker) -> None:
    """Tell those who run, and forget those who are about to start."""
    shell = worker._shell
    if shell is not None:
        shell.mailbox.put(StopAsked())


def write_among_the_reads(remote: Remote, command: Any) -> None:
    if isinstance(command, WriteRow):
        remote.records.submit(partial(remote._write, command), urgent_by=command.urgent_by)
    else:
        SEND(remote, command)


def wait_for_ever(run: ProcessorRun, timeout: float) -> None:
    run._is_over.wait()


def leave_open(runs: Runs, timeout: float) -> tuple[str, ...]:
    runs.fence_all()
    return runs.busy_keys()


def let_it_run(running: RunningCall) -> None:
    """Never cancel a call."""


def do_not_wait(remote: Remote) -> None:
    """Leave what is under way."""


@pytest.mark.parametrize(
    ("kind", "name", "bug", "scenario"),
    [
        (Shell, "on_crash", swallow, partial(crash, where="a lease thread")),
        (Shell, "on_crash", swallow, partial(crash, where="a read thread")),
        (Shell, "on_crash", only_log, partial(crash, where="the control thread, in the core")),
        (Pool, "submit", in_order_of_arrival, write_with_a_full_pool),
        (Pool, "__init__", one_thread, hurry_past_hung_jobs),
        (Remote, "send", write_among_the_reads, fill_the_read_pool),
        (Control, "_read_wall", never_look_at_the_wall, weather_a_storm),
        (Worker, "request_stop", leave_no_note, stop_from_all_sides),
        (ProcessorRun, "join", wait_for_ever, stop_with_hung_code),
        (Runs, "abandon", leave_open, return_after_the_end),
        (Remote, "join", do_not_wait, stop_with_slow_calls),
        (RunningCall, "_guard", let_it_run, sleep_over_the_fence),
    ],
)
def test_a_planted_bug_is_caught_by_its_scenario(
    monkeypatch: pytest.MonkeyPatch,
    kind: type,
    name: str,
    bug: Callable[..., object],
    scenario: Callable[[int], object],
) -> None:
    monkeypatch.setattr(kind, name, bug)

    def is_caught(seed: int) -> bool:
        try:
            scenario(seed)
        except AssertionError:
            return True
        return False

    assert any(is_caught(seed) for seed in range(SEEDS))
