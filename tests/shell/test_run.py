"""How is one processor object made and called? One thread, one call at a time."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Iterator
from math import inf

import pytest
import structlog

from kcl_py.core.commands import CallProcessor, MoveFence
from kcl_py.core.events import CallReturned, Traits
from kcl_py.errors import LeaseLost, RecordFailed
from kcl_py.processor import (
    AsyncBatch,
    AsyncRecordProcessor,
    AsyncShardContext,
    Batch,
    RecordProcessor,
    ShardContext,
)
from kcl_py.records import Position
from kcl_py.shell.run import is_inside_processor
from tests.shell.run_world import FENCE, World
from tests.shell.tools import PATIENCE, close, deliver, start_run


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.async_calls.close()
    assert world.crashes.all == []


class Recorder(RecordProcessor):
    """Writes down what it is called with, and in which thread."""

    checkpointing = "explicit"
    idle_after = 2.5

    def __init__(self, log: list[tuple[object, ...]]) -> None:
        self.log = log
        self.log.append(("made", threading.get_ident()))

    def initialize(self, shard: ShardContext) -> None:
        self.log.append(("initialize", threading.get_ident(), shard.lease_key))

    def process_records(self, batch: Batch) -> None:
        self.log.append(("process_records", threading.get_ident(), len(list(batch))))

    def shutdown_requested(self, shard: ShardContext) -> None:
        self.log.append(("shutdown_requested", threading.get_ident(), shard.shutdown_reason))

    def close(self) -> None:
        self.log.append(("close", threading.get_ident()))


class AsyncRecorder(AsyncRecordProcessor):
    """The same on a loop."""

    def __init__(self, log: list[tuple[object, ...]]) -> None:
        self.log = log
        self.log.append(("made", threading.get_ident()))

    async def initialize(self, shard: AsyncShardContext) -> None:
        self.log.append(("initialize", threading.get_ident(), shard.lease_key))

    async def process_records(self, batch: AsyncBatch) -> None:
        await asyncio.sleep(0)
        self.log.append(("process_records", threading.get_ident(), len(list(batch))))

    async def shutdown_requested(self, shard: AsyncShardContext) -> None:
        self.log.append(("shutdown_requested", threading.get_ident(), shard.shutdown_reason))

    async def close(self) -> None:
        self.log.append(("close", threading.get_ident()))


def shutdown(run_id: int = 1) -> CallProcessor:
    return CallProcessor(run_id=run_id, method="shutdown_requested", reason="handoff")


# -------------------------------------------------------------------------------------- the order


@pytest.mark.parametrize("kind", [Recorder, AsyncRecorder])
def test_all_calls_come_in_order_from_one_thread(
    world: World, kind: type[Recorder | AsyncRecorder]
) -> None:
    log: list[tuple[object, ...]] = []
    runs = world.runs(functools.partial(kind, log))

    runs.start(start_run())
    for command in (deliver(3), deliver(2), shutdown(), close()):
        runs.call(command)
    methods = [world.returns.next().method for _ in range(5)]

    assert methods == [
        "initialize",
        "process_records",
        "process_records",
        "shutdown_requested",
        "close",
    ]
    assert [(entry[0], *entry[2:]) for entry in log] == [
        ("made",),
        ("initialize", "shardId-1"),
        ("process_records", 3),
        ("process_records", 2),
        ("shutdown_requested", "handoff"),
        ("close",),
    ]
    assert len({entry[1] for entry in log}) == 1
    assert threading.get_ident() not in {entry[1] for entry in log}
    assert runs.busy_keys() == ()


def test_a_call_waits_until_the_one_before_it_has_returned(world: World) -> None:
    entered, release = threading.Event(), threading.Event()
    log: list[str] = []

    class Slow(RecordProcessor):
        def process_records(self, batch: Batch) -> None:
            log.append("in")
            entered.set()
            release.wait(PATIENCE)
            log.append("out")

    runs = world.runs(Slow)
    runs.start(start_run())
    runs.call(deliver())
    runs.call(deliver())
    assert entered.wait(PATIENCE)
    assert log == ["in"]

    release.set()
    runs.call(close())
    while world.returns.next().method != "close":
        pass

    assert log == ["in", "out", "in", "out"]


def test_shards_do_not_wait_for_each_other(world: World) -> None:
    release, done = threading.Event(), threading.Event()

    class OneWaits(RecordProcessor):
        def process_records(self, batch: Batch) -> None:
            if batch.fencing_token == 1:
                release.wait(PATIENCE)
            else:
                done.set()

    runs = world.runs(OneWaits)
    runs.start(start_run(1, token=1))
    runs.start(start_run(2, token=2))
    runs.call(deliver(run_id=1))
    runs.call(deliver(run_id=2))

    assert done.wait(PATIENCE)
    release.set()
    runs.abandon(PATIENCE)


def test_the_core_learns_of_traits_with_the_first_return(world: World) -> None:
    log: list[tuple[object, ...]] = []
    runs = world.runs(lambda: Recorder(log))

    runs.start(start_run())

    traits = Traits(checkpointing="explicit", idle_after=2.5)
    assert world.returns.next() == CallReturned(run_id=1, method="initialize", traits=traits)
    runs.abandon(PATIENCE)


def test_user_code_logs_with_the_fields_of_its_shard_and_context(world: World) -> None:
    seen: dict[str, object] = {}
    inside: list[bool] = []

    def process(batch: Batch) -> None:
        seen.update(structlog.contextvars.get_contextvars())
        inside.append(is_inside_processor("w-1"))

    runs = world.runs(process)
    runs.start(start_run())
    runs.call(deliver())
    assert [world.returns.next().error for _ in range(2)] == [None, None]
    runs.abandon(PATIENCE)

    assert seen == {
        "worker_id": "w-1",
        "app_name": "app",
        "stream": "people",
        "shard_id": "shardId-1",
        "lease_key": "shardId-1",
        "fencing_token": 7,
    }
    assert inside == [True]
    assert not is_inside_processor("w-1")


# ------------------------------------------------------------------------------------- what fails


def test_a_factory_that_raises_is_an_error_and_close_has_nothing_to_do(world: World) -> None:
    def make() -> RecordProcessor:
        raise OSError("no database")

    runs = world.runs(make)
    runs.start(start_run())
    returned = world.returns.next()
    runs.call(close())

    assert returned.error is not None
    assert returned.error.kind == "error"
    assert returned.error.detail == "OSError: no database"
    assert returned.traits is None
    assert world.returns.next() == CallReturned(run_id=1, method="close")


def test_close_is_called_once_after_a_failed_initialize(world: World) -> None:
    closed: list[int] = []

    class Broken(RecordProcessor):
        def initialize(self, shard: ShardContext) -> None:
            raise ValueError

        def process_records(self, batch: Batch) -> None: ...

        def close(self) -> None:
            closed.append(1)

    runs = world.runs(Broken)
    runs.start(start_run())
    runs.call(close())
    runs.abandon(PATIENCE)
    runs.abandon(PATIENCE)

    assert [world.returns.next().method for _ in range(2)] == ["initialize", "close"]
    assert closed == [1]


def test_an_exception_is_reported_with_its_place_and_without_its_message(world: World) -> None:
    def process(batch: Batch) -> None:
        raise RecordFailed(batch[1]) from KeyError("alice@example.org")

    runs = world.runs(process)
    runs.start(start_run())
    world.returns.next()
    runs.call(deliver())
    error = world.returns.next().error
    runs.abandon(PATIENCE)

    assert error is not None
    assert str(error.failed_at) == "2/0"
    assert "alice" not in error.summary
    assert "alice" in error.detail
    (report,) = world.reports
    assert report.fields["error_type"] == "KeyError"
    assert "alice" not in repr(report)


def test_exit_in_user_code_is_told_apart(world: World) -> None:
    def process(batch: Batch) -> None:
        raise SystemExit(0)

    async def process_async(batch: AsyncBatch) -> None:
        raise SystemExit(0)

    for processor in (process, process_async):
        runs = world.runs(processor)
        runs.start(start_run())
        runs.call(deliver())
        assert world.returns.next().error is None
        error = world.returns.next().error
        assert error is not None
        assert error.kind == "exit"
        runs.abandon(PATIENCE)
        world.returns.next()


def test_what_no_retry_can_mend_is_marked(world: World) -> None:
    def process(batch: Batch) -> None:
        raise ValueError

    runs = world.runs(process, give_up_on=(ValueError,))
    runs.start(start_run())
    world.returns.next()
    runs.call(deliver())

    error = world.returns.next().error
    runs.abandon(PATIENCE)
    assert error is not None
    assert not error.may_retry


# -------------------------------------------------------------------------------------- the fence


def test_past_the_fence_only_the_end_is_told(world: World) -> None:
    log: list[tuple[object, ...]] = []
    runs = world.runs(functools.partial(Recorder, log))
    runs.start(start_run(fence=FENCE))
    world.returns.next()
    world.hand.time = FENCE

    for command in (deliver(), shutdown(), CallProcessor(run_id=1, method="lease_lost"), close()):
        runs.call(command)
    errors = [world.returns.next().error for _ in range(4)]

    assert [error and error.kind for error in errors] == ["lease_lost", "lease_lost", None, None]
    assert [entry[0] for entry in log] == ["made", "initialize", "close"]


def test_the_guard_raises_as_soon_as_the_fence_is_moved_to_the_past(world: World) -> None:
    first, moved = threading.Event(), threading.Event()
    seen: list[str] = []

    def process(batch: Batch) -> None:
        for record in batch:
            seen.append(record.sequence_number)
            first.set()
            moved.wait(PATIENCE)

    runs = world.runs(process)
    runs.start(start_run(fence=FENCE))
    world.returns.next()
    runs.call(deliver(3))
    assert first.wait(PATIENCE)

    runs.move_fence(MoveFence(1, -inf))
    moved.set()

    error = world.returns.next().error
    assert error is not None
    assert error.kind == "lease_lost"
    assert seen == ["1"]
    runs.abandon(PATIENCE)


def test_a_fence_that_was_ended_is_never_moved_on(world: World) -> None:
    log: list[tuple[object, ...]] = []
    runs = world.runs(functools.partial(Recorder, log))
    runs.start(start_run(fence=FENCE))
    world.returns.next()

    runs.move_fence(MoveFence(1, -inf))
    runs.move_fence(MoveFence(1, FENCE))
    runs.call(deliver())

    error = world.returns.next().error
    assert error is not None
    assert error.kind == "lease_lost"
    runs.abandon(PATIENCE)


def test_a_renewal_lets_a_run_go_on(world: World) -> None:
    log: list[tuple[object, ...]] = []
    runs = world.runs(functools.partial(Recorder, log))
    runs.start(start_run(fence=FENCE))
    world.returns.next()

    runs.move_fence(MoveFence(1, 2 * FENCE))
    world.hand.time = FENCE
    runs.call(deliver())

    assert world.returns.next().error is None
    runs.abandon(PATIENCE)


def test_a_context_knows_the_newest_durable_checkpoint(world: World) -> None:
    contexts: list[ShardContext] = []

    class Keeps(RecordProcessor):
        def initialize(self, shard: ShardContext) -> None:
            contexts.append(shard)

        def process_records(self, batch: Batch) -> None: ...

    runs = world.runs(Keeps)
    runs.start(start_run())
    world.returns.next()
    assert contexts[0].checkpointed is None

    runs.move_fence(MoveFence(1, FENCE, Position("3")))
    runs.move_fence(MoveFence(1, FENCE))
    runs.move_fence(MoveFence(1, FENCE, Position("2")))

    assert contexts[0].checkpointed == Position("3")
    runs.abandon(PATIENCE)


def test_after_close_the_context_of_a_run_is_nobodys(world: World) -> None:
    contexts: list[ShardContext] = []

    class Keeps(RecordProcessor):
        def initialize(self, shard: ShardContext) -> None:
            contexts.append(shard)

        def process_records(self, batch: Batch) -> None: ...

    runs = world.runs(Keeps)
    runs.start(start_run())
    runs.call(close())
    runs.abandon(PATIENCE)

    assert not contexts[0].is_owner
    with pytest.raises(LeaseLost):
        contexts[0].ensure_owner()


def test_user_code_that_does_not_return_is_named_and_left(world: World) -> None:
    entered, release = threading.Event(), threading.Event()

    def process(batch: Batch) -> None:
        entered.set()
        release.wait(PATIENCE)

    runs = world.runs(process)
    runs.start(start_run())
    runs.call(deliver())
    assert entered.wait(PATIENCE)

    assert runs.abandon(0.01) == ("shardId-1",)
    release.set()
    assert runs.abandon(PATIENCE) == ()
