"""Are leases renewed though pools are full, calls hang, or thousands of events arrive at once?"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import inf

from kcl_py.core.commands import Command, Finish, WriteRow
from kcl_py.core.events import CheckpointAsked, Event, RowWritten, StopAsked, WallRead, Woken
from kcl_py.core.leases.rows import WorkerState
from kcl_py.core.leases.writes import RowWrite, beat
from kcl_py.errors import StopTimeout
from kcl_py.records import Position
from kcl_py.shell.control import WAIT_SECONDS_MAX, WALL_SECONDS, StatusAsked
from kcl_py.shell.pools import LEASE_THREADS_MAX, STREAM_THREADS_MAX, TABLE_THREADS_MAX, Pool
from kcl_py.shell.shell import Shell
from tests.shell.baton import Baton, seeds
from tests.shell.stage import DURATION, Code, Stage, StageTable
from tests.shell.tools import Crashes, ScriptedCore, job

SEEDS = 16


# ---------------------------------------------------------------------------------- the lease pool


def write_with_a_full_pool(seed: int) -> None:
    """Fill the pool with slow writes, then ask for many; the earliest fences must go first."""
    with Baton(seed) as baton:
        stage = Stage(baton)
        rng = stage.rng
        count = LEASE_THREADS_MAX + 40
        fences = [0.0] * LEASE_THREADS_MAX + [baton.time + rng.uniform(0, 9) for _ in range(40)]
        writes = [WriteRow(n, _beat(n), fences[n]) for n in range(count)]
        begun: list[int] = []
        answered: list[int] = []

        def lasts(name: str, what: object) -> float:
            number = next(n for n, one in enumerate(writes) if one.write is what)
            if number not in begun:
                begun.append(number)
            return 1.8 if number < LEASE_THREADS_MAX else rng.choice((0.01, 1.0))

        def react(event: Event) -> list[Command]:
            if isinstance(event, RowWritten):
                answered.append(event.write_id)
            return [Finish()] if len(answered) == count else []

        stage.lasts = lasts
        shell = Shell(baton.clock, {})
        core = stage.witness.spy(ScriptedCore(react, first=writes))
        services = replace(job(lambda: Code(stage)), table_port=StageTable(stage))
        assert shell.run(core, services) is None
        shell.reporter.close()
        stage.witness.ended()
        baton.until(lambda: not baton.alive(), 1.0)
        stage.witness.check()

        assert sorted(answered) == list(range(count))
        for place, number in enumerate(begun):
            earlier = [other for other in begun[place:] if fences[other] < fences[number]]
            assert len(earlier) < LEASE_THREADS_MAX, "a write waited behind one that had time"


def _beat(number: int) -> RowWrite:
    return beat(f"w-{number}", seen=1, state=WorkerState.RUNNING)


def test_a_full_pool_sends_the_earliest_fence_first_and_loses_nothing() -> None:
    for seed in seeds(SEEDS):
        write_with_a_full_pool(seed)


def hurry_past_hung_jobs(seed: int) -> None:
    """As long as one thread is free, an urgent job waits for nobody."""
    with Baton(seed, hold_up_rate=0.0) as baton:
        crashes = Crashes()
        pool = Pool("pool", 4, crashes)
        for _ in range(3):
            pool.submit(lambda: baton.sleep(100.0), urgent_by=inf)
        done: list[float] = []
        for number in range(10):
            pool.submit(lambda: done.append(baton.time), urgent_by=float(number))
        before = baton.time
        assert baton.until(lambda: len(done) == 10, 50.0)
        assert done[-1] - before < 1.0
        pool.close()
        pool.join(200.0)
        assert baton.alive() == []
        assert crashes.all == []


def test_an_urgent_write_waits_for_no_call_that_hangs() -> None:
    for seed in seeds(SEEDS):
        hurry_past_hung_jobs(seed)


def renew_more_than_the_pool_can(seed: int) -> int:
    """Let every write take its two seconds, for more shards than threads: fences must hold."""
    with Baton(seed) as baton:
        stage = Stage(baton, shards=12, rate=2.0)
        begin = baton.time + 3.0
        stage.lasts = lambda name, what: (
            1.9 if name == "write" and begin < baton.time < begin + 6.0 else 0.05
        )
        stage.play(stage.worker(), 9.0, patience=3.0)
        stage.witness.check()
        return stage.witness.heard.count("lease.lost")


def test_a_pool_that_cannot_keep_up_costs_leases_and_no_fence() -> None:
    lost = [renew_more_than_the_pool_can(seed) for seed in seeds(SEEDS // 3)]

    assert any(lost)


# ---------------------------------------------------------------------------------- the other pools


def hang_all_reads(seed: int) -> None:
    """Let every read of shards, and of the table, hang: renewals must go on all the same."""
    with Baton(seed) as baton:
        shards = 4
        stage = Stage(baton, shards=shards)
        hang_from = baton.time + 2.5
        stage.lasts = lambda name, what: inf if name != "write" and baton.time > hang_from else 0.05
        worker = stage.worker()
        worker.start()
        baton.sleep(2.5 + 4 * DURATION)
        held = [key for key, row in stage.rows.leases.items() if row.owner == worker.worker_id]
        assert len(held) == shards
        assert "lease.lost" not in stage.witness.heard
        assert set(worker.status().shards) == set(held)

        worker.request_stop()
        assert isinstance(stage.end(worker), StopTimeout | None)
        pools = (("kcl-table", TABLE_THREADS_MAX), ("kcl-read", STREAM_THREADS_MAX))
        stage.witness.may_be_stuck = True
        stage.witness.may_live = [f"{name}-{n}" for name, count in pools for n in range(count)]
        stage.witness.check()


def test_reads_that_hang_hold_up_no_renewal() -> None:
    for seed in seeds(SEEDS):
        hang_all_reads(seed)


def fill_the_read_pool(seed: int) -> None:
    """Let reads hang for a while on more shards than there are threads; then all must go on."""
    with Baton(seed, line_rate=0.0) as baton:
        shards = STREAM_THREADS_MAX + 4
        stage = Stage(baton, shards=shards, rate=1.0)
        until = baton.time + 8.0
        stage.lasts = lambda name, what: max(0.1, until - baton.time) if name == "fetch" else 0.01
        assert stage.play(stage.worker(), 13.0) is None
        stage.witness.check()
        assert "lease.lost" not in stage.witness.heard
        assert {one.key for one in stage.witness.yielded} == set(stage.shard_ids)


def test_a_read_pool_that_was_full_loses_no_read() -> None:
    for seed in seeds(2):
        fill_the_read_pool(seed)


# ---------------------------------------------------------------------------------- an event storm


def storm(seed: int, *, burst: int, cost: float) -> Stage:
    """Queue thousands of events at once, every second, each of which costs the core some time."""
    with Baton(seed, line_rate=0.0, hold_up_rate=0.0, is_fair=True) as baton:
        stage = Stage(baton, shards=2)
        stage.core_cost = cost
        worker = stage.worker()
        worker.start()
        at = Position("1")
        asked = CheckpointAsked(run_id=-1, request_id=-1, kind="checkpoint", at=at, handed=None)
        questions: list[StatusAsked] = []
        for _ in range(6):
            baton.sleep(1.0)
            assert worker._shell is not None
            questions.append(StatusAsked())
            letters = [Woken(), asked] * (burst // 2)
            # As if they had come while the control thread was frozen: all at one instant.
            items = worker._shell.mailbox._letters.items  # type: ignore[attr-defined]
            items.extend([*letters, questions[-1]])
        worker.request_stop()
        stage.stopped_at = baton.time
        stage.end(worker)
        stage.witness.check()
        assert all(question.answer._state == "FINISHED" for question in questions)
        return stage


def weather_a_storm(seed: int) -> None:
    burst, cost = 2_000, 0.0002
    stage = storm(seed, burst=burst, cost=cost)
    assert "lease.lost" not in stage.witness.heard
    (core,) = stage.witness.cores
    told = next(turn.at for turn in core.turns if isinstance(turn.event, StopAsked))
    assert told - stage.stopped_at < 2 * burst * cost + 0.5
    walls = [turn.at for turn in core.turns if isinstance(turn.event, WallRead)]
    assert walls
    pauses = [after - before for before, after in pairwise(walls)]
    assert max(pauses) < WAIT_SECONDS_MAX + WALL_SECONDS + 0.3


def test_a_storm_starves_neither_renewals_nor_the_stop() -> None:
    for seed in seeds(3):
        weather_a_storm(seed)


def test_a_storm_that_lasts_longer_than_a_lease_costs_leases_and_no_fence() -> None:
    lost = 0
    for seed in seeds(2):
        lost += storm(seed, burst=2_000, cost=0.002).witness.heard.count("lease.lost")

    assert lost
