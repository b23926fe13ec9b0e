"""Where do `async def` processors run, and who cancels them at the fence?"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from math import inf

import pytest

from kcl_py.core.commands import CallProcessor, MoveFence
from kcl_py.processor import AsyncBatch, AsyncRecordProcessor, AsyncShardContext
from tests.shell.run_world import FENCE, World
from tests.shell.tools import PATIENCE, close, deliver, start_run


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.async_calls.close()
    assert world.crashes.all == []


class Waits(AsyncRecordProcessor):
    """Waits for ever in `process_records`, unless it is cancelled."""

    def __init__(self, log: list[str], entered: threading.Event) -> None:
        self.log = log
        self.entered = entered

    async def process_records(self, batch: AsyncBatch) -> None:
        self.entered.set()
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            self.log.append("cancelled")
            raise

    async def lease_lost(self, shard: AsyncShardContext) -> None:
        self.log.append("lease_lost")

    async def close(self) -> None:
        await asyncio.sleep(0)
        self.log.append("close")


def test_an_async_call_is_cancelled_when_the_fence_is_ended(world: World) -> None:
    log: list[str] = []
    entered = threading.Event()
    runs = world.runs(lambda: Waits(log, entered))
    runs.start(start_run(fence=FENCE))
    world.returns.next()
    runs.call(deliver())
    assert entered.wait(PATIENCE)

    runs.move_fence(MoveFence(1, -inf))
    error = world.returns.next().error
    runs.call(CallProcessor(run_id=1, method="lease_lost"))
    runs.call(close())
    rest = [world.returns.next().error for _ in range(2)]

    assert error is not None
    assert error.kind == "lease_lost"
    assert rest == [None, None]
    assert log == ["cancelled", "lease_lost", "close"]


def test_an_async_call_is_cancelled_when_the_fence_passes_and_nothing_moves_it(
    world: World,
) -> None:
    log: list[str] = []
    entered = threading.Event()
    runs = world.runs(lambda: Waits(log, entered))
    runs.start(start_run(fence=world.hand.time + 0.5))
    world.returns.next()
    runs.call(deliver())
    assert entered.wait(PATIENCE)

    world.hand.time += 1.0

    error = world.returns.next().error
    assert error is not None
    assert error.kind == "lease_lost"
    runs.abandon(PATIENCE)


def test_a_cancellation_of_the_users_own_is_an_error_of_the_users(world: World) -> None:
    async def process(batch: AsyncBatch) -> None:
        raise asyncio.CancelledError

    runs = world.runs(process)
    runs.start(start_run())
    world.returns.next()
    runs.call(deliver())

    error = world.returns.next().error
    assert error is not None
    assert error.kind == "error"
    runs.abandon(PATIENCE)


def test_the_stacks_say_where_a_task_waits(world: World) -> None:
    entered = threading.Event()
    log: list[str] = []
    runs = world.runs(lambda: Waits(log, entered))
    runs.start(start_run(fence=FENCE))
    runs.call(deliver())
    assert entered.wait(PATIENCE)

    assert "in process_records" in world.async_calls.stacks()
    runs.abandon(PATIENCE)


def test_all_async_processors_share_one_loop(world: World) -> None:
    loops: set[int] = set()

    async def process(batch: AsyncBatch) -> None:
        loops.add(id(asyncio.get_running_loop()))

    runs = world.runs(process)
    for run_id in (1, 2, 3):
        runs.start(start_run(run_id))
        runs.call(deliver(run_id=run_id))
    assert [world.returns.next().error for _ in range(6)] == [None] * 6
    runs.abandon(PATIENCE)

    assert len(loops) == 1


def test_an_async_class_is_made_on_the_loop(world: World) -> None:
    made_on: list[asyncio.AbstractEventLoop] = []

    class WantsLoop(AsyncRecordProcessor):
        def __init__(self) -> None:
            made_on.append(asyncio.get_running_loop())

        async def process_records(self, batch: AsyncBatch) -> None: ...

    runs = world.runs(WantsLoop)
    runs.start(start_run())

    assert world.returns.next().error is None
    assert len(made_on) == 1
    runs.abandon(PATIENCE)
