"""Does every checkpoint of user code return or raise, once, whatever it races with?"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter

from kcl_py.errors import CheckpointOutOfRange, LeaseLost, ServiceError
from kcl_py.processor import AsyncShardContext, Batch, ShardContext
from kcl_py.shell.async_calls import LOOK_SECONDS
from tests.shell.baton import Baton, seeds
from tests.shell.stage import DURATION, GRACE, AsyncCode, Stage, has_ended

SEEDS = 20

LONGEST_SECONDS = 2 * DURATION + 2.0
"""A question waits until its fence, which answers move while it waits, a second and hold-ups."""


def trouble(stage: Stage) -> None:
    """Let writes be slow, fail, or take so long that the fence passes."""

    def lasts(name: str, what: object) -> float:
        if name == "write" and stage.rng.random() < 0.2:
            return stage.rng.uniform(0.5, 2.0 * DURATION)
        return stage.rng.uniform(0.0, 0.1)

    stage.lasts = lasts
    stage.fails = lambda name, what: stage.rng.random() < 0.1


def take_down(stage: Stage, outcomes: Counter[str], outcome: str, begun: float) -> None:
    outcomes[outcome] += 1
    waited = stage.baton.time - begun
    assert waited < LONGEST_SECONDS, f"{outcome} after {waited} s"


# ------------------------------------------------------------------------------------------ threads


def ask(stage: Stage, shard: ShardContext, outcomes: Counter[str]) -> None:
    """Ask for one checkpoint of any kind; take down how it ended."""
    begun = stage.baton.time
    how = stage.rng.choice(("at once", "when durable", "in two phases"))
    outcome = how
    try:
        with stage.witness.asking(how):
            if how == "in two phases":
                shard.prepare(state=b"x").commit()
            else:
                shard.checkpoint(wait=how == "when durable")
    except (LeaseLost, CheckpointOutOfRange, ServiceError) as error:
        outcome = type(error).__name__
    take_down(stage, outcomes, outcome, begun)


def race(seed: int, outcomes: Counter[str]) -> None:
    """Let user code and three threads of its own ask, while fences pass and the worker stops."""
    with Baton(seed) as baton:
        stage = Stage(baton, shards=2)
        trouble(stage)
        threads: list[threading.Thread] = []
        failures: list[BaseException] = []

        def keep_asking(shard: ShardContext) -> None:
            try:
                for _ in range(4):
                    ask(stage, shard, outcomes)
                    baton.sleep(stage.rng.uniform(0.0, 0.3))
            except BaseException as error:
                failures.append(error)
                raise

        def behave(method: str, shard: ShardContext, batch: Batch | None) -> None:
            if method == "initialize":
                threads.extend(baton.spawn(lambda: keep_asking(shard)) for _ in range(3))
            elif method in ("process_records", "shutdown_requested", "lease_lost", "close"):
                ask(stage, shard, outcomes)

        stage.behave = behave
        stage.play(stage.worker(), stage.rng.uniform(1.0, 8.0), patience=6.0 * DURATION)
        assert failures == []
        stage.witness.check()


def test_a_checkpoint_of_any_thread_returns_or_raises_once() -> None:
    outcomes: Counter[str] = Counter()
    for seed in seeds(SEEDS):
        race(seed, outcomes)

    assert set(outcomes) >= {"at once", "when durable", "in two phases", "LeaseLost"}
    assert min(outcomes[how] for how in ("at once", "when durable", "LeaseLost")) > SEEDS


# ----------------------------------------------------------------------------------------- the loop


class Asking(AsyncCode):
    """Async user code that checkpoints all the time, and may be cancelled in the middle of it."""

    def __init__(self, stage: Stage, outcomes: Counter[str]) -> None:
        super().__init__(stage)
        self.outcomes = outcomes

    async def behave(self, method: str, shard: AsyncShardContext | None) -> None:
        stage, begun = self.stage, self.stage.baton.time
        if shard is None or method == "record":
            await asyncio.sleep(0.0)
            return
        outcome = "done"
        try:
            with stage.witness.asking(method):
                patience = stage.rng.choice((0.05, None))
                async with asyncio.timeout(patience):
                    await shard.checkpoint(wait=stage.rng.random() < 0.7)
        except (LeaseLost, CheckpointOutOfRange, ServiceError, TimeoutError) as error:
            outcome = type(error).__name__
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        finally:
            take_down(stage, self.outcomes, outcome, begun)


def race_on_a_loop(seed: int, outcomes: Counter[str], *, own_loop: bool) -> None:
    with Baton(seed) as baton:
        stage = Stage(baton, shards=2)
        trouble(stage)
        worker = stage.worker(lambda: Asking(stage, outcomes))
        seconds = stage.rng.uniform(1.0, 8.0)
        if own_loop:
            stage.play(worker, seconds, patience=6.0 * DURATION)
        else:
            is_cancelled = run_in_a_loop(stage, worker, seconds)
            outcomes["run_async cancelled"] += is_cancelled
        assert has_ended(worker)
        stage.witness.check()


def run_in_a_loop(stage: Stage, worker: object, seconds: float) -> bool:
    """Run it on a loop of the scenario's, and end that by a stop or by cancelling."""
    cancels = stage.rng.random() < 0.5

    async def main() -> bool:
        running = asyncio.ensure_future(worker.run_async())  # type: ignore[attr-defined]
        await asyncio.wait([running], timeout=seconds)
        if cancels:
            running.cancel()
        else:
            worker.request_stop()  # type: ignore[attr-defined]
        await asyncio.wait([running], timeout=4.0 * GRACE)
        assert running.done()
        return running.cancelled() or running.exception() is None

    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()
    stage.witness.ended()
    stage.baton.until(lambda: not stage.baton.alive(), 6.0 * DURATION)
    return cancels


def test_a_checkpoint_on_our_loop_returns_raises_or_is_cancelled_once() -> None:
    outcomes: Counter[str] = Counter()
    for seed in seeds(SEEDS):
        race_on_a_loop(seed, outcomes, own_loop=True)

    assert set(outcomes) >= {"done", "cancelled", "TimeoutError"}


class Sleeper(AsyncCode):
    """Async user code that sleeps until it is cancelled."""

    def __init__(self, stage: Stage, late: list[float]) -> None:
        super().__init__(stage)
        self.late = late

    async def behave(self, method: str, shard: AsyncShardContext | None) -> None:
        if method == "process_records" and shard is not None:
            fence = shard._run.fence
            until = fence.until
            try:
                while True:
                    await asyncio.sleep(0.05)
                    until = max(until, fence.until)
            except asyncio.CancelledError:
                self.late.append(self.stage.baton.time - until)
                raise


def sleep_over_the_fence(seed: int) -> list[float]:
    """Return how long after its fence each call was cancelled, seconds."""
    with Baton(seed, hold_up_max=0.05) as baton:
        stage = Stage(baton, shards=2)
        late: list[float] = []
        hung_from = baton.time + stage.rng.uniform(1.0, 4.0)
        hung_until = hung_from + 3.0 * DURATION

        def lasts(name: str, what: object) -> float:
            hangs = name == "write" and hung_from < baton.time < hung_until
            return hung_until - baton.time if hangs else 0.05

        stage.lasts = lasts
        worker = stage.worker(lambda: Sleeper(stage, late))
        stage.play(worker, 5.0 + 2.0 * DURATION, patience=6.0 * DURATION)
        stage.witness.check()
        assert "lease.lost" in stage.witness.heard
        assert late
        assert max(late) < LOOK_SECONDS + 0.5
        return late


def test_an_async_call_is_cancelled_soon_after_its_fence() -> None:
    for seed in seeds(SEEDS // 4):
        sleep_over_the_fence(seed)


def test_so_it_does_on_the_loop_of_run_async() -> None:
    outcomes: Counter[str] = Counter()
    for seed in seeds(SEEDS):
        race_on_a_loop(seed, outcomes, own_loop=False)

    assert set(outcomes) >= {"done", "cancelled", "TimeoutError", "run_async cancelled"}
