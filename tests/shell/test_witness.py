"""Does the judge of the adverse scenarios catch bugs, and is every scenario played the same twice?

One planted bug, at least, for everything that it judges. A judge that never caught anything proves
nothing.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from math import inf
from typing import Any

import pytest

from kcl_py.core.commands import AnswerCheckpoint, MoveFence, Report
from kcl_py.processor import Batch, ShardContext, batches
from kcl_py.records import Record
from kcl_py.shell.checkpoints import CheckpointDesk, Port
from kcl_py.shell.pools import Pool
from kcl_py.shell.remote import Remote
from kcl_py.shell.reporting import Reporter
from kcl_py.shell.run import Call, ProcessorRun
from kcl_py.shell.runs import Runs
from kcl_py.shell.threads import spawn
from tests.shell.baton import Baton, Stuck
from tests.shell.stage import DURATION, GRACE, Stage
from tests.shell.tools import ScriptedCore

SEEDS = 25
"""In so many every planted bug must be caught."""


def play(seed: int, *, workers: int = 1, pace: float | None = None, seconds: float = 7.5) -> str:
    """Play a scenario with a little of everything; return the hash of its log.

    Args:
        pace: Seconds that user code takes for a record; None: as the seed wants it.
        seconds: How long until the stop.
    """
    with Baton(seed) as baton:
        stage = Stage(baton, shards=2)

        def lasts(name: str, what: object) -> float:
            if name == "write" and stage.rng.random() < 0.15:
                return stage.rng.uniform(1.0, 2.5 * DURATION)
            return stage.rng.uniform(0.0, 0.1)

        drawn = stage.rng.choice((0.0, 0.02, 0.3, 1.0))
        per_record = drawn if pace is None else pace

        def behave(method: str, shard: ShardContext, batch: Batch | None) -> None:
            is_slow = method == "process_records" and stage.rng.random() < 0.15
            baton.sleep(per_record if method == "record" else 4.0 * GRACE if is_slow else 0.01)
            if method == "process_records" and stage.rng.random() < 0.3:
                with stage.witness.asking("checkpoint"):
                    shard.checkpoint()

        stage.lasts, stage.behave = lasts, behave
        team = [stage.worker() for _ in range(workers)]
        for worker in team:
            worker.start()
            baton.sleep(seconds / workers)
        for worker in team:
            worker.request_stop()
        for worker in team:
            stage.end(worker, patience=4.0 * GRACE)
        stage.witness.check()
        return baton.digest()


def caught(**arguments: Any) -> Iterator[str]:
    """Play from seed to seed; yield what the judge said."""
    for seed in range(SEEDS):
        try:
            play(seed, **arguments)
        except Stuck as stuck:
            yield f"stuck: {stuck}"
        except AssertionError as error:
            yield str(error)


# ------------------------------------------------------------------------------------ without a bug


def test_nothing_is_found_where_nothing_is_planted() -> None:
    assert list(caught()) == []
    assert list(caught(workers=2)) == []


def test_the_same_seed_plays_the_same_scenario() -> None:
    """Not only twice in a row, but whatever the hashes of strings are."""
    seeds = range(4)
    program = (
        "from tests.shell.test_witness import play; "
        f"print(*(play(seed, workers=2) for seed in {list(seeds)}))"
    )
    elsewhere = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": "."},
        capture_output=True,
        check=True,
        text=True,
    )
    here = [play(seed, workers=2) for seed in seeds]

    assert elsewhere.stdout.split() == here
    assert len(set(here)) == len(here)


# --------------------------------------------------------------------------------- one bug for each


def unguarded(batch: Any) -> Iterator[Record]:
    for record in batch._records:
        batch._run.port.now()
        yield record


def keep_fence(runs: Runs, command: MoveFence) -> None:
    if command.until > -inf:
        MOVE_FENCE(runs, command)


def twice(pool: Pool, job: Callable[[], None], *, urgent_by: float = 0.0) -> None:
    SUBMIT(pool, job, urgent_by=urgent_by)
    if pool._name == "kcl-read":
        SUBMIT(pool, job, urgent_by=urgent_by)


def drop_some(pool: Pool, job: Callable[[], None], *, urgent_by: float = 0.0) -> None:
    if pool._name != "kcl-read" or next(pool._order) % 9:
        SUBMIT(pool, job, urgent_by=urgent_by)


def answer_twice(remote: Remote, command: Any) -> None:
    answer = remote.stream.fetch(command)
    remote.post(answer)
    remote.post(answer)


def keep_answer(remote: Remote, command: Any) -> None:
    remote.stream.fetch(command)


def at_once(run: ProcessorRun, command: Call) -> None:
    """Call user code from a thread of its own, whatever still runs."""
    run._context = run._context.copy()  # else Python refuses to enter it twice
    spawn("kcl-at-once", partial(run._perform, command), lambda thread, error: None)


def close_twice(run: ProcessorRun, command: Call) -> None:
    PERFORM(run, command)
    if getattr(command, "method", "") == "close":
        PERFORM(run, command)


def wait_for_ever(port: Port) -> float:
    return 1.0


def answer_some(desk: CheckpointDesk, command: AnswerCheckpoint) -> None:
    if command.request_id % 3:
        ANSWER(desk, command)


def report_some(reporter: Reporter, report: Report) -> None:
    if report.name != "lease.taken":
        REPORT(reporter, report)


def leave_threads(pool: Pool) -> None:
    pool._jobs.clear()


MOVE_FENCE, SUBMIT, PERFORM = Runs.move_fence, Pool.submit, ProcessorRun._perform
ANSWER, REPORT = CheckpointDesk.answer, Reporter.report


@pytest.mark.parametrize(
    ("kind", "name", "bug", "said"),
    [
        (batches._Records, "__iter__", unguarded, "fence: "),
        (Pool, "submit", twice, "called more often"),
        (Pool, "submit", drop_some, "was never called"),
        (Remote, "_fetch", answer_twice, "though nobody waits for it"),
        (Remote, "_fetch", keep_answer, "was never answered"),
        (ProcessorRun, "call", at_once, "order: "),
        (ProcessorRun, "_perform", close_twice, "order: "),
        (Reporter, "report", report_some, "reports: "),
        (Pool, "close", leave_threads, "threads: "),
    ],
)
def test_a_planted_bug_is_caught(
    monkeypatch: pytest.MonkeyPatch, kind: type, name: str, bug: object, said: str
) -> None:
    monkeypatch.setattr(kind, name, bug)

    assert any(said in found for found in caught())


def test_a_question_that_is_never_answered_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Port, "_patience", wait_for_ever)
    monkeypatch.setattr(CheckpointDesk, "answer", answer_some)
    monkeypatch.setattr(CheckpointDesk, "close", lambda desk: None)

    assert any("answers: checkpoint never returned" in found for found in caught())


def test_an_epoch_that_goes_on_beside_the_next_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches._Records, "__iter__", unguarded)

    assert any("epochs: " in found for found in caught(workers=2, pace=1.0, seconds=15.0))


def test_a_fence_that_is_not_ended_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Runs, "move_fence", keep_fence)

    assert any("though its fence was ended" in found for found in caught(pace=1.0))


def test_two_threads_in_one_core_are_caught() -> None:
    with Baton(1) as baton:
        stage = Stage(baton)
        core = stage.witness.spy(ScriptedCore(lambda event: []))
        core.next_wakeup()
        baton.spawn(core.next_wakeup).join()
        with pytest.raises(AssertionError, match="core: "):
            stage.witness.check()
