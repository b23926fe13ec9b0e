"""Is user code stopped at its fence, whatever the order in which threads run and answers come?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from math import inf
from random import Random
from typing import Any

import pytest

from kcl_py.core.commands import CallProcessor, Command, Finish, MoveFence
from kcl_py.core.events import CallReturned, Event
from kcl_py.errors import LeaseLost
from kcl_py.processor import Batch, ShardContext, batches
from kcl_py.records import Record
from kcl_py.shell.run import ProcessorRun
from kcl_py.shell.shell import Shell
from kcl_py.status import WorkerStatus
from tests.shell.baton import Baton, seeds
from tests.shell.stage import DURATION, Code, Stage, run_of
from tests.shell.tools import deliver, job, start_run, worker_status

SEEDS = 40


# ----------------------------------------------------------------------- answers after their fence


def answer_late(seed: int) -> Stage:
    """Let answers of the table take so long that some come after the fence that they would move."""
    with Baton(seed) as baton:
        stage = Stage(baton, shards=2)

        def lasts(name: str, what: object) -> float:
            if name == "write" and stage.rng.random() < 0.15:
                return stage.rng.uniform(1.0, 2.5 * DURATION)
            return stage.rng.uniform(0.0, 0.1)

        stage.lasts = lasts
        stage.behave = lambda *_: baton.sleep(stage.rng.choice((0.0, 0.0, 0.02, 0.2)))
        stage.play(stage.worker(), 2.0 * DURATION, patience=3.0 * DURATION)
        stage.witness.check()
        return stage


def test_an_answer_that_comes_after_the_fence_revives_nothing() -> None:
    late = lost = yielded = 0
    for seed in seeds(SEEDS):
        witness = answer_late(seed).witness
        late += sum(call.ended - call.begun > DURATION for call in witness.calls)
        lost += witness.heard.count("lease.lost")
        yielded += len(witness.yielded)
    assert late > SEEDS / 2
    assert lost > SEEDS / 4
    assert yielded > 10 * SEEDS


# ------------------------------------------------------------------ the guard against the mover


class Mover:
    """A core that delivers one batch and moves the fence all the time, also when it is over."""

    def __init__(self, rng: Random, baton: Baton) -> None:
        self.rng = rng
        self.baton = baton
        self.moves = rng.randrange(5, 40)
        self.is_closing = False
        self.has_closed = False

    def start(self, now: float, wall: float) -> list[Command]:
        return [start_run(fence=now + 0.2)]

    def next_wakeup(self) -> float | None:
        return self.baton.time + self.rng.choice((0.0, 0.002, 0.02))

    def receive(self, now: float, event: Event) -> list[Command]:
        if isinstance(event, CallReturned):
            self.has_closed = self.has_closed or event.method == "close"
            is_ready = event.method == "initialize" and event.error is None
            return [deliver(60)] if is_ready else []
        self.moves -= 1
        if self.moves > 0:
            ends = self.rng.random() < 0.05
            return [MoveFence(1, -inf if ends else now + self.rng.uniform(0.0, 0.05))]
        if not self.is_closing:
            self.is_closing = True
            return [CallProcessor(run_id=1, method="close")]
        return [Finish()] if self.has_closed else []

    def status(self, now: float) -> WorkerStatus:
        return worker_status()


def move_fences(seed: int) -> Stage:
    """Let two threads iterate, while the control thread moves their fence, ends it and goes on."""
    with Baton(seed, line_rate=0.25) as baton:
        stage = Stage(baton)
        rng = stage.rng

        def iterate(batch: Batch) -> None:
            try:
                for record in batch:
                    run = run_of(batch.shard)
                    stage.witness.record(run, "shardId-1", 7, record.sequence_number)
                    baton.sleep(rng.choice((0.0, 0.0, 0.003)))
            except LeaseLost:
                pass

        def behave(method: str, shard: ShardContext, batch: Batch | None) -> None:
            if method == "record" and batch is not None:
                if not others:
                    others.append(baton.spawn(lambda: iterate(batch)))
                baton.sleep(rng.choice((0.0, 0.0, 0.003)))

        others: list[Any] = []
        stage.behave = behave
        shell = Shell(baton.clock, {})
        core = stage.witness.spy(Mover(rng, baton))
        assert shell.run(core, replace(job(lambda: Code(stage)), worker_id="w-1")) is None
        shell.reporter.close()
        stage.witness.ended()
        baton.until(lambda: not baton.alive(), 1.0)
        stage.witness.check()
        return stage


def test_no_record_passes_the_guard_whatever_order_the_threads_run_in() -> None:
    stages = [move_fences(seed) for seed in seeds(3 * SEEDS)]

    yielded = [len(stage.witness.yielded) for stage in stages]
    assert sum(yielded) > 20 * SEEDS
    assert sum(0 < count < 60 for count in yielded) > SEEDS, "the guard must be what ended many"


def fence_before_clock(batch: Any) -> Iterator[Record]:
    """Look at the fence too early: it may be ended before the clock is read."""
    until = batch._run.fence.until
    for record in batch._records:
        if batch._run.port.now() >= until:
            raise LeaseLost
        until = batch._run.fence.until
        yield record  # where others may run


def past_the_fence(batch: Any) -> Iterator[Record]:
    """Take the fence itself for a moment at which one may act."""
    for record in batch._records:
        if batch._run.port.now() > batch._run.fence.until + 1e-3:
            raise LeaseLost
        yield record


def revive(run: ProcessorRun, until: float) -> None:
    run._fence.until = until


@pytest.mark.parametrize(
    ("kind", "name", "bug"),
    [
        (batches._Records, "__iter__", fence_before_clock),
        (batches._Records, "__iter__", past_the_fence),
        (ProcessorRun, "move_fence", revive),
    ],
)
def test_a_planted_bug_of_the_guard_is_caught(
    monkeypatch: pytest.MonkeyPatch, kind: type, name: str, bug: Callable[..., object]
) -> None:
    monkeypatch.setattr(kind, name, bug)

    def is_caught(seed: int) -> bool:
        try:
            move_fences(seed)
        except AssertionError as error:
            return "fence: " in str(error)
        return False

    assert any(is_caught(seed) for seed in range(3 * SEEDS))
